import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openApi } from '../../../test/support/api.ts';
import type { Change } from '../../domain/audit/audit.ts';
import type { Sections } from '../../domain/configuration/document.ts';
import { sectionJobs } from '../../domain/configuration/stored-sections.ts';
import type { Deployment } from '../../domain/deployments.ts';
import type { GeneratedCodeJob } from '../../domain/generated-code-jobs.ts';
import { ServiceError } from '../../errors.ts';
import type { Services } from '../operation.ts';

const CREATED = '2026-01-02T03:04:05.000Z';
const UPDATED = '2026-01-02T03:04:06.000Z';
const TIMES = { createdAt: Date.parse(CREATED), updatedAt: Date.parse(UPDATED) };
const SNAPSHOT = 'Snapshot_2026-01-02T03:04:05.000001Z';
const JOB = '01234567-89ab-cdef-0123-456789abcdef';
const GAME = '/game/Demo';
const SNAPSHOT_PATH = `${GAME}/snapshot/${encodeURIComponent(SNAPSHOT)}`;
const STAGE_PATH = `${GAME}/stage/Dev`;
const TOKEN = 'c'.repeat(40);

const isChange = (value: unknown): value is Change => Object.hasOwn(Object(value), 'requestId');

/** A service whose methods note their parameters, except for the change, and answer with `answers`. */
function recorder(asked: unknown[], answers: Readonly<Record<string, unknown>>, changes: Change[] = []): never {
  const methods = Object.entries(answers).map(([name, answer]) => [
    name,
    (...parameters: unknown[]) => {
      const change = parameters.find(isChange);
      if (change !== undefined) changes.push(change);
      asked.push([name, ...parameters.filter((parameter) => !isChange(parameter))]);
      if (answer instanceof Error) throw answer;
      return answer;
    },
  ]);
  return Object.fromEntries(methods) as never;
}

const SECTIONS: Sections = { A: { key: 'ü', list: [null, 1.5] }, B: {} };
/** The sections as the rules give them. */
const describe = (sections: Sections) => sectionJobs.describe({ sections: JSON.stringify(sections) });

const WIRE_SECTIONS = {
  A: { Name: 'A', Size: 30, Attributes: SECTIONS.A },
  B: { Name: 'B', Size: 2, Attributes: {} },
};

test('a configuration crosses the API in both directions unchanged', async (t) => {
  const asked: unknown[] = [];
  const configuration = { ...TIMES, sections: describe(SECTIONS) };
  const configurations: Services['configurations'] = recorder(asked, {
    get: configuration,
    update: configuration,
    import: configuration,
  });
  const { call } = await openApi(t, { services: { configurations } });
  const json = { GameConfiguration: { Created: CREATED, LastUpdated: UPDATED, Sections: WIRE_SECTIONS } };
  const path = `${GAME}/configuration`;
  assert.deepEqual((await call('GET', path)).json, json);
  assert.deepEqual((await call('GET', `${path}?Sections=A&Sections=B`)).json, json);
  const Modifications = [
    { Section: 'A', Operation: 'ADD', Path: '/x', Value: null },
    { Section: 'A', Operation: 'REPLACE', Path: '/y', Value: { deep: [0] } },
    { Section: 'A', Operation: 'REMOVE', Path: '/z' },
  ];
  assert.deepEqual((await call('PATCH', path, { body: { Modifications } })).json, json);
  const file = Buffer.from('{"Document":{}}');
  const body = { ImportSource: { File: file.toString('base64') } };
  assert.deepEqual((await call('PUT', path, { body })).json, json);
  assert.deepEqual(asked, [
    ['get', 'Demo', undefined],
    ['get', 'Demo', ['A', 'B']],
    [
      'update',
      'Demo',
      [
        { section: 'A', operation: 'ADD', path: '/x', value: 'null' },
        { section: 'A', operation: 'REPLACE', path: '/y', value: '{"deep":[0]}' },
        { section: 'A', operation: 'REMOVE', path: '/z', value: undefined },
      ],
    ],
    ['import', 'Demo', file],
  ]);
});

test('keys such as __proto__ cross the API in both directions unchanged', async (t) => {
  const asked: [string, string, { value: string }[]][] = [];
  const text = '{"__proto__":{"polluted":true},"constructor":1}';
  const configuration = { ...TIMES, sections: describe({ A: JSON.parse(text) }) };
  const configurations: Services['configurations'] = recorder(asked, { update: configuration });
  const { call } = await openApi(t, { services: { configurations } });
  const body = `{"Modifications":[{"Section":"A","Operation":"ADD","Path":"/x","Value":${text}}]}`;
  const { json } = await call('PATCH', `${GAME}/configuration`, { body });
  assert.ok(JSON.stringify(json).includes(`"A":{"Attributes":${text},"Name":"A","Size":${text.length}}`));
  assert.equal(asked[0]?.[2][0]?.value, text);
});

test('the largest file fits, a longer body does not, and other operations keep the usual limit', async (t) => {
  const asked: unknown[] = [];
  const configurations: Services['configurations'] = recorder(asked, { import: { ...TIMES, sections: describe({}) } });
  const { call } = await openApi(t, { services: { configurations } });
  const importing = (bytes: number) =>
    call('PUT', `${GAME}/configuration`, {
      body: JSON.stringify({ ImportSource: { File: Buffer.alloc(bytes, 0xff).toString('base64') } }, undefined, 2),
    });
  assert.equal((await importing(1_024_000)).status, 200);
  const { status, message = '' } = await importing(1_024_001);
  assert.equal(status, 400);
  assert.match(message, /at 'importSource.file' .* length less than or equal to 1024000$/);
  assert.ok(message.length < 400);
  assert.equal((await importing(1_200_000)).status, 413);
  const updating = (bytes: number) => call('PATCH', `${GAME}/configuration`, { body: '{}'.padStart(bytes) });
  assert.deepEqual([(await updating(2_000_000)).status, (await updating(2_000_001)).status], [400, 413]);
  assert.equal((await call('POST', '/game', { body: ' '.repeat(70_000) })).status, 413);
  assert.equal(asked.length, 1);
});

test('snapshots are made, read, listed, described and exported', async (t) => {
  const asked: unknown[] = [];
  const changes: Change[] = [];
  const summary = { id: SNAPSHOT, gameId: 'g', description: 'First', ...TIMES };
  const snapshot = { ...summary, sections: describe(SECTIONS) };
  const url = '/download/token/Demo.json';
  const snapshots: Services['snapshots'] = recorder(
    asked,
    {
      create: snapshot,
      get: snapshot,
      list: { items: [summary], nextToken: 'next' },
      update: snapshot,
      exportUrl: url,
    },
    changes,
  );
  const { call } = await openApi(t, { services: { snapshots } });
  const Summary = { Id: SNAPSHOT, Description: 'First', Created: CREATED, LastUpdated: UPDATED };
  const json = { Snapshot: { ...Summary, Sections: WIRE_SECTIONS } };
  assert.deepEqual((await call('POST', `${GAME}/snapshot`, { body: { Description: 'First' } })).json, json);
  assert.deepEqual((await call('POST', `${GAME}/snapshot`)).json, json);
  assert.deepEqual((await call('GET', `${SNAPSHOT_PATH}?Sections=A`)).json, json);
  const listed = await call('GET', `${GAME}/snapshot?MaxResults=1&NextToken=t`);
  assert.deepEqual(listed.json, { Snapshots: [Summary], NextToken: 'next' });
  assert.deepEqual((await call('PATCH', SNAPSHOT_PATH, { body: { Description: '' } })).json, json);
  assert.deepEqual((await call('GET', `${SNAPSHOT_PATH}/export`)).json, { S3Url: `http://localhost:8080${url}` });
  assert.deepEqual(asked, [
    ['create', 'Demo', 'First'],
    ['create', 'Demo', undefined],
    ['get', 'Demo', SNAPSHOT, ['A']],
    ['list', 'Demo', { maxResults: 1, nextToken: 't' }],
    ['update', 'Demo', SNAPSHOT, { description: '' }],
    ['exportUrl', 'Demo', SNAPSHOT],
  ]);
  const arn = 'arn:aws:gamesparks:us-east-1:123456789012:game/Demo';
  assert.deepEqual(changes.map(({ operation, resource }) => `${operation} ${resource}`).sort(), [
    `CreateSnapshot ${arn}`,
    `CreateSnapshot ${arn}`,
    `ExportSnapshot ${arn}/snapshot/${SNAPSHOT}`,
    `UpdateSnapshot ${arn}/snapshot/${SNAPSHOT}`,
  ]);
});

test('a deployment is started in its caller’s name, and has a result once it has ended', async (t) => {
  const asked: unknown[] = [];
  const pending: Deployment = {
    ...{
      id: 'd1',
      stageId: 's',
      gameId: 'g',
      snapshotId: SNAPSHOT,
      action: 'DEPLOY',
      state: 'PENDING',
      claimedBy: undefined,
      claims: 0,
      result: undefined,
    },
    ...TIMES,
  };
  const failed: Deployment = {
    ...pending,
    state: 'FAILED',
    result: { code: 'UNSPECIFIED_FAILURE', message: 'two faults' },
  };
  const deployments: Services['deployments'] = recorder(asked, {
    start: pending,
    get: failed,
    list: { items: [failed, pending], nextToken: undefined },
  });
  const { call } = await openApi(t, { services: { deployments } });
  const Pending = {
    DeploymentId: 'd1',
    DeploymentAction: 'DEPLOY',
    DeploymentState: 'PENDING',
    SnapshotId: SNAPSHOT,
    LastUpdated: UPDATED,
  };
  const Failed = {
    ...Pending,
    DeploymentState: 'FAILED',
    DeploymentResult: { ResultCode: 'UNSPECIFIED_FAILURE', Message: 'two faults' },
  };
  const body = { SnapshotId: SNAPSHOT, ClientToken: TOKEN };
  const started = await call('POST', `${STAGE_PATH}/deployment`, { body });
  assert.deepEqual(started.json, { StageDeployment: { ...Pending, Created: CREATED } });
  const latest = await call('GET', `${STAGE_PATH}/deployment`);
  assert.deepEqual(latest.json, { StageDeployment: { ...Failed, Created: CREATED } });
  await call('GET', `${STAGE_PATH}/deployment?DeploymentId=d1`);
  const listed = await call('GET', `${STAGE_PATH}/deployments?MaxResults=2`);
  assert.deepEqual(listed.json, { StageDeployments: [Failed, Pending] });
  assert.deepEqual(asked, [
    ['start', { gameName: 'Demo', stageName: 'Dev', snapshotId: SNAPSHOT, clientToken: TOKEN }],
    ['get', 'Demo', 'Dev', undefined],
    ['get', 'Demo', 'Dev', 'd1'],
    ['list', 'Demo', 'Dev', { maxResults: 2, nextToken: undefined }],
  ]);
});

test('a generated code job has a URL and an expiration time once it is completed', async (t) => {
  const asked: unknown[] = [];
  const pending: GeneratedCodeJob = {
    ...{
      id: JOB,
      gameId: 'g',
      snapshotId: SNAPSHOT,
      state: 'PENDING',
      claimedBy: undefined,
      claims: 0,
      description: '',
      generator: '{}',
    },
    ...TIMES,
    download: undefined,
  };
  const url = '/download/token/Demo.zip';
  const completed: GeneratedCodeJob = {
    ...pending,
    state: 'COMPLETED',
    download: { url, expiresAt: TIMES.updatedAt },
  };
  const generatedCodeJobs: Services['generatedCodeJobs'] = recorder(asked, {
    start: JOB,
    get: completed,
    list: { items: [completed, pending], nextToken: 'next' },
  });
  const { call } = await openApi(t, { services: { generatedCodeJobs } });
  const path = `${SNAPSHOT_PATH}/generated-sdk-code-job`;
  const Generator = { TargetPlatform: 'Web', Language: 'TypeScript', GameSdkVersion: 'LATEST' };
  assert.deepEqual((await call('POST', path, { body: { Generator } })).json, { GeneratedCodeJobId: JOB });
  assert.deepEqual((await call('POST', path, { body: { Generator: {} } })).json, { GeneratedCodeJobId: JOB });
  const Pending = { GeneratedCodeJobId: JOB, Status: 'PENDING', Description: '' };
  const Completed = { ...Pending, Status: 'COMPLETED', S3Url: `http://localhost:8080${url}`, ExpirationTime: UPDATED };
  assert.deepEqual((await call('GET', `${path}/${JOB}`)).json, { GeneratedCodeJob: Completed });
  const listed = await call('GET', `${path}s`);
  assert.deepEqual(listed.json, { GeneratedCodeJobs: [Completed, Pending], NextToken: 'next' });
  assert.deepEqual(asked, [
    ['start', 'Demo', SNAPSHOT, { targetPlatform: 'Web', language: 'TypeScript', gameSdkVersion: 'LATEST' }],
    ['start', 'Demo', SNAPSHOT, { targetPlatform: undefined, language: undefined, gameSdkVersion: undefined }],
    ['get', 'Demo', SNAPSHOT, JOB],
    ['list', 'Demo', SNAPSHOT, { maxResults: undefined, nextToken: undefined }],
  ]);
});

test('extensions and their versions are found by namespace and name', async (t) => {
  const asked: unknown[] = [];
  const extension = { namespace: 'GameSparks', name: 'Core', description: 'Messages' };
  const version = { namespace: 'GameSparks', name: 'Core', version: '1.0.0', schema: '{}' };
  const extensions: Services['extensions'] = recorder(asked, {
    list: { items: [extension], nextToken: undefined },
    get: extension,
    versions: { items: [version], nextToken: undefined },
    version,
  });
  const { call } = await openApi(t, { services: { extensions } });
  const Extension = { Namespace: 'GameSparks', Name: 'Core', Description: 'Messages' };
  const ExtensionVersion = { Namespace: 'GameSparks', Name: 'Core', Version: '1.0.0', Schema: '{}' };
  const path = '/extension/GameSparks/Core';
  assert.deepEqual((await call('GET', '/extension')).json, { Extensions: [Extension] });
  assert.deepEqual((await call('GET', path)).json, { Extension });
  assert.deepEqual((await call('GET', `${path}/version`)).json, { ExtensionVersions: [ExtensionVersion] });
  assert.deepEqual((await call('GET', `${path}/version/1.0.0`)).json, { ExtensionVersion });
  const page = { maxResults: undefined, nextToken: undefined };
  assert.deepEqual(asked, [
    ['list', page],
    ['get', 'GameSparks', 'Core'],
    ['versions', 'GameSparks', 'Core', page],
    ['version', 'GameSparks', 'Core', '1.0.0'],
  ]);
});

test('an error that the operation models reaches the caller unchanged', async (t) => {
  const failing = (code: 'conflict' | 'quota_exceeded' | 'throttled' | 'not_found') =>
    recorder([], {
      ...{ create: new ServiceError(code, code), update: new ServiceError(code, code) },
      ...{ start: new ServiceError(code, code), version: new ServiceError(code, code) },
    });
  const { call } = await openApi(t, {
    services: {
      configurations: failing('quota_exceeded'),
      snapshots: failing('conflict'),
      deployments: failing('conflict'),
      generatedCodeJobs: failing('throttled'),
      extensions: failing('not_found'),
    },
  });
  const Modifications = [{ Section: 'A', Operation: 'REMOVE', Path: '/x' }];
  const calls: [string, string, object | undefined, string][] = [
    ['PATCH', `${GAME}/configuration`, { Modifications }, '402 ServiceQuotaExceededException'],
    ['POST', `${GAME}/snapshot`, {}, '409 ConflictException'],
    ['POST', `${STAGE_PATH}/deployment`, { SnapshotId: SNAPSHOT }, '409 ConflictException'],
    ['POST', `${SNAPSHOT_PATH}/generated-sdk-code-job`, { Generator: {} }, '429 ThrottlingException'],
    ['GET', '/extension/GameSparks/Core/version/2.0.0', undefined, '404 ResourceNotFoundException'],
    ['GET', '/extension/GameSparks/Core/version/', undefined, '404 ResourceNotFoundException'],
  ];
  for (const [method, path, body, expected] of calls) {
    const { status, error } = await call(method, path, { body });
    assert.equal(`${status} ${error}`, expected, `${method} ${path}`);
  }
});

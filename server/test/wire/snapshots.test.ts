import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import {
  AccessDeniedException,
  ConflictException,
  CreateGameCommand,
  CreateSnapshotCommand,
  DeleteGameCommand,
  ExportSnapshotCommand,
  GetGameConfigurationCommand,
  GetSnapshotCommand,
  ImportGameConfigurationCommand,
  ListGamesCommand,
  ListSnapshotsCommand,
  paginateListSnapshots,
  UpdateGameConfigurationCommand,
  UpdateSnapshotCommand,
  ValidationException,
} from '@aws-sdk/client-gamesparks';
import type { Clock } from '../../src/clock.ts';
import type { Sections } from '../../src/domain/configuration/document.ts';
import { administer, createKey } from '../support/administration.ts';
import { findAwsCli } from '../support/aws-cli.ts';
import { testEachClient } from '../support/aws-clients.ts';
import { attributesOf, fileOf, GAME_DOCUMENT, gameSections } from '../support/game-document.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { createSnapshot } from '../support/publishing.ts';
import { GAME, ROOT, startTestServer } from '../support/server.ts';

const ARN = `arn:aws:gamesparks:us-east-1:000000000000:game/${GAME}`;
const MAX_FILE_BYTES = 1_024_000;
const MANY = Array.from({ length: 1_000 }, (_, index) => index);
const ID = /^Snapshot_\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/;

const aws = await findAwsCli();

testEachClient(aws, 'a snapshot is made, read, listed, described, exported and imported again', async (t, client) => {
  const server = await startTestServer(t);
  const call = client.open(server);
  await call('ImportGameConfiguration', { GameName: GAME, ImportSource: { File: GAME_DOCUMENT } });
  const earliest = Date.now();
  const created = await call('CreateSnapshot', { GameName: GAME, Description: 'First 💥' });
  const { Id = '', Created, Sections, ...rest } = created.Snapshot ?? {};
  assert.match(Id, ID);
  assert(Created instanceof Date && Created.getTime() >= earliest && Created.getTime() <= Date.now());
  assert.equal(Id.slice('Snapshot_'.length, -4), Created.toISOString().slice(0, -1));
  assert.deepEqual(rest, { Description: 'First 💥', LastUpdated: Created });
  assert.deepEqual(attributesOf(Sections), gameSections());
  const named = { GameName: GAME, SnapshotId: Id };
  assert.deepEqual(await call('GetSnapshot', named), created);

  const updated = await call('UpdateSnapshot', { ...named, Description: 'Renamed' });
  const LastUpdated = updated.Snapshot?.LastUpdated;
  assert(LastUpdated instanceof Date && LastUpdated >= Created);
  assert.deepEqual(updated, { Snapshot: { ...created.Snapshot, Description: 'Renamed', LastUpdated } });
  const summary = { Id, Created, LastUpdated, Description: 'Renamed' };
  assert.deepEqual(await call('ListSnapshots', { GameName: GAME }), { Snapshots: [summary] });

  const { S3Url = '', ...others } = await call('ExportSnapshot', named);
  assert.deepEqual(others, {});
  const file = new Uint8Array(await (await fetch(S3Url)).arrayBuffer());
  await server.sdk().send(new CreateGameCommand({ GameName: 'Other' }));
  const imported = await call('ImportGameConfiguration', { GameName: 'Other', ImportSource: { File: file } });
  assert.deepEqual(imported.GameConfiguration?.Sections, Sections);
});

/** A server with one snapshot of the sections, and the operations of its game by the AWS SDK. */
async function start(
  t: TestContext,
  { sections = gameSections(), ...options }: { sections?: Sections; clock?: Clock } = {},
) {
  const server = await startTestServer(t, options);
  const sdk = server.sdk();
  const importFile = (File: Uint8Array, GameName = GAME) =>
    sdk.send(new ImportGameConfigurationCommand({ GameName, ImportSource: { File } }));
  const create = async (Description?: string) => {
    const { Snapshot } = await sdk.send(
      new CreateSnapshotCommand({ GameName: GAME, ...(Description && { Description }) }),
    );
    return { GameName: GAME, SnapshotId: Snapshot?.Id ?? '' };
  };
  await importFile(fileOf(sections));
  const snapshot = await create();
  const exportUrl = async () => (await sdk.send(new ExportSnapshotCommand(snapshot))).S3Url ?? '';
  const get = async (Sections?: string[]) =>
    (await sdk.send(new GetSnapshotCommand({ ...snapshot, ...(Sections && { Sections }) }))).Snapshot;
  return { ...server, client: sdk, importFile, create, snapshot, exportUrl, get };
}

test('[aws-sdk] its paginator gives every snapshot once, newest first, but none that is made meanwhile', async (t) => {
  const { client, create, snapshot } = await start(t);
  const made = [snapshot.SnapshotId];
  for (let count = 1; count < 5; count += 1) made.push((await create()).SnapshotId);
  const pages: string[][] = [];
  for await (const { Snapshots = [] } of paginateListSnapshots({ client, pageSize: 2 }, { GameName: GAME })) {
    pages.push(Snapshots.map(({ Id }) => String(Id)));
    await create('made meanwhile');
  }
  assert.deepEqual(
    pages.map(({ length }) => length),
    [2, 2, 1],
  );
  assert.deepEqual(pages.flat(), made.toReversed());
});

test('[aws-cli] follows the pages of the snapshots by itself', { skip: aws === undefined }, async (t) => {
  const { url, create, snapshot } = await start(t);
  const made = [snapshot.SnapshotId, (await create()).SnapshotId, (await create()).SnapshotId];
  const call = { endpoint: url, operation: 'ListSnapshots', input: { GameName: GAME }, credentials: ROOT };
  const ids = await aws?.({ ...call, flags: ['--page-size=2', '--query=Snapshots[].Id'] });
  assert.deepEqual(ids, made.toReversed());
});

test('[aws-sdk] a token is taken only for the list of the game that gave it', async (t) => {
  const { client, create } = await start(t);
  await create();
  await client.send(new CreateGameCommand({ GameName: 'Other' }));
  const list = (GameName: string, page: { NextToken?: string } = {}) =>
    client.send(new ListSnapshotsCommand({ GameName, MaxResults: 1, ...page }));
  const { NextToken = '' } = await list(GAME);
  const { NextToken: ofGames = '' } = await client.send(new ListGamesCommand({ MaxResults: 1 }));
  await assert.rejects(list('Other', { NextToken }), ValidationException);
  await assert.rejects(list(GAME, { NextToken: ofGames }), ValidationException);
  await assert.rejects(client.send(new ListGamesCommand({ NextToken })), ValidationException);
  const second = await list(GAME, { NextToken });
  assert.deepEqual([second.Snapshots?.length, second.NextToken], [1, undefined]);

  await client.send(new DeleteGameCommand({ GameName: GAME }));
  await client.send(new CreateGameCommand({ GameName: GAME }));
  await assert.rejects(list(GAME, { NextToken }), ValidationException, 'another game of the same name');
});

test('[aws-sdk] a snapshot stays as it was, whatever becomes of the configuration', async (t) => {
  const sections = JSON.parse('{"My.Section":{"__proto__":{"a":1},"b":"\\u0000"},"constructor":{}}');
  const { client, importFile, get, create } = await start(t, { sections });
  const before = await get();
  assert.equal(JSON.stringify(attributesOf(before?.Sections)), JSON.stringify(sections));
  const Modifications = [{ Section: 'My.Section', Operation: 'REMOVE', Path: '/__proto__' }] as const;
  await client.send(new UpdateGameConfigurationCommand({ GameName: GAME, Modifications: [...Modifications] }));
  await importFile(fileOf({ New: {} }));
  assert.deepEqual(await get(), before);
  const { Snapshot } = await client.send(new GetSnapshotCommand(await create()));
  assert.deepEqual(attributesOf(Snapshot?.Sections), { New: {} });
});

test('[aws-sdk] of the sections only those are given that are named and there', async (t) => {
  const { get } = await start(t, { sections: { A: { a: 1 }, 'B.C': {}, constructor: {} } });
  const named = async (...names: string[]) => Object.keys((await get(names))?.Sections ?? {}).sort();
  assert.deepEqual(await named('B.C', 'B.C', 'A', 'a', 'toString'), ['A', 'B.C']);
  assert.deepEqual(await named('constructor'), ['constructor']);
  assert.deepEqual(await named('Not.There'), []);
  await assert.rejects(get(Array.from({ length: 101 }, (_, index) => `N${index}`)), ValidationException);
});

test('[aws-sdk] an update without a description changes nothing', async (t) => {
  const { client, snapshot, get } = await start(t);
  const before = await get();
  assert.deepEqual((await client.send(new UpdateSnapshotCommand(snapshot))).Snapshot, before);
  const described = await client.send(new UpdateSnapshotCommand({ ...snapshot, Description: '💥'.repeat(250) }));
  assert.equal(described.Snapshot?.Description, '💥'.repeat(250));
  const emptied = await client.send(new UpdateSnapshotCommand({ ...snapshot, Description: '' }));
  assert.equal(emptied.Snapshot?.Description, '');
});

test('[aws-sdk] one snapshot more than maxSnapshots is a conflict that says so', async (t) => {
  const server = await startTestServer(t, { settings: { maxSnapshots: 1 } });
  const create = () => server.sdk().send(new CreateSnapshotCommand({ GameName: GAME }));
  await create();
  await assert.rejects(create(), (error) => {
    assert(error instanceof ConflictException);
    assert.match(
      error.message,
      /has 1 snapshots, as many as this server allows: delete some with DeleteSnapshot, or raise RESPARK_MAX_SNAPSHOTS/,
    );
    return true;
  });
});

test('[aws-sdk] whoever knows the URL of an export has the file, without a signature', async (t) => {
  const { exportUrl, snapshot, importFile, client, url } = await start(t);
  const exported = await exportUrl();
  assert.ok(exported.startsWith(`${url}/download/`) && exported.length <= 2_048, exported);
  const answer = await fetch(exported);
  const body = Buffer.from(await answer.arrayBuffer());
  assert.equal(answer.status, 200);
  const fileName = `${GAME}-${snapshot.SnapshotId.replaceAll(':', '-')}.json`;
  const expected = {
    'content-type': 'application/json',
    'content-length': `${body.length}`,
    'content-disposition': `attachment; filename="${fileName}"`,
    'cache-control': 'private, no-store',
    'x-content-type-options': 'nosniff',
  };
  const headersOf = (response: Response) =>
    Object.fromEntries(Object.keys(expected).map((name) => [name, response.headers.get(name)]));
  assert.deepEqual(headersOf(answer), expected);
  assert.deepEqual(JSON.parse(`${body}`), { Document: { Type: 'Game', Sections: gameSections() } });

  const head = await fetch(exported, { method: 'HEAD' });
  assert.deepEqual([head.status, headersOf(head), await head.text()], [200, expected, '']);
  const posted = await fetch(exported, { method: 'POST' });
  assert.deepEqual([posted.status, posted.headers.get('x-amzn-errortype')], [405, 'UnknownOperationException']);

  await client.send(new CreateGameCommand({ GameName: 'Other' }));
  await importFile(body, 'Other');
  const { GameConfiguration } = await client.send(new GetGameConfigurationCommand({ GameName: 'Other' }));
  const ofSnapshot = await client.send(new GetSnapshotCommand(snapshot));
  assert.deepEqual(GameConfiguration?.Sections, ofSnapshot.Snapshot?.Sections);
});

test('[aws-sdk] the largest configuration is exported as the largest file, and imports again', async (t) => {
  const filler = 'x'.repeat(MAX_FILE_BYTES - fileOf({ Big: { many: MANY, filler: '' } }).length);
  const sections = { Big: { many: MANY, filler } };
  const { exportUrl, importFile } = await start(t, { sections });
  const file = new Uint8Array(await (await fetch(await exportUrl())).arrayBuffer());
  assert.equal(file.length, MAX_FILE_BYTES, 'not indented: that would be too long');
  const { GameConfiguration } = await importFile(file);
  assert.deepEqual(attributesOf(GameConfiguration?.Sections), sections);
});

test('[aws-sdk] the URL of an export expires after ten minutes', async (t) => {
  const clock = new ManualClock(Date.now());
  const { exportUrl } = await start(t, { clock });
  const url = await exportUrl();
  clock.advance(599_999);
  assert.equal((await fetch(url)).status, 200);
  clock.advance(1);
  for (const method of ['GET', 'HEAD']) {
    const expired = await fetch(url, { method });
    assert.deepEqual([expired.status, expired.headers.get('cache-control')], [404, 'no-store']);
    const text = await expired.text();
    if (method === 'GET') assert.match(text, /expired: ExportSnapshot .* new one/);
  }
});

test('[aws-sdk] a URL of an export that was changed, or that another server has made, gives nothing', async (t) => {
  const [server, another] = [await start(t), await start(t)];
  const url = new URL(await server.exportUrl());
  const [, , token = '', fileName = ''] = url.pathname.split('/');
  const statusOf = async (path: string) => {
    const answer = await fetch(new URL(path, server.url));
    await answer.arrayBuffer();
    return answer.status;
  };
  const flipped = (at: number) => `${token.slice(0, at)}${token[at] === 'A' ? 'B' : 'A'}${token.slice(at + 1)}`;
  const forged = [
    new URL(await another.exportUrl()).pathname,
    ...[0, Math.floor(token.length / 2), token.length - 2].map((at) => `/download/${flipped(at)}/${fileName}`),
    `/download/${token}/index.html`,
    `/download/${token}`,
    `/download/${token}/`,
    `/download/${token}/${fileName}/`,
    `/download/${token.slice(0, -4)}/${fileName}`,
    `/download/${token}AAAA/${fileName}`,
    `/download//${fileName}`,
    `/download/${token.replace(/^./, '%41')}/${fileName}`,
    '/download/',
  ];
  for (const path of forged) assert.equal(await statusOf(path), 404, path);
  assert.equal(await statusOf(url.pathname), 200);
});

test('[aws-sdk] the URL of an export outlives the server’s process, but not the game', async (t) => {
  const { exportUrl, close, dataDir } = await start(t);
  const { pathname } = new URL(await exportUrl());
  await close();
  const again = await startTestServer(t, { dataDir });
  const statusOfFile = async () => (await fetch(new URL(pathname, again.url))).status;
  assert.equal(await statusOfFile(), 200);
  await again.sdk().send(new DeleteGameCommand({ GameName: GAME }));
  assert.equal(await statusOfFile(), 404);
});

test('[aws-sdk] who may read snapshots may not therefore export them', async (t) => {
  const server = await start(t);
  const allow = { Effect: 'Allow', Action: ['gamesparks:Get*', 'gamesparks:List*'], Resource: ARN };
  const credentials = await createKey(server, [allow]);
  const sdk = server.sdk({ credentials });
  await sdk.send(new GetSnapshotCommand(server.snapshot));
  await assert.rejects(sdk.send(new ExportSnapshotCommand(server.snapshot)), (error) => {
    assert(error instanceof AccessDeniedException);
    assert.match(error.message, /gamesparks:ExportSnapshot on resource: .*:game\/Demo because/);
    return true;
  });
});

test('[aws-sdk] the URL of an export dies with the access key that asked for it', async (t) => {
  const server = await startTestServer(t);
  const SnapshotId = await createSnapshot(server);
  const key = await createKey(server, [{ Effect: 'Allow', Action: 'gamesparks:ExportSnapshot', Resource: '*' }]);
  const exportBy = async (credentials: typeof key) => {
    const command = new ExportSnapshotCommand({ GameName: GAME, SnapshotId });
    return (await server.sdk({ credentials }).send(command)).S3Url ?? '';
  };
  const [url, other] = [await exportBy(key), await exportBy(ROOT)];
  assert.equal((await fetch(url)).status, 200);
  await administer(server, (access) => access.revokeKey(key.accessKeyId));
  const refused = await fetch(url);
  assert.equal(refused.status, 403);
  assert.match(await refused.text(), /^the access key that asked for this URL has been revoked or replaced: [^\n]+\n$/);
  assert.equal((await fetch(other)).status, 200);
});

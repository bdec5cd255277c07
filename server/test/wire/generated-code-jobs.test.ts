import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  CreateGameCommand,
  CreateSnapshotCommand,
  DeleteGameCommand,
  GetGeneratedCodeJobCommand,
  ListGeneratedCodeJobsCommand,
  paginateListGeneratedCodeJobs,
  ResourceNotFoundException,
  ThrottlingException,
  ValidationException,
} from '@aws-sdk/client-gamesparks';
import { strFromU8, unzipSync } from 'fflate';
import { readModel } from '../../src/domain/configuration/model.ts';
import { generateFiles } from '../../src/domain/generated-code/generate-code.ts';
import { chooseGenerator } from '../../src/domain/generated-code/generators.ts';
import { findAwsCli } from '../support/aws-cli.ts';
import { testEachClient } from '../support/aws-clients.ts';
import { fileOf, GAME_DOCUMENT, gameSections } from '../support/game-document.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { createSnapshot, endOfJob, largeDocument, startJob, whenEnded } from '../support/publishing.ts';
import { GAME, startTestServer } from '../support/server.ts';

const HOUR_MS = 3_600_000;

/** The files of a zip by their names, as whoever has the URL gets it. */
async function download(url: string): Promise<Record<string, string>> {
  const response = await fetch(url);
  assert.equal(response.status, 200);
  assert.equal(response.headers.get('content-type'), 'application/zip');
  const files = unzipSync(new Uint8Array(await response.arrayBuffer()));
  return Object.fromEntries(Object.entries(files).map(([name, bytes]) => [name, strFromU8(bytes)]));
}

/** What the zip for the game of `GAME_DOCUMENT` must hold. */
function expectedFiles(targetPlatform: string): Record<string, string> {
  const model = readModel(gameSections());
  const files = generateFiles({ gameName: GAME, model, generator: chooseGenerator({ targetPlatform }) });
  return Object.fromEntries(files.map(({ name, text }) => [name, text]));
}

async function statusOf(url: string | undefined): Promise<number> {
  return (await fetch(url ?? '')).status;
}

const aws = await findAwsCli();

testEachClient(aws, 'code is generated, its job read and listed, and its zip downloaded', async (t, client) => {
  const server = await startTestServer(t);
  const SnapshotId = await createSnapshot(server, GAME_DOCUMENT);
  const earlier = await startJob(server, SnapshotId);
  await endOfJob(server, SnapshotId, earlier);
  const call = client.open(server);
  const ofSnapshot = { GameName: GAME, SnapshotId };
  const Generator = { TargetPlatform: 'Web', Language: 'TypeScript', GameSdkVersion: 'LATEST' };
  const { GeneratedCodeJobId: JobId = '', ...rest } = await call('StartGeneratedCodeJob', {
    ...ofSnapshot,
    Generator,
  });
  assert.deepEqual(rest, {});
  assert.match(JobId, /^[a-f0-9]{8}(-[a-f0-9]{4}){3}-[a-f0-9]{12}$/);

  const earliest = Date.now();
  const { GeneratedCodeJob: job } = await whenEnded(
    () => call('GetGeneratedCodeJob', { ...ofSnapshot, JobId }),
    ({ GeneratedCodeJob }) => GeneratedCodeJob?.Status,
  );
  const { S3Url = '', ExpirationTime } = job ?? {};
  assert.deepEqual(job, { Description: '', ExpirationTime, GeneratedCodeJobId: JobId, S3Url, Status: 'COMPLETED' });
  assert(ExpirationTime instanceof Date);
  const lifetimeMs = ExpirationTime.getTime() - earliest;
  assert(lifetimeMs >= HOUR_MS && lifetimeMs <= HOUR_MS + Date.now() - earliest, ExpirationTime.toISOString());
  assert.match(S3Url, new RegExp(`^${server.url}/download/[\\w-]+/${GAME}-Web-TypeScript\\.zip$`));
  assert.deepEqual(await download(S3Url), expectedFiles('Web'));

  const { GeneratedCodeJobs: jobs = [], ...noToken } = await call('ListGeneratedCodeJobs', ofSnapshot);
  assert.deepEqual(noToken, {});
  assert.deepEqual(
    jobs.map(({ GeneratedCodeJobId, Status }) => [GeneratedCodeJobId, Status]),
    [
      [JobId, 'COMPLETED'],
      [earlier, 'COMPLETED'],
    ],
  );
  assert.deepEqual(await download(jobs[1]?.S3Url ?? ''), expectedFiles('Unity'));
});

test('[aws-sdk] a job that has not ended, or has failed, has no URL', async (t) => {
  const server = await startTestServer(t);
  const large = await createSnapshot(server, largeDocument(500));
  const JobId = await startJob(server, large);
  const command = new GetGeneratedCodeJobCommand({ GameName: GAME, SnapshotId: large, JobId });
  const { GeneratedCodeJob: underWay } = await server.sdk().send(command);
  assert.match(underWay?.Status ?? '', /^(PENDING|IN_PROGRESS)$/);
  assert.deepEqual(underWay, { Description: '', GeneratedCodeJobId: JobId, Status: underWay?.Status });
  assert.equal((await endOfJob(server, large, JobId)).Status, 'COMPLETED');

  const faulty = fileOf({
    'GameSparks.Core.Model': { First: { List: { Shape: 'Nowhere' } }, Second: { List: { Shape: 'Neither' } } },
  });
  const SnapshotId = await createSnapshot(server, faulty);
  const failing = await startJob(server, SnapshotId);
  const { Description = '', ...failed } = await endOfJob(server, SnapshotId, failing);
  assert.deepEqual(failed, { GeneratedCodeJobId: failing, Status: 'FAILED' });
  assert.match(Description, /^GameSparks\.Core\.Model at "\/First\/List\/Shape" .*"Nowhere"/);
  assert(!Description.includes('Neither') && Description.length <= 250, Description);
});

test('[aws-sdk] a generator may be named in any case, by its platform alone or not at all', async (t) => {
  const server = await startTestServer(t);
  const SnapshotId = await createSnapshot(server, GAME_DOCUMENT);
  const generators = [
    [{}, 'Unity'],
    [{ Language: 'csharp', GameSdkVersion: '1.0.0' }, 'Unity'],
    [{ TargetPlatform: 'uNITY' }, 'Unity'],
    [{ TargetPlatform: 'WEB' }, 'Web'],
    [{ TargetPlatform: 'web', Language: 'TYPESCRIPT', GameSdkVersion: 'LATEST' }, 'Web'],
  ] as const;
  for (const [generator, platform] of generators) {
    const { S3Url } = await endOfJob(server, SnapshotId, await startJob(server, SnapshotId, generator));
    assert.deepEqual(await download(S3Url ?? ''), expectedFiles(platform));
  }
});

test('[aws-sdk] what no code is generated for is refused with a list of what it is generated for', async (t) => {
  const server = await startTestServer(t);
  const SnapshotId = await createSnapshot(server, GAME_DOCUMENT);
  const refused = [
    { TargetPlatform: 'Unreal' },
    { TargetPlatform: 'Unity', Language: 'TypeScript' },
    { TargetPlatform: 'Web', Language: 'CSharp' },
    { Language: 'C_Plus_Plus' },
    { GameSdkVersion: '2.0.0' },
  ];
  for (const generator of refused) {
    await assert.rejects(startJob(server, SnapshotId, generator), (error) => {
      assert(error instanceof ValidationException);
      for (const word of [...Object.values(generator), 'Unity, CSharp, LATEST or 1.0.0', 'Web, TypeScript, LATEST']) {
        assert(error.message.includes(word), error.message);
      }
      return true;
    });
  }
  const { GeneratedCodeJobs } = await server
    .sdk()
    .send(new ListGeneratedCodeJobsCommand({ GameName: GAME, SnapshotId }));
  assert.deepEqual(GeneratedCodeJobs, []);
});

test('[aws-sdk] its paginator gives every job of one snapshot once, the newest first', async (t) => {
  const server = await startTestServer(t);
  const client = server.sdk();
  const SnapshotId = await createSnapshot(server);
  const other = await createSnapshot(server);
  const ids: string[] = [];
  for (let count = 0; count < 5; count += 1) ids.unshift(await startJob(server, SnapshotId));
  await startJob(server, other);

  const pages: (string | undefined)[][] = [];
  let token = '';
  const listing = paginateListGeneratedCodeJobs({ client, pageSize: 2 }, { GameName: GAME, SnapshotId });
  for await (const { GeneratedCodeJobs = [], NextToken } of listing) {
    pages.push(GeneratedCodeJobs.map(({ GeneratedCodeJobId }) => GeneratedCodeJobId));
    token = NextToken ?? token;
    if (pages.length === 1) await startJob(server, SnapshotId);
  }
  assert.deepEqual(pages, [ids.slice(0, 2), ids.slice(2, 4), ids.slice(4)]);
  const ofOther = { GameName: GAME, SnapshotId: other };
  const withForeignToken = client.send(new ListGeneratedCodeJobsCommand({ ...ofOther, NextToken: token }));
  await assert.rejects(withForeignToken, ValidationException);
  const jobOfAnother = client.send(new GetGeneratedCodeJobCommand({ ...ofOther, JobId: ids[0] }));
  await assert.rejects(jobOfAnother, ResourceNotFoundException);
});

test('[aws-sdk] a snapshot keeps maxGeneratedCodeJobs jobs, and forgets the oldest with their zips', async (t) => {
  const server = await startTestServer(t, { settings: { maxGeneratedCodeJobs: 2 } });
  const SnapshotId = await createSnapshot(server, GAME_DOCUMENT);
  const run = async () => await endOfJob(server, SnapshotId, await startJob(server, SnapshotId));
  const [first, second, third] = [await run(), await run(), await run()];
  const { GeneratedCodeJobs } = await server
    .sdk()
    .send(new ListGeneratedCodeJobsCommand({ GameName: GAME, SnapshotId }));
  assert.deepEqual(
    GeneratedCodeJobs?.map(({ GeneratedCodeJobId }) => GeneratedCodeJobId),
    [third.GeneratedCodeJobId, second.GeneratedCodeJobId],
  );
  const read = endOfJob(server, SnapshotId, first.GeneratedCodeJobId ?? '');
  await assert.rejects(read, ResourceNotFoundException);
  assert.deepEqual([await statusOf(first.S3Url), await statusOf(second.S3Url)], [404, 200]);
});

test('[aws-sdk] more jobs under way than are kept are throttled', async (t) => {
  const server = await startTestServer(t, { settings: { maxGeneratedCodeJobs: 1 } });
  const once = { sdk: () => server.sdk({ maxAttempts: 1 }) };
  const SnapshotId = await createSnapshot(server, largeDocument(500));
  const JobId = await startJob(once, SnapshotId);
  await assert.rejects(startJob(once, SnapshotId), (error) => {
    assert(error instanceof ThrottlingException);
    assert.match(error.message, /1 jobs are generating code for snapshot/);
    assert.match(error.$response?.headers['retry-after'] ?? '', /^\d+$/);
    return true;
  });
  assert.equal((await endOfJob(server, SnapshotId, JobId)).Status, 'COMPLETED');
  await startJob(once, SnapshotId);
});

test('[aws-sdk] a zip is had until its ExpirationTime, and no longer', async (t) => {
  const clock = new ManualClock(Date.now());
  const server = await startTestServer(t, { clock });
  const SnapshotId = await createSnapshot(server, GAME_DOCUMENT);
  const { S3Url, ExpirationTime } = await endOfJob(server, SnapshotId, await startJob(server, SnapshotId));
  clock.advance((ExpirationTime?.getTime() ?? 0) - clock.now() - 1);
  assert.equal(await statusOf(S3Url), 200);
  clock.advance(1);
  assert.equal(await statusOf(S3Url), 404);
});

test('[aws-sdk] a game that is deleted takes its zips along, and the next of its name has none', async (t) => {
  const server = await startTestServer(t);
  const client = server.sdk();
  const SnapshotId = await createSnapshot(server, GAME_DOCUMENT);
  const { S3Url } = await endOfJob(server, SnapshotId, await startJob(server, SnapshotId));
  // This one is cut short, whatever it has come to.
  await startJob(server, await createSnapshot(server, largeDocument(500)));
  await client.send(new DeleteGameCommand({ GameName: GAME }));
  assert.equal(await statusOf(S3Url), 404);
  await client.send(new CreateGameCommand({ GameName: GAME }));
  await client.send(new CreateSnapshotCommand({ GameName: GAME }));
  const jobs = client.send(new ListGeneratedCodeJobsCommand({ GameName: GAME, SnapshotId }));
  await assert.rejects(jobs, ResourceNotFoundException);
});

test('[aws-sdk] jobs that a stop has left are ended by the next start', async (t) => {
  const server = await startTestServer(t);
  const SnapshotId = await createSnapshot(server, largeDocument(500));
  const ids: string[] = [];
  for (let count = 0; count < 4; count += 1) ids.push(await startJob(server, SnapshotId));
  await server.close();
  const restarted = await startTestServer(t, { dataDir: server.dataDir });
  for (const id of ids) {
    const { S3Url = '' } = await endOfJob(restarted, SnapshotId, id);
    assert.deepEqual(Object.keys(await download(S3Url)).sort(), Object.keys(expectedFiles('Unity')).sort());
  }
});

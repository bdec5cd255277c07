import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FAREWELL, parseCloseReason } from '@respark/protocol';
import { systemClock } from '../../src/clock.ts';
import { policyOfRole } from '../../src/domain/access/roles.ts';
import { createKey, readAudit } from '../support/administration.ts';
import { whenEnded } from '../support/publishing.ts';
import { rawCall } from '../support/raw-call.ts';
import { GAME, ROOT, STAGE, startTestServer, type TestServer } from '../support/server.ts';

const IN_STAGE = `/respark/game/${GAME}/stage/${STAGE}`;
const JOBS = `${IN_STAGE}/disconnect-job`;

interface Job {
  readonly JobId: string;
  readonly State: string;
  readonly [member: string]: unknown;
}

async function playerNamed(server: TestServer, playerId: string) {
  const { json } = await rawCall(server, 'POST', `${IN_STAGE}/player/${playerId}/token`);
  return await server.connect({ token: String(json.AuthenticationToken) });
}

async function start(server: TestServer, body: object, credentials = ROOT): Promise<Job> {
  const { status, json, message } = await rawCall(server, 'POST', JOBS, { body, credentials });
  assert.equal(status, 200, message);
  return json.Job as Job;
}

async function show(server: TestServer, { JobId }: Job): Promise<Job> {
  return (await rawCall(server, 'GET', `${JOBS}/${JobId}`)).json.Job as Job;
}

const ENDED = new Set(['COMPLETED', 'FAILED', 'CANCELLED']);

const endOf = async (server: TestServer, job: Job) =>
  await whenEnded(
    () => show(server, job),
    ({ State }) => (ENDED.has(State) ? 'COMPLETED' : 'IN_PROGRESS'),
  );

async function decide(server: TestServer, { JobId }: Job, verb: string, credentials = ROOT) {
  return await rawCall(server, 'POST', `${JOBS}/${JobId}/${verb}`, { credentials });
}

async function operatorKey(server: TestServer) {
  const { Statement } = policyOfRole('operator', { game: GAME, stage: STAGE }) as { Statement: object[] };
  return await createKey(server, Statement);
}

test('a job ends the connections that it means, tells their players, and leaves the others alone', async (t) => {
  const server = await startTestServer(t);
  const [anna, anton, ben] = await Promise.all(['anna', 'anton', 'ben'].map((id) => playerNamed(server, id)));
  assert.ok(anna !== undefined && anton !== undefined && ben !== undefined);
  const body = { Selector: { PlayerIdPrefix: 'an' }, Reason: 'UPDATE', Message: 'See you soon', Evidence: 'ticket 7' };
  const dry = await rawCall(server, 'POST', JOBS, { body: { ...body, DryRun: true } });
  assert.deepEqual([dry.json.Connections, dry.json.Players, dry.json.Job], [2, 2, undefined]);
  assert.deepEqual((await rawCall(server, 'GET', JOBS)).json, { Jobs: [] });

  const begun = await start(server, body);
  const ended = await endOf(server, begun);
  const { Created, Started, Updated, JobId, StartRequestId, ...rest } = ended;
  assert.deepEqual(rest, {
    ...{ State: 'COMPLETED', Connections: 2, Players: 2, Closed: 2, GoneAlready: 0, InFlight: 0, Unproven: 0 },
    ...{ ConfirmAbove: 1_000, RatePerSecond: 500, Failures: [], SilentNodes: [] },
    ...{ Selector: { PlayerIdPrefix: 'an' }, Reason: 'UPDATE', Message: 'See you soon', StartedBy: ROOT.accessKeyId },
  });
  for (const player of [anna, anton]) {
    const { code, reason } = await player.closed;
    assert.deepEqual([code, parseCloseReason(reason).requestId], [4500, StartRequestId]);
    const payload = { reason: 'UPDATE', message: 'See you soon', requestId: StartRequestId };
    assert.deepEqual(player.frames.at(-1), { kind: 'notification', type: FAREWELL, payload });
  }
  ben.ws.send(JSON.stringify({ kind: 'heartbeat' }));
  await ben.next(({ kind }) => kind === 'heartbeat');
  const { Message: _, ...listed } = ended;
  assert.deepEqual((await rawCall(server, 'GET', JOBS)).json, { Jobs: [listed] });

  const records = await readAudit(server);
  assert.deepEqual(
    records.filter(({ operation }) => operation === 'StartDisconnectJob').map(({ details }) => details),
    [
      { playerIdPrefix: 'an', reason: 'UPDATE', told: 'See you soon', evidence: 'ticket 7', dryRun: 'true' },
      { playerIdPrefix: 'an', reason: 'UPDATE', told: 'See you soon', evidence: 'ticket 7' },
    ],
  );
  const [end] = await readAudit(server, { cause: 'server', operation: 'DisconnectJob' });
  assert.deepEqual([end?.requestId, end?.operation, end?.actor], [JobId, 'DisconnectJob', 'disconnect job']);
  assert.deepEqual(end?.details, {
    ...{ state: 'COMPLETED', closed: '2', gone: '0', unproven: '0', silentNodes: '0', startedBy: StartRequestId },
  });
});

test('players who are asked to come back do so after a random time, and are not sent away again', async (t) => {
  const server = await startTestServer(t);
  const players = await Promise.all([1, 2, 3, 4].map(() => server.connect()));
  const tokens = await Promise.all(players.map((player) => player.token()));
  const job = await start(server, { Selector: { Everybody: true }, ReturnWithinSeconds: 600, RatePerSecond: 4 });
  const hints: number[] = [];
  for (const { closed } of players) {
    const { code, reason } = await closed;
    const { retryAfterMs = 0, requestId } = parseCloseReason(reason);
    assert.deepEqual([code, requestId], [4000, job.StartRequestId]);
    hints.push(retryAfterMs);
    // Whoever is back while the job is at work has connected after it began.
    await server.connect({ token: tokens[hints.length - 1] ?? '' });
  }
  assert.ok(hints.every((hint) => hint <= 600_000) && new Set(hints).size > 1, String(hints));
  const { State, Closed } = await endOf(server, job);
  assert.deepEqual([State, Closed], ['COMPLETED', 4]);
  assert.equal((await rawCall(server, 'GET', `${IN_STAGE}/connection-count`)).json.Connections, 4);
});

test('a job means those who are there when it begins, also when the clock was ahead and is set back', async (t) => {
  let aheadMs = 240_000;
  const server = await startTestServer(t, { clock: { ...systemClock, now: () => Date.now() + aheadMs } });
  const players = await Promise.all([1, 2, 3].map(() => server.connect()));
  aheadMs = 0;
  const { State, Closed } = await endOf(server, await start(server, { Selector: { Everybody: true } }));
  assert.deepEqual([State, Closed], ['COMPLETED', 3]);
  for (const { closed } of players) assert.equal((await closed).code, 4500);
});

test('a job leaves those alone who have connected after the time that it names', async (t) => {
  const server = await startTestServer(t);
  const [first, last] = [await playerNamed(server, 'first'), await playerNamed(server, 'last')];
  const { json } = await rawCall(server, 'GET', `${IN_STAGE}/connection?PlayerIdPrefix=last`);
  const [{ Created }] = json.Connections as unknown as [{ Created: string }];
  const { State, Closed } = await endOf(server, await start(server, { Selector: { ConnectedBefore: Created } }));
  assert.deepEqual([State, Closed], ['COMPLETED', 1]);
  assert.equal((await first.closed).code, 4500);
  assert.equal(last.ws.readyState, last.ws.OPEN);
});

test('nobody is sent away twice by a job that began when the clock was ahead', async (t) => {
  let aheadMs = 240_000;
  const server = await startTestServer(t, { clock: { ...systemClock, now: () => Date.now() + aheadMs } });
  const players = await Promise.all([1, 2, 3, 4].map(() => server.connect()));
  const tokens = await Promise.all(players.map((player) => player.token()));
  const job = await start(server, { Selector: { Everybody: true }, RatePerSecond: 4 });
  aheadMs = 0;
  for (const [index, { closed }] of players.entries()) {
    await closed;
    await server.connect({ token: tokens[index] ?? '' });
  }
  const { State, Closed } = await endOf(server, job);
  assert.deepEqual([State, Closed], ['COMPLETED', 4]);
  assert.equal((await rawCall(server, 'GET', `${IN_STAGE}/connection-count`)).json.Connections, 4);
});

test('a job that means more than one key may end waits for another key', async (t) => {
  const server = await startTestServer(t, { settings: { jobConfirmAbove: 2 } });
  const players = await Promise.all([1, 2, 3].map(() => server.connect()));
  const job = await start(server, { Selector: { Everybody: true }, ConfirmAbove: 1_000 });
  assert.deepEqual([job.State, job.Connections, job.ConfirmAbove], ['AWAITING_CONFIRMATION', 3, 2]);
  const own = await decide(server, job, 'confirm');
  assert.deepEqual([own.error, own.status], ['AccessDeniedException', 403]);
  assert.match(own.message ?? '', /another access key/);
  assert.equal((await decide(server, job, 'pause')).error, 'ConflictException');
  const other = await operatorKey(server);
  assert.equal((await decide(server, job, 'confirm', other)).status, 200);
  const ended = await endOf(server, job);
  assert.deepEqual([ended.State, ended.Closed, ended.ConfirmedBy], ['COMPLETED', 3, other.accessKeyId]);
  await Promise.all(players.map(({ closed }) => closed));
  assert.equal((await decide(server, job, 'confirm', other)).error, 'ConflictException');
  assert.equal((await decide(server, job, 'cancel')).error, 'ConflictException');
});

test('whoever is to confirm a job sees all that its players are told', async (t) => {
  const server = await startTestServer(t, { settings: { jobConfirmAbove: 0 } });
  const player = await server.connect();
  const texts = { Message: 'Visit evil.example', Messages: { de: 'Besuche evil.example' } };
  const job = await start(server, { Selector: { Everybody: true }, Reason: 'UPDATE', ...texts });
  const credentials = await operatorKey(server);
  const { Job } = (await rawCall(server, 'GET', `${JOBS}/${job.JobId}`, { credentials })).json as { Job: Job };
  assert.deepEqual([Job.State, { Message: Job.Message, Messages: Job.Messages }], ['AWAITING_CONFIRMATION', texts]);
  await decide(server, job, 'cancel');
  assert.equal((await endOf(server, job)).State, 'CANCELLED');
  assert.equal(player.ws.readyState, player.ws.OPEN);
});

test('a job is paused, goes on and is cancelled, and what it has closed stays closed', async (t) => {
  const server = await startTestServer(t);
  const players = await Promise.all(Array.from({ length: 6 }, () => server.connect()));
  const job = await start(server, { Selector: { Everybody: true }, RatePerSecond: 2 });
  await Promise.race(players.map(({ closed }) => closed));
  await decide(server, job, 'pause');
  const untilIn = async (state: string) =>
    await whenEnded(
      () => show(server, job),
      ({ State }) => (State === state ? 'COMPLETED' : 'IN_PROGRESS'),
    );
  const paused = await untilIn('PAUSED');
  assert.equal(paused.InFlight, 0);
  const count = async () => Number((await rawCall(server, 'GET', `${IN_STAGE}/connection-count`)).json.Connections);
  assert.equal((await count()) + Number(paused.Closed), 6);
  assert.equal((await decide(server, job, 'pause')).status, 200);
  assert.equal((await decide(server, job, 'resume')).status, 200);
  await whenEnded(
    () => show(server, job),
    ({ Closed }) => (Number(Closed) > Number(paused.Closed) ? 'COMPLETED' : 'IN_PROGRESS'),
  );
  assert.equal((await decide(server, job, 'cancel')).status, 200);
  const cancelled = await untilIn('CANCELLED');
  assert.equal((await count()) + Number(cancelled.Closed), 6);
  assert.equal((await decide(server, job, 'resume')).error, 'ConflictException');
});

test('a job that is at work goes on after a restart, and does not mean those who come back', async (t) => {
  const server = await startTestServer(t);
  const players = await Promise.all(Array.from({ length: 5 }, () => server.connect()));
  const job = await start(server, { Selector: { Everybody: true }, RatePerSecond: 1 });
  await Promise.race(players.map(({ closed }) => closed));
  await server.close();
  const again = await startTestServer(t, { dataDir: server.dataDir });
  await again.connect();
  const { State, Closed, GoneAlready } = await endOf(again, job);
  assert.equal(State, 'COMPLETED');
  assert.ok(Number(Closed) + Number(GoneAlready) >= 1);
  assert.equal((await rawCall(again, 'GET', `${IN_STAGE}/connection-count`)).json.Connections, 1);
});

test('a selection that says nothing, or too much, starts nothing', async (t) => {
  const server = await startTestServer(t);
  const many = Array.from({ length: 10_001 }, (_, number) => `p-${number}`);
  for (const [Selector, message] of [
    [{}, /Selector must say which connections are meant/],
    [{ Everybody: false }, /Selector must say/],
    [{ Everybody: true, PlayerIdPrefix: 'a' }, /"Everybody" goes with no other member/],
    [{ PlayerIdsPrefix: 'a' }, /'selector.PlayerIdsPrefix' failed to satisfy constraint: Member is not known/],
    [{ Everybody: true, Runtime: 'OLDER' }, /'selector.Runtime' failed/],
    [{ RuntimeId: 'OLDER', BeforeRuntimeId: 'empty' }, /not both/],
    [{ PlayerIds: [] }, /'selector.playerIds'/],
    [{ PlayerIds: many }, /'selector.playerIds'/],
    [{ Address: '10.0.0.0/99' }, /"Address" must be an IP address or a CIDR range/],
  ] as const) {
    const answer = await rawCall(server, 'POST', JOBS, { body: { Selector } });
    assert.deepEqual([answer.status, answer.error], [400, 'ValidationException']);
    assert.match(answer.message ?? '', message);
  }
  const misspelled = { Selector: { Everybody: true }, DryRn: true };
  assert.match((await rawCall(server, 'POST', JOBS, { body: misspelled })).message ?? '', /'DryRn'/);
  const most = await rawCall(server, 'POST', JOBS, { body: { Selector: { PlayerIds: many.slice(1) }, DryRun: true } });
  assert.deepEqual([most.status, most.json.Connections], [200, 0]);
  const gone = await rawCall(server, 'GET', `${JOBS}/0196-0`);
  assert.deepEqual([gone.status, gone.error], [404, 'ResourceNotFoundException']);
  assert.deepEqual((await rawCall(server, 'GET', JOBS)).json, { Jobs: [] });
});

test('slow jobs of one stage do not hold up those of another', async (t) => {
  const server = await startTestServer(t);
  await Promise.all(Array.from({ length: 24 }, () => server.connect()));
  const slow = { Selector: { Everybody: true }, RatePerSecond: 1 };
  const jobs = await Promise.all([1, 2, 3, 4, 5].map(() => start(server, slow)));
  const body = { StageName: 'Other', Role: 'arn:aws:iam::123456789012:role/Stage' };
  assert.equal((await rawCall(server, 'POST', `/game/${GAME}/stage`, { body })).status, 200);
  const other = await rawCall(server, 'GET', `/game/${GAME}/stage/Other`);
  const { closed } = await server.connect({ gameKey: String((other.json.Stage as { GameKey: string }).GameKey) });
  const path = `/respark/game/${GAME}/stage/Other/disconnect-job`;
  assert.equal((await rawCall(server, 'POST', path, { body: { Selector: { Everybody: true } } })).status, 200);
  assert.equal((await closed).code, 4500);
  const shown = await Promise.all(jobs.map((job) => show(server, job)));
  const ended = shown.reduce((sum, { Closed }) => sum + Number(Closed), 0);
  assert.ok(ended < 20, `it waited until the slow ones had ended ${ended} connections`);
  for (const job of jobs) await decide(server, job, 'cancel');
});

test('a stage has five open jobs at most, and a moderator none', async (t) => {
  const server = await startTestServer(t);
  await server.connect();
  const waiting = { Selector: { Everybody: true }, ConfirmAbove: 0 };
  const [first] = await Promise.all([1, 2, 3, 4, 5].map(() => start(server, waiting)));
  const more = await rawCall(server, 'POST', JOBS, { body: waiting });
  assert.deepEqual([more.status, more.error], [402, 'ServiceQuotaExceededException']);
  assert.ok(first !== undefined);
  await decide(server, first, 'cancel');
  assert.equal((await endOf(server, first)).State, 'CANCELLED');
  assert.equal((await start(server, waiting)).State, 'AWAITING_CONFIRMATION');
  const { Statement } = policyOfRole('moderator', { game: GAME, stage: STAGE }) as { Statement: object[] };
  const credentials = await createKey(server, Statement);
  const refused = await rawCall(server, 'POST', JOBS, { body: waiting, credentials });
  assert.equal(refused.error, 'AccessDeniedException');
  assert.equal((await rawCall(server, 'GET', JOBS, { credentials })).status, 200);
});

test('whoever may not see addresses may not mean them either, not even to count', async (t) => {
  const server = await startTestServer(t);
  await playerNamed(server, 'anna');
  const credentials = await createKey(server, [
    { Effect: 'Allow', Action: 'respark:StartDisconnectJob', Resource: '*' },
  ]);
  const dryRun = async (Selector: object) => {
    const body = { Selector, DryRun: true };
    const { status, message } = await rawCall(server, 'POST', JOBS, { body, credentials });
    return `${status} ${message}`;
  };
  assert.match(await dryRun({ PlayerIdPrefix: 'an' }), /^200 /);
  assert.match(await dryRun({ PlayerIdPrefix: 'an', Address: '127.0.0.0/8' }), /^403 .*respark:ListConnections/);
});

test('whoever may not see addresses does not see those that a job means', async (t) => {
  const server = await startTestServer(t);
  await playerNamed(server, 'anna');
  const Address = '127.0.0.0/8';
  const { JobId, Selector } = await start(server, { Selector: { Address, PlayerIdPrefix: 'an' }, ConfirmAbove: 0 });
  assert.deepEqual(Selector, { Address, PlayerIdPrefix: 'an' });
  for (const role of ['viewer', 'moderator'] as const) {
    const { Statement } = policyOfRole(role, { game: GAME, stage: STAGE }) as { Statement: object[] };
    const credentials = await createKey(server, Statement);
    const got = await rawCall(server, 'GET', `${JOBS}/${JobId}`, { credentials });
    const listed = await rawCall(server, 'GET', JOBS, { credentials });
    const seen = [got.json.Job, ...(listed.json.Jobs as Job[])].map((job) => Object(job).Selector.Address);
    assert.deepEqual(seen, role === 'viewer' ? [undefined, undefined] : [Address, Address], role);
  }
});

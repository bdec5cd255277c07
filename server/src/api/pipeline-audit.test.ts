import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ADDRESS, type Answer, openApi } from '../../test/support/api.ts';
import { CHANGE, ROLE } from '../../test/support/domain.ts';
import { ServiceError } from '../errors.ts';
import { findRecords } from '../store/audit/audit-log.contract.ts';
import { COMMON_ERRORS, type Operation, operation } from './operation.ts';
import { label, string, structure } from './shape.ts';

const nextTurn = () => new Promise<void>((resolve) => setImmediate(resolve));

const outcome = ({ status, error }: Answer) => `${status} ${error}`;

const allow = (Action: string) => ({
  Version: '2012-10-17',
  Statement: [{ Effect: 'Allow', Action, Resource: '*' }],
});

const GAME_ARN = 'arn:aws:gamesparks:us-east-1:123456789012:game/Demo';
const DISCONNECT = '/runtime/game/Demo/stage/Dev/player/p1/disconnect';

/** A change of one game. */
const changing = (handler: Operation['handler']) =>
  operation({
    name: 'UpdateGame',
    http: { method: 'POST', path: '/change/{GameName}' },
    isIdempotent: false,
    throttleClass: 'write',
    input: structure({ GameName: label(string()) }, ['GameName']),
    output: structure({}),
    errors: [...COMMON_ERRORS, 'conflict'],
    resource: ({ GameName }, arns) => [arns.game(GameName)],
    handler: async (call) => (await handler(call)) as object,
  });

test('a change is on record before its rule runs, and its outcome before the caller gets an answer', async (t) => {
  const seen: unknown[] = [];
  const { call, auditLog, audit } = await openApi(t, {
    operations: [
      changing(({ change }) =>
        audit.around(change, async () => {
          const [record, ...others] = await findRecords(auditLog);
          seen.push(change.requestId === record?.requestId, record?.outcome, others);
          throw new ServiceError('conflict', 'taken');
        }),
      ),
    ],
  });
  const { headers } = await call('POST', '/change/Demo');
  assert.deepEqual(seen, [true, undefined, []]);
  const [record] = await findRecords(auditLog);
  const { at: _, outcome: { durationMs: __, ...result } = {}, ...intent } = record ?? {};
  assert.deepEqual(intent, {
    requestId: headers['x-amzn-requestid'],
    cause: 'operator',
    actor: 'root',
    sourceAddress: ADDRESS,
    operation: 'UpdateGame',
    resource: GAME_ARN,
    playerId: undefined,
  });
  assert.deepEqual(result, { error: 'conflict' });
});

test('a change that cannot be put on record is not made', async (t) => {
  let made = 0;
  const { call, auditLog, audit } = await openApi(t, {
    operations: [changing(({ change }) => audit.around(change, async () => ({ made: ++made })))],
  });
  await auditLog.close();
  const answer = await call('POST', '/change/Demo');
  assert.deepEqual([outcome(answer), made], ['500 InternalServerException', 0]);
  assert.equal(answer.message, 'The audit log is not available, so nothing was done. Try again.');
});

test('a change whose outcome cannot be put on record is answered with what was done', async (t) => {
  const { call, auditLog, audit, connected, clock, games, stages } = await openApi(t);
  await games.create({ name: 'Demo' }, CHANGE);
  await stages.create({ gameName: 'Demo', name: 'Dev', role: ROLE }, { ...CHANGE, requestId: 'another' });
  connected.push({ connectionId: 'c1', node: 'n', createdAt: 0, runtimeId: 'empty' });
  const { finish } = auditLog;
  auditLog.finish = () => Promise.reject(new Error('disk'));
  auditLog.probe = () => Promise.reject(new Error('disk'));
  const answer = await call('POST', DISCONNECT);
  assert.deepEqual(answer.json, { DisconnectSuccesses: ['c1'], DisconnectFailures: [] });
  assert.equal(await audit.isHealthy(), false);
  auditLog.finish = finish;
  clock.advance(1);
  assert.equal((await call('POST', DISCONNECT)).status, 200);
  assert.equal(await audit.isHealthy(), true);
  const outcomes = (await findRecords(auditLog, { operation: 'DisconnectPlayer' })).map(
    ({ outcome: result }) => result?.successes,
  );
  assert.deepEqual(outcomes, [undefined, []]);
});

test('reads, and refused calls that some policy allows or that are not signed rightly, leave no record', async (t) => {
  const { call, addKey, auditLog } = await openApi(t, { settings: { writeCallsBurst: 3, writeCallsPerSecond: 1 } });
  addKey('reader', allow('gamesparks:Get*'));
  const body = { GameName: 'Demo' };
  const refused = [
    await call('GET', '/game'),
    await call('GET', '/game/Demo'),
    await call('POST', '/game', { body, secretAccessKey: 'guess' }),
    await call('POST', '/game', { body: {} }),
    await call('POST', '/game', { body, accessKeyId: 'reader' }),
    await call('POST', '/game', { body: '{' }),
    await call('POST', '/game', { body: {} }),
    await call('POST', '/game', { body }),
  ];
  assert.deepEqual(
    refused.map(({ status }) => status),
    [200, 404, 403, 400, 403, 400, 400, 429],
  );
  const [denied, ...others] = await findRecords(auditLog);
  assert.deepEqual(others, []);
  assert.deepEqual([denied?.actor, denied?.outcome?.error], ['reader', 'access_denied']);
});

test('a call that no policy allows is on record before it is answered, even if it only reads', async (t) => {
  const { call, addKey, auditLog } = await openApi(t);
  addKey('nothing', allow('respark:GetServerInfo'));
  const { headers, status } = await call('GET', '/game/Demo', { accessKeyId: 'nothing' });
  assert.equal(status, 403);
  const [record] = await findRecords(auditLog);
  const { at: _, ...rest } = record ?? {};
  assert.deepEqual(rest, {
    requestId: headers['x-amzn-requestid'],
    cause: 'operator',
    actor: 'nothing',
    sourceAddress: ADDRESS,
    operation: 'GetGame',
    resource: GAME_ARN,
    playerId: undefined,
    details: { action: 'gamesparks:GetGame', count: '1' },
    outcome: { error: 'access_denied', durationMs: 0 },
  });
});

test('a denied call is answered as such when its record cannot be written', async (t) => {
  const { call, addKey, auditLog } = await openApi(t);
  addKey('nothing', allow('respark:GetServerInfo'));
  await auditLog.close();
  assert.equal(outcome(await call('GET', '/game/Demo', { accessKeyId: 'nothing' })), '403 AccessDeniedException');
});

test('a caller cannot fill the audit log by being refused', async (t) => {
  const { call, addKey, auditLog, clock } = await openApi(t);
  addKey('nothing', allow('respark:GetServerInfo'));
  for (let game = 0; game < 500; game += 1) await call('GET', `/game/Demo${game}`, { accessKeyId: 'nothing' });
  assert.equal((await findRecords(auditLog)).length, 11, 'ten games, and what the others have in common');
  clock.advance(60_000);
  await nextTurn();
  const all = await findRecords(auditLog);
  const counts = all.map(({ details }) => Number(details?.count));
  assert.equal(all.length, 12);
  assert.equal(
    counts.reduce((sum, count) => sum + count),
    500,
  );
  const last = all.find(({ details }) => details?.resources === 'several');
  assert.deepEqual([last?.resource, last?.details?.count], [`${GAME_ARN}499`, '489']);
});

test('refused signatures are in the log with the key, the address and the cause, the same ones once a minute', async (t) => {
  const { call, lines, clock } = await openApi(t);
  const refused = () => lines.filter(({ msg }) => msg === 'call refused: not authenticated');
  const secret = 'wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEY12';
  await call('GET', '/game', { accessKeyId: 'AKIANOBODY' });
  await call('GET', '/game', { secretAccessKey: 'guess' });
  await call('GET', '/game', { secretAccessKey: 'guess' });
  await call('GET', '/game', { signedAtMs: 0 });
  await call('GET', '/game', { headers: { authorization: undefined } });
  await call('GET', '/game', { accessKeyId: secret });
  assert.deepEqual(
    refused().map(({ level, accessKeyId, sourceAddress, cause, count }) => [
      level,
      accessKeyId,
      sourceAddress,
      cause,
      count,
    ]),
    [
      [30, 'AKIANOBODY', ADDRESS, 'UnrecognizedClientException', 1],
      [30, 'root', ADDRESS, 'InvalidSignatureException', 1],
      [30, 'root', ADDRESS, 'InvalidSignatureException', 1],
      [30, undefined, ADDRESS, 'MissingAuthenticationTokenException', 1],
      [30, 'wJal…', ADDRESS, 'UnrecognizedClientException', 1],
    ],
  );
  assert.ok(!JSON.stringify(lines).includes(secret), 'what may be a secret is not logged');
  clock.advance(60_000);
  await nextTurn();
  assert.equal(refused().length, 6);
  assert.equal(refused().at(-1)?.count, 1, 'the one that was only counted');
  clock.advance(600_000);
  await nextTurn();
  assert.equal(refused().length, 6);
});

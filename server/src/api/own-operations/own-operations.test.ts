import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openApi } from '../../../test/support/api.ts';
import { CHANGE, ROLE } from '../../../test/support/domain.ts';
import { assertConstraintsAreKept, requestOf } from '../../../test/support/violations.ts';
import { LOCAL_OPERATIONS } from '../../domain/local-changes.ts';
import { FEATURES } from '../../domain/server-info.ts';
import { ACTIONS, EVERY_OPERATION } from '../every-operation.ts';
import { readInput } from '../input.ts';
import { type Operation, wholeInput } from '../operation.ts';
import { OPERATIONS } from '../operations/index.ts';
import { disconnectPlayer } from '../operations/players.ts';
import { parse } from '../validation.ts';
import { startDisconnectJob } from './disconnect-jobs.ts';
import { OWN_OPERATIONS } from './index.ts';
import { sendNotificationToStage } from './notifications.ts';
import { wordingMembers } from './wording.ts';

const AUDIT = '/respark/audit-record';

type Listed = { readonly [member: string]: unknown };

test('this server’s own operations have their own paths, names and actions', () => {
  const names = OPERATIONS.map(({ name }) => name);
  for (const { name, http, action } of OWN_OPERATIONS) {
    assert.match(http.path, /^\/respark\//, name);
    assert.equal(action, `respark:${name}`);
    assert.ok(!names.includes(name), name);
    assert.ok(ACTIONS.includes(action), name);
  }
  for (const { name, action, http } of OPERATIONS) {
    assert.equal(action, `gamesparks:${name}`);
    assert.doesNotMatch(http.path, /^\/respark/);
  }
});

test('every constraint of every member is a 400 that names the member, and every decision is a sentence', async (t) => {
  const { call } = await openApi(t);
  await assertConstraintsAreKept(OWN_OPERATIONS, call);
  for (const { name, decisions = [] } of OWN_OPERATIONS) {
    assert.ok(decisions.length > 0, name);
    for (const decision of decisions) assert.match(decision, /^[A-Z`].*\.$/, name);
  }
});

test('what players are told and the staff know has the same form in every call that says it', () => {
  const saying = EVERY_OPERATION.filter((operation) => Object.hasOwn(wholeInput(operation).members, 'Evidence'));
  assert.ok(saying.length >= 7, 'kicks, jobs, blocks, revocations and closures');
  for (const operation of saying) {
    const { members } = wholeInput(operation);
    for (const [name, shape] of Object.entries(wordingMembers)) {
      assert.equal(members[name], shape, `${operation.name} ${name}`);
    }
  }
});

const read = ({ input }: Pick<Operation, 'input'>, body: object) =>
  readInput(input, {
    labels: new Map(['GameName', 'StageName', 'PlayerId'].map((name) => [name, 'any'])),
    rawQuery: '',
    body: Buffer.from(JSON.stringify(body)),
  });

test('whom a call means is not widened by a member that is null', () => {
  const { additions } = disconnectPlayer;
  assert.ok(additions);
  for (const [form, body] of [
    [additions, { ConnectionIds: null }],
    [additions, { ExceptConnectionIds: null, DryRun: true }],
    [startDisconnectJob, { Selector: { PlayerIds: null, RuntimeId: 'OLDER' } }],
    [startDisconnectJob, { Selector: { PlayerIdPrefix: null, RuntimeId: 'OLDER' } }],
    [startDisconnectJob, { Selector: { ConnectedBefore: null, RuntimeId: 'OLDER' } }],
    [startDisconnectJob, { Selector: { Everybody: true }, DryRun: null }],
    [sendNotificationToStage, { Type: 'Custom.Game.Any', Payload: null, Selector: null }],
  ] as const) {
    assert.throws(() => read(form, body), { code: 'validation', message: /^1 .* Member must not be null$/ });
  }
});

test('no operation of this server’s own ignores a member of its body that is misspelled, or null', () => {
  const mayBeNull = new Set(['Description', 'Claims', 'Payload', ...Object.keys(wordingMembers)]);
  const noNull = { code: 'validation', message: /Member must not be null/ };
  let count = 0;
  for (const operation of OWN_OPERATIONS) {
    const members = Object.entries(operation.input.members).filter(([, { location }]) => location === undefined);
    if (members.length === 0) continue;
    const { body = {} } = requestOf(operation);
    const labels = new Map(Object.keys(operation.input.members).map((name) => [name, 'any']));
    const readWith = (more: object) =>
      parse(operation.input, { ...Object.fromEntries(labels), ...(body as object), ...more });
    for (const [name] of members) {
      const isRefused = !mayBeNull.has(name);
      if (isRefused) assert.throws(() => readWith({ [name]: null }), noNull, `${operation.name} ${name}`);
      count += Number(isRefused);
    }
    assert.equal(operation.input.isExact, true, operation.name);
  }
  assert.ok(count > 25, `${count} members`);
});

test('a block, a key or a closure of which the end is misspelled is not made for good', async (t) => {
  const { call } = await openApi(t);
  await call('POST', '/game', { body: { GameName: 'Demo' } });
  await call('POST', '/game/Demo/stage', { body: { StageName: 'Dev', Role: ROLE } });
  for (const [path, body] of [
    ['/respark/game/Demo/stage/Dev/player/ada/block', { Secods: 60 }],
    ['/respark/game/Demo/player/ada/block', { Seconds: null }],
    ['/respark/game/Demo/stage/Dev/closure', { Untill: '2030-01-01T00:00:00Z' }],
    ['/respark/game/Demo/stage/Dev/player/ada/token/revocation', { KeepConnection: true }],
    // What takes nothing has no dry run either.
    ['/respark/node/any/drain', { DryRun: true }],
    ['/respark/access-key', { Role: 'viewer', Lifetime: 60 }],
    ['/respark/access-key', { Role: 'viewer', GameName: null }],
    ['/respark/game/Demo/webhook', { Url: 'https://hooks.example', Events: ['connection.closed'] }],
  ] as const) {
    const { status, message } = await call('POST', path, { body });
    assert.equal(status, 400, path);
    assert.match(message ?? '', /does not know: '|Member must not be null/, path);
  }
  for (const end of ['player/ada/block', 'stage/Dev/player/ada/block'])
    assert.equal((await call('GET', `/respark/game/Demo/${end}`)).status, 404);
  const { json } = await call('GET', '/respark/game/Demo/stage/Dev/closure');
  assert.equal((json as { IsOpen: boolean }).IsOpen, true);
  const spelled = { Seconds: 60, Reason: null, Evidence: null };
  assert.equal((await call('POST', '/respark/game/Demo/player/ada/block', { body: spelled })).status, 200);
});

test('a key needs a policy that names the action; a policy for Amazon’s operations is not enough', async (t) => {
  const { call, addKey } = await openApi(t);
  const allow = (Action: string) => ({
    Version: '2012-10-17',
    Statement: [{ Effect: 'Allow', Action, Resource: '*' }],
  });
  addKey('gamesparks', allow('gamesparks:*'));
  addKey('respark', allow('respark:*'));
  addKey('all', allow('*'));
  for (const operation of OWN_OPERATIONS) {
    const { method, path, body } = requestOf(operation);
    const statusOf = async (accessKeyId: string) => (await call(method, path, { accessKeyId, body })).status;
    assert.equal(await statusOf('gamesparks'), 403, operation.name);
    // The names in the path are of nothing that there is.
    for (const key of ['respark', 'all']) assert.notEqual(await statusOf(key), 403, operation.name);
  }
  const { status, message } = await call('GET', '/game', { accessKeyId: 'respark' });
  assert.equal(status, 403);
  assert.match(message ?? '', /gamesparks:ListGames/);
});

test('ListAuditRecords says which changes that are no calls have records', () => {
  const decisions = OWN_OPERATIONS.flatMap(({ decisions = [] }) => decisions).join('\n');
  for (const name of LOCAL_OPERATIONS) assert.ok(decisions.includes(`\`${name}\``), name);
});

test('each of this server’s own operations is there with one feature that GetServerInfo tells', () => {
  const told: string[] = Object.values(FEATURES).flatMap(({ operations }) => [...operations]);
  const names = OWN_OPERATIONS.map(({ name }) => name).filter((name) => name !== 'GetServerInfo');
  assert.deepEqual(told.sort(), names.sort());
  const decisions = OWN_OPERATIONS.find(({ name }) => name === 'GetServerInfo')?.decisions?.join('\n') ?? '';
  for (const name of Object.keys(FEATURES)) assert.ok(decisions.includes(`\`${name}\` (`), name);
});

test('GetServerInfo returns the versions, the node and the features', async (t) => {
  const { call } = await openApi(t);
  assert.deepEqual((await call('GET', '/respark/server')).json, {
    ApiVersion: '2021-08-17',
    Features: ['audit-records'],
    Node: 'the-node',
    Version: '0.1.0',
  });
});

test('ListAuditRecords returns which actor changed what, and with what outcome', async (t) => {
  const { call, connected, clock, games, stages } = await openApi(t);
  await games.create(
    { name: 'Demo' },
    { ...CHANGE, cause: 'server', actor: 'demo', sourceAddress: '', requestId: 'r1' },
  );
  await stages.create({ gameName: 'Demo', name: 'Dev', role: ROLE }, { ...CHANGE, requestId: 'r2' });
  clock.advance(1_000);
  connected.push({ connectionId: 'c1', node: 'n', createdAt: 0, runtimeId: 'empty' });
  const disconnected = await call('POST', '/runtime/game/Demo/stage/Dev/player/p1/disconnect');
  clock.advance(1_000);
  const refused = await call('POST', '/game', { body: { GameName: 'Demo' } });

  const { json } = await call('GET', AUDIT);
  const [newest, disconnect, ...older] = json.AuditRecords as Listed[];
  const arn = 'arn:aws:gamesparks:us-east-1:123456789012:game/Demo';
  assert.deepEqual(newest, {
    Actor: 'root',
    Cause: 'OPERATOR',
    Operation: 'CreateGame',
    Outcome: { DurationMicroseconds: 0, Error: 'ConflictException', Status: 409 },
    RequestId: refused.headers['x-amzn-requestid'],
    Resource: arn,
    SourceAddress: '192.0.2.7',
    Time: new Date(clock.now()).toISOString(),
  });
  assert.deepEqual(
    { ...disconnect, Time: undefined },
    {
      Actor: 'root',
      Cause: 'OPERATOR',
      Operation: 'DisconnectPlayer',
      Outcome: { ConnectionsClosed: ['c1'], ConnectionsNotProvenClosed: [], DurationMicroseconds: 0, Status: 200 },
      PlayerId: 'p1',
      RequestId: disconnected.headers['x-amzn-requestid'],
      Resource: `${arn}/stage/Dev/player/p1`,
      SourceAddress: '192.0.2.7',
      Time: undefined,
    },
  );
  assert.deepEqual(
    older.map(({ RequestId, Cause, Actor }) => [RequestId, Cause, Actor]),
    [
      ['r2', 'OPERATOR', CHANGE.actor],
      ['r1', 'SERVER', 'demo'],
    ],
  );
});

test('ListAuditRecords filters, pages in either order, and accepts a token only for the same list', async (t) => {
  const { call, clock } = await openApi(t);
  const times: string[] = [];
  for (const GameName of ['A', 'B', 'A', 'C', 'A']) {
    clock.advance(1_000);
    times.push(new Date(clock.now()).toISOString());
    await call('POST', '/game', { body: { GameName } });
  }
  await call('PATCH', '/game/A', { body: { Description: 'new' } });
  const list = async (query: Readonly<Record<string, string>>) => {
    const { status, json, message } = await call('GET', `${AUDIT}?${new URLSearchParams(query)}`);
    assert.equal(status, 200, message);
    const records = json.AuditRecords as Listed[];
    return { names: records.map(({ Resource }) => String(Resource).split('/').at(-1)), token: json.NextToken };
  };
  assert.deepEqual((await list({})).names, ['A', 'A', 'C', 'A', 'B', 'A']);
  assert.deepEqual((await list({ Order: 'OLDEST_FIRST' })).names, ['A', 'B', 'A', 'C', 'A', 'A']);
  assert.deepEqual((await list({ Operation: 'UpdateGame' })).names, ['A']);
  assert.deepEqual((await list({ Actor: 'nobody' })).names, []);
  assert.deepEqual((await list({ PlayerId: 'p1' })).names, []);
  assert.deepEqual((await list({ Since: String(times[1]), Until: String(times[3]) })).names, ['A', 'B']);

  for (const Order of ['OLDEST_FIRST', 'NEWEST_FIRST']) {
    const paged: unknown[] = [];
    let NextToken: string | undefined;
    do {
      const page = await list({ Order, MaxResults: '4', Operation: 'CreateGame', ...(NextToken && { NextToken }) });
      paged.push(...page.names);
      NextToken = page.token as string | undefined;
    } while (NextToken !== undefined);
    const expected = ['A', 'B', 'A', 'C', 'A'];
    assert.deepEqual(paged, Order === 'OLDEST_FIRST' ? expected : expected.reverse());
  }
  const { token } = await list({ MaxResults: '1' });
  const elsewhere = await call('GET', `${AUDIT}?${new URLSearchParams({ NextToken: String(token), Actor: 'root' })}`);
  assert.equal(elsewhere.error, 'ValidationException');
});

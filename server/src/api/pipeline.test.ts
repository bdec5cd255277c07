import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Answer, openApi } from '../../test/support/api.ts';
import { CHANGE, ROLE } from '../../test/support/domain.ts';
import { NO_METRICS } from '../../test/support/metrics.ts';
import { ServiceError } from '../errors.ts';
import type { Metrics } from '../metrics.ts';
import { COMMON_ERRORS, operation } from './operation.ts';
import { structure } from './shape.ts';

const outcome = ({ status, error }: Answer) => `${status} ${error}`;

const allow = (Action: string | string[], Resource: string | string[] = '*', more: object = {}) => ({
  Version: '2012-10-17',
  Statement: [{ Effect: 'Allow', Action, Resource, ...more }],
});

const DISCONNECT = '/runtime/game/Demo/stage/Dev/player/p1/disconnect';

/** An operation whose handler fails with the given error. */
const failing = (error: unknown) =>
  operation({
    name: 'GetGame',
    http: { method: 'GET', path: '/fail' },
    isIdempotent: false,
    throttleClass: 'read',
    input: structure({}),
    output: structure({}),
    errors: [...COMMON_ERRORS, 'not_found'],
    resource: () => [],
    handler: () => Promise.reject(error),
  });

const OPTIONS_REQUEST = {
  ...{ method: 'OPTIONS', rawQuery: '', headers: new Map<string, readonly string[]>() },
  ...{ remoteAddress: '192.0.2.7', peerAddress: '192.0.2.7', isSecure: false, isForwarded: false, mayBeProxied: false },
  callerIsKnown() {},
  readBody: () => Promise.reject(new Error('OPTIONS reads no body')),
};

test('a signed call is answered in JSON, with a request id of its own', async (t) => {
  const { call } = await openApi(t);
  const [first, second] = [await call('GET', '/game'), await call('GET', '/game')];
  assert.deepEqual([first.status, first.json], [200, { Games: [] }]);
  assert.equal(first.headers['content-type'], 'application/json');
  assert.match(first.headers['x-amzn-requestid'] ?? '', /^[0-9a-f-]{36}$/);
  assert.notEqual(first.headers['x-amzn-requestid'], second.headers['x-amzn-requestid']);
});

test('an error has its name in a header and its message in the body', async (t) => {
  const { call } = await openApi(t);
  const { status, error, json, headers } = await call('GET', '/game/Demo');
  assert.deepEqual([status, error], [404, 'ResourceNotFoundException']);
  assert.deepEqual(Object.keys(json), ['Message']);
  assert.match(headers['x-amzn-requestid'] ?? '', /./);
});

test('a route that no operation has is refused before the signature is checked', async (t) => {
  const { call } = await openApi(t);
  const unsigned = { headers: { authorization: undefined } };
  assert.equal(outcome(await call('GET', '/nothing', unsigned)), '404 UnknownOperationException');
  assert.equal(outcome(await call('GET', '/game/%ff', unsigned)), '400 SerializationException');
  for (const method of ['PUT', 'HEAD']) {
    const answer = await call(method, '/game', unsigned);
    assert.equal(outcome(answer), '405 UnknownOperationException');
    assert.equal(answer.headers.allow, 'POST, GET, OPTIONS');
    assert.equal(answer.message, `The method here must be POST, GET, got '${method}'`);
  }
});

test('OPTIONS of an operation’s path says which methods it takes, without a signature', async (t) => {
  const { pipeline } = await openApi(t);
  const ask = (rawPath: string) => pipeline({ ...OPTIONS_REQUEST, rawPath });
  const { status, body, headers } = await ask('/game');
  assert.deepEqual([status, body, headers.allow], [200, '', 'POST, GET, OPTIONS']);
  assert.match(headers['x-amzn-requestid'] ?? '', /./);
  assert.equal((await ask('/nothing')).status, 404);
});

test('a call beyond the rate is refused before its input is checked', async (t) => {
  const { call } = await openApi(t, { settings: { writeCallsBurst: 1, writeCallsPerSecond: 1 } });
  assert.equal(outcome(await call('POST', '/game', { body: {} })), '400 ValidationException');
  assert.equal(outcome(await call('POST', '/game', { body: {} })), '429 ThrottlingException');
});

test('a key waits for the bytes that it has been sent, except with disconnects, and no other key waits', async (t) => {
  const { call, addKey, games, stages, clock } = await openApi(t, {
    settings: { replyBytesBurst: 100, replyBytesPerSecond: 1_000 },
  });
  addKey('other');
  await games.create({ name: 'Demo' }, CHANGE);
  await stages.create({ gameName: 'Demo', name: 'Dev', role: ROLE }, { ...CHANGE, requestId: 'another' });
  const read = await call('GET', '/game/Demo');
  assert.equal(read.status, 200);
  const waitMs = JSON.stringify(read.json).length - 100 + 1;
  assert.ok(waitMs > 1);
  for (const [method, path] of [
    ['GET', '/game/Demo'],
    ['POST', '/game'],
  ] as const) {
    const refused = await call(method, path);
    assert.equal(outcome(refused), '429 ThrottlingException');
    assert.equal(refused.message, `Rate exceeded for bytes of replies of this access key: try again in ${waitMs} ms`);
    assert.equal(refused.headers['retry-after'], '1');
  }
  assert.equal((await call('POST', DISCONNECT)).status, 200);
  assert.equal((await call('GET', '/game/Demo', { accessKeyId: 'other' })).status, 200);
  clock.advance(2_000);
  assert.equal((await call('GET', '/game/Demo')).status, 200);
});

test('invalid input is refused before the policies are evaluated', async (t) => {
  const { call, addKey } = await openApi(t);
  addKey('reader', allow('gamesparks:Get*'));
  const create = (body: object) => call('POST', '/game', { accessKeyId: 'reader', body });
  assert.equal(outcome(await create({})), '400 ValidationException');
  assert.equal(outcome(await create({ GameName: 'Demo' })), '403 AccessDeniedException');
});

test('the policies are evaluated before the handler looks for anything', async (t) => {
  const { call, addKey } = await openApi(t);
  addKey('lister', allow('gamesparks:ListGames'));
  assert.equal(outcome(await call('GET', '/game/Demo', { accessKeyId: 'lister' })), '403 AccessDeniedException');
  assert.equal(outcome(await call('GET', '/game/Demo')), '404 ResourceNotFoundException');
});

test('refusals are counted by operation, throttle class and cause', async (t) => {
  const counted: unknown[] = [];
  const metrics: Metrics = {
    ...NO_METRICS,
    called: ({ operation: name, status }) => void counted.push([name, status]),
    throttled: (throttleClass) => void counted.push(throttleClass),
    authFailed: (cause) => void counted.push(cause),
  };
  const settings = { readCallsBurst: 1, readCallsPerSecond: 1, authFailuresPerMinutePerAddress: 1 };
  const { call } = await openApi(t, { metrics, settings });
  await call('GET', '/nothing');
  await call('GET', '/game');
  await call('GET', '/game');
  await call('GET', '/game', { secretAccessKey: 'guess' });
  await call('GET', '/game', { secretAccessKey: 'guess' });
  assert.deepEqual(counted, [
    [undefined, 404],
    ['ListGames', 200],
    'read',
    ['ListGames', 429],
    'InvalidSignatureException',
    ['ListGames', 403],
    'TooManyFailures',
    ['ListGames', 429],
  ]);
});

test('whatever can be refused without the body is refused before the body is read', async (t) => {
  const { call } = await openApi(t);
  const body = { GameName: 'Demo' };
  const cases: [object, string][] = [
    [{ headers: { authorization: undefined } }, '403 MissingAuthenticationTokenException'],
    [{ headers: { authorization: 'Basic abc' } }, '403 IncompleteSignatureException'],
    [{ signedAtMs: 0 }, '403 InvalidSignatureException'],
    [{ accessKeyId: 'nobody' }, '403 UnrecognizedClientException'],
  ];
  for (const [options, expected] of cases) {
    const answer = await call('POST', '/game', { body, ...options });
    assert.deepEqual([outcome(answer), answer.isBodyRead], [expected, false]);
  }
  const forged = await call('POST', '/game', { body, secretAccessKey: 'guess' });
  assert.deepEqual([outcome(forged), forged.isBodyRead], ['403 InvalidSignatureException', true]);
});

test('a body over the limit is refused, and the limit of an operation replaces the general one', async (t) => {
  const small = { ...failing(new ServiceError('not_found', 'x')), maxBodyBytes: 3 };
  const { call } = await openApi(t, { operations: [small], settings: { maxBodyBytes: 10 } });
  assert.equal(outcome(await call('GET', '/fail', { body: 'abcd' })), '413 RequestEntityTooLargeException');
  assert.equal(outcome(await call('GET', '/fail', { body: 'abc' })), '404 ResourceNotFoundException');
});

test('the rate counts for each key and each class of operations', async (t) => {
  const one = { readCallsBurst: 1, readCallsPerSecond: 1, disconnectCallsBurst: 1, disconnectCallsPerSecond: 1 };
  const { call, addKey, clock } = await openApi(t, { settings: one });
  addKey('second');
  assert.equal((await call('GET', '/game')).status, 200);
  const refused = await call('GET', '/game/Demo');
  assert.deepEqual([outcome(refused), refused.headers['retry-after']], ['429 ThrottlingException', '1']);
  assert.equal((await call('GET', '/game', { accessKeyId: 'second' })).status, 200);
  assert.equal((await call('POST', '/game', { body: { GameName: 'Demo' } })).status, 200);
  assert.equal((await call('POST', DISCONNECT)).status, 404);
  assert.equal((await call('POST', DISCONNECT)).status, 429);
  clock.advance(1_000);
  assert.equal((await call('GET', '/game')).status, 200);
});

test('a bug is answered with a fixed message, and the log has the error under the request id', async (t) => {
  const { call, lines } = await openApi(t, { operations: [failing(new TypeError('secret detail'))] });
  const { status, error, json, headers } = await call('GET', '/fail');
  assert.deepEqual([status, error], [500, 'InternalServerException']);
  assert.deepEqual(json, { Message: 'The service encountered an internal error.' });
  const line = lines.find(({ level }) => level === 50);
  assert.equal(line?.requestId, headers['x-amzn-requestid']);
  assert.match(JSON.stringify(line), /secret detail/);
});

test('an error that the operation does not model is a bug', async (t) => {
  const { call, lines } = await openApi(t, { operations: [failing(new ServiceError('conflict', 'taken'))] });
  assert.equal((await call('GET', '/fail')).message, 'The service encountered an internal error.');
  assert.match(JSON.stringify(lines), /GetGame failed with conflict, which it does not model.*taken/);
});

test('a failure that may be tried again says so, and says when', async (t) => {
  const away = new ServiceError('internal', 'the directory is away: try again', { retryAfterMs: 1_500 });
  const { call, lines } = await openApi(t, { operations: [failing(away)] });
  const answer = await call('GET', '/fail');
  assert.deepEqual(
    [outcome(answer), answer.message, answer.headers['retry-after']],
    ['500 InternalServerException', 'the directory is away: try again', '2'],
  );
  assert.deepEqual(
    lines.map(({ level }) => level),
    [40, 20],
  );
});

test('a request is logged without its signature, its body or its secret', async (t) => {
  const { call, lines } = await openApi(t);
  await call('POST', '/game', { body: { GameName: 'Demo', Description: 'private words' } });
  assert.deepEqual(
    lines.map(({ level, msg, operation, actor, principal, status }) => [
      level,
      msg,
      operation,
      actor ?? principal,
      status,
    ]),
    [
      [30, 'audited call', 'CreateGame', 'root', undefined],
      [20, 'request answered', 'CreateGame', 'root', 200],
    ],
  );
  assert.doesNotMatch(JSON.stringify(lines), /private|Signature|"secret"/);
});

test('a body that is not a JSON object in UTF-8 is malformed, if the operation reads a body', async (t) => {
  const { call } = await openApi(t);
  for (const body of ['{', '[]', 'null', '"x"', '1', Uint8Array.of(0x7b, 0xff, 0x7d), '{}x', '[['.repeat(10_000)]) {
    assert.equal(outcome(await call('POST', '/game', { body })), '400 SerializationException');
  }
  assert.equal(outcome(await call('POST', '/game')), '400 ValidationException');
  assert.equal((await call('GET', '/game', { body: '{' })).status, 200);
});

test('members and keys that the model does not have are ignored', async (t) => {
  const { call } = await openApi(t);
  const body = '{"GameName": "Demo", "Unknown": {"a": [1]}, "__proto__": {"Description": "x"}, "constructor": 1}';
  const { status, json } = await call('POST', '/game?MaxResults=zero&toString=1', { body });
  assert.equal(status, 200);
  assert.equal((json.Game as { Description: string }).Description, '');
  assert.equal((await call('GET', '/game?unknown=1&unknown=2')).status, 200);
});

test('__proto__ is a tag like any other', async (t) => {
  const { call } = await openApi(t);
  await call('POST', '/game', { body: '{"GameName": "Demo", "Tags": {"__proto__": "x", "constructor": "y"}}' });
  const { json } = await call('GET', '/game/Demo');
  const { Tags } = json.Game as { Tags: object };
  assert.deepEqual(Object.entries(Tags).sort(), [
    ['__proto__', 'x'],
    ['constructor', 'y'],
  ]);
});

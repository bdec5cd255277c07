import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Answer, openApi } from '../../test/support/api.ts';
import { CHANGE, ROLE } from '../../test/support/domain.ts';
import { NO_METRICS } from '../../test/support/metrics.ts';
import { ServiceError } from '../errors.ts';
import { BodyError } from '../http/exchange.ts';
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

test('a bad signature is refused before the rate is checked', async (t) => {
  const { call } = await openApi(t, { settings: { readCallsBurst: 1, readCallsPerSecond: 1 } });
  await call('GET', '/game');
  assert.equal(outcome(await call('GET', '/game')), '429 ThrottlingException');
  const forged = await call('GET', '/game', { secretAccessKey: 'guess' });
  assert.equal(outcome(forged), '403 InvalidSignatureException');
});

test('a body that is not the one that was signed is refused', async (t) => {
  const { call, games } = await openApi(t);
  const body = JSON.stringify({ GameName: 'Mine' });
  for (const sentBody of [body.replace('Mine', 'Ours'), `${body} `, '']) {
    const answer = await call('POST', '/game', { body, sentBody });
    assert.equal(outcome(answer), '403 InvalidSignatureException', sentBody);
  }
  assert.equal(outcome(await call('GET', '/game', { sentBody: '{}' })), '403 InvalidSignatureException');
  assert.deepEqual((await games.list({})).items, []);
});

test('what the policies of a key say counts as of when the body has been read', async (t) => {
  const { call, addKey } = await openApi(t);
  addKey('key', allow('*'));
  const create = (GameName: string, policy: object) =>
    call('POST', '/game', { accessKeyId: 'key', body: { GameName }, whileRead: () => addKey('key', policy) });
  assert.equal(outcome(await create('Mine', allow('gamesparks:Get*'))), '403 AccessDeniedException');
  assert.equal((await create('Mine', allow('*'))).status, 200);
});

test('a path may lack that of the public URL, unless the two make the path of another call', async (t) => {
  const { call } = await openApi(t, { settings: { publicUrl: 'https://respark.example/base' } });
  assert.equal((await call('GET', '/base/game', { sentPath: '/game' })).status, 200);
  assert.equal((await call('GET', '/game')).status, 200);
  assert.equal(outcome(await call('GET', '/other/game', { sentPath: '/game' })), '403 InvalidSignatureException');
  assert.equal(outcome(await call('GET', '/base/game')), '404 UnknownOperationException');

  const ambiguous = await openApi(t, { settings: { publicUrl: 'https://respark.example/game' } });
  await ambiguous.call('POST', '/game', { body: { GameName: 'game' } });
  await ambiguous.call('POST', '/game', { body: { GameName: 'stage' } });
  assert.deepEqual((await ambiguous.call('GET', '/game/game/stage')).json, { Stages: [] });
  const taken = await ambiguous.call('GET', '/game/game/stage', { sentPath: '/game/stage' });
  assert.equal(outcome(taken), '403 InvalidSignatureException', 'it was signed to list stages, not to get a game');
});

test('a signature for one spelling of a path holds for the others, and for no other path', async (t) => {
  const { call } = await openApi(t);
  const signed = '/game/Demo/snapshot/a%3Ab%2Fc';
  for (const sentPath of [signed, '/game/Demo/snapshot/a:b%2Fc']) {
    assert.equal((await call('GET', signed, { sentPath })).status, 400, 'validation refuses the id');
  }
  for (const sentPath of [
    '/game/Demo/snapshot/%61:b%2Fc',
    '/game/Demo/snapshot/a:b%2fc',
    '/game/demo/snapshot/a:b%2Fc',
  ]) {
    assert.equal(outcome(await call('GET', signed, { sentPath })), '403 InvalidSignatureException', sentPath);
  }
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

test('a body that cannot be read counts as a failed authentication, unless only its memory is missing', async (t) => {
  const { call } = await openApi(t, { settings: { authFailuresPerMinutePerAddress: 2 } });
  const create = (bodyFailure: Error) => call('POST', '/game', { bodyFailure, secretAccessKey: 'guess' });
  for (let turn = 0; turn < 3; turn += 1) {
    const answer = await create(new ServiceError('throttled', 'no memory'));
    assert.deepEqual([outcome(answer), answer.message], ['429 ThrottlingException', 'no memory']);
  }
  const tooLarge = await create(new BodyError('too_large', 'more than a page'));
  assert.deepEqual([outcome(tooLarge), tooLarge.message], ['413 RequestEntityTooLargeException', 'more than a page']);
  const incomplete = await create(new BodyError('incomplete', 'half a page'));
  assert.deepEqual([outcome(incomplete), incomplete.message], ['408 RequestTimeoutException', 'half a page']);
  const refused = await create(new BodyError('incomplete', 'half a page'));
  assert.deepEqual([outcome(refused), refused.isBodyRead], ['429 ThrottlingException', false]);
});

test('an address that fails too often is refused without its body, and a guess no longer told what is wrong', async (t) => {
  const { call, clock } = await openApi(t, { settings: { authFailuresPerMinutePerAddress: 2 } });
  const fail = (address: string) => call('GET', '/game', { address, secretAccessKey: 'guess' });
  assert.equal(outcome(await fail('2001:db8::1')), '403 InvalidSignatureException');
  assert.equal(outcome(await fail('2001:db8::2')), '403 InvalidSignatureException');
  const refused = await fail('2001:db8::3');
  assert.deepEqual([outcome(refused), refused.isBodyRead], ['429 ThrottlingException', false]);
  assert.equal(refused.headers['retry-after'], '30');
  assert.equal(outcome(await fail('2001:db8:0:1::1')), '403 InvalidSignatureException');
  clock.advance(30_000);
  assert.equal((await call('GET', '/game', { address: '2001:db8::1' })).status, 200);
});

test('failures under a key from an address do not hold up the holder of the key there', async (t) => {
  const { call } = await openApi(t, { settings: { authFailuresPerMinutePerAddress: 1 } });
  const guess = { secretAccessKey: 'guess' };
  assert.equal(outcome(await call('GET', '/game', guess)), '403 InvalidSignatureException');
  assert.equal(outcome(await call('GET', '/game', guess)), '429 ThrottlingException');
  assert.equal((await call('GET', '/game')).status, 200);

  // A long body is read only when the signed headers vouch for it.
  const long = { body: 'x'.repeat(16_385) };
  const statusOf = async (options: object) => {
    const { status, isBodyRead } = await call('POST', '/game', options);
    return `${status}${isBodyRead ? ' after reading' : ''}`;
  };
  assert.equal(await statusOf({ ...long, ...guess }), '429');
  assert.equal(await statusOf({ ...long, headers: { 'x-amz-content-sha256': '0'.repeat(64) } }), '429');
  assert.equal(await statusOf(long), '400 after reading');
});

test('calls with a valid signature never count as failures', async (t) => {
  const { call } = await openApi(t, { settings: { authFailuresPerMinutePerAddress: 1 } });
  for (let turn = 0; turn < 5; turn += 1) {
    assert.equal((await call('GET', '/game')).status, 200);
    assert.equal((await call('GET', '/game/Demo')).status, 404);
  }
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

test('a store of keys that fails is a failure of the server, not of the caller', async (t) => {
  const { call, credentials } = await openApi(t);
  credentials.get = () => {
    throw new Error('disk');
  };
  assert.equal(outcome(await call('GET', '/game')), '500 InternalServerException');
});

test('a revoked key is refused at the next request', async (t) => {
  const { call, credentials } = await openApi(t);
  assert.equal((await call('GET', '/game')).status, 200);
  credentials.delete('root');
  assert.equal(outcome(await call('GET', '/game')), '403 UnrecognizedClientException');
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

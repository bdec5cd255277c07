import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Answer, openApi } from '../../test/support/api.ts';
import { ServiceError } from '../errors.ts';
import { BodyError } from '../http/exchange.ts';

const outcome = ({ status, error }: Answer) => `${status} ${error}`;

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

test('a key that is revoked while a long body waits for its turn does nothing any more', async (t) => {
  const { call, addKey, credentials, longWork } = await openApi(t);
  const run = longWork.run;
  const importWhile = async (meanwhile: () => void) => {
    longWork.run = async (size, work) => {
      const done = await run(size, work);
      meanwhile();
      return done;
    };
    const body = { ImportSource: { File: 'x'.repeat(20_000) } };
    return outcome(await call('PUT', '/game/Demo/configuration', { body, accessKeyId: 'studio' }));
  };
  addKey('studio');
  assert.equal(await importWhile(() => {}), '500 InternalServerException', 'there are no configurations here');
  assert.equal(await importWhile(() => credentials.delete('studio')), '403 AccessDeniedException');
  addKey('studio');
  const mayRead = { Version: '2012-10-17', Statement: { Effect: 'Allow', Action: 'gamesparks:Get*', Resource: '*' } };
  assert.equal(await importWhile(() => addKey('studio', mayRead)), '403 AccessDeniedException');
});

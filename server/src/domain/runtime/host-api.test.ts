import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type CallContext, createHostApi, type HostApiParts } from './host-api.ts';

/** A game with one event and one notification, both of any payload. */
const PROGRAM = {
  notifications: new Map([['Custom.Game.Heard', (payload: unknown) => ({ payload })]]),
  events: new Map([['Custom.Game.Again', { read: (payload: unknown) => ({ payload }) }]]),
} as unknown as CallContext['program'];

function open() {
  const did: string[] = [];
  let isThere = true;
  let whenSet = () => {};
  const parts: { -readonly [Name in keyof HostApiParts]?: HostApiParts[Name] } = {
    playerData: {
      get: async () => ({
        version: 1,
        values: new Map([
          ['Gold', '1'],
          ['__proto__', '{"a":[null]}'],
        ]),
      }),
      async set() {
        did.push('set');
        whenSet();
        return 2;
      },
      async remove({ playerId }) {
        did.push(`remove ${playerId}`);
        return { keys: 1, bytes: 1 };
      },
    },
    disconnect: async () => {
      did.push('disconnect');
      return { successes: [], failures: [] };
    },
    notify: async () => did.push('notify'),
    raise: () => void did.push('raise'),
    isThere: async () => isThere,
  };
  const call = createHostApi(parts as HostApiParts)({
    stage: { stageId: 's', gameName: 'Demo', stageName: 'Live' },
    player: { stageId: 's', playerId: 'anna' },
    ...{ program: PROGRAM, handler: 'Run', requestId: 'r', session: undefined, raised: 0, afterwards() {} },
  });
  const remove = () => {
    isThere = false;
  };
  const removeWhenSet = () => {
    whenSet = remove;
  };
  const failWhenSet = () => {
    whenSet = () => {
      parts.isThere = async () => assert.fail('the database is away');
    };
  };
  return { call, did, remove, removeWhenSet, failWhenSet };
}

test('what scripts of a deleted stage would leave behind, or do to another stage of its name, is not done', async () => {
  const { call, did, remove } = open();
  const calls = [
    ['SetData', ['anna', { Gold: 1 }]],
    ['RaiseEvent', ['Again', {}]],
    ['Disconnect', ['anna']],
  ] as const;
  for (const [operation, parameters] of calls) assert.ok('result' in (await call(operation, parameters)), operation);
  assert.deepEqual(did.splice(0), ['set', 'raise', 'disconnect']);
  remove();
  for (const [operation, parameters] of calls) {
    assert.deepEqual(await call(operation, parameters), {
      error: { code: 'not_found', message: 'stage "Live" has been deleted' },
    });
  }
  assert.deepEqual(did, []);
});

test('what a script has set while its stage was deleted is removed again', async () => {
  const { call, did, removeWhenSet } = open();
  removeWhenSet();
  const error = { code: 'not_found', message: 'stage "Live" has been deleted' };
  assert.deepEqual(await call('SetData', ['ben', { Gold: 1 }]), { error });
  assert.deepEqual(did, ['set', 'remove ben']);
});

test('the data of a player stays when nobody can say whether the stage is still there', async () => {
  const { call, did, failWhenSet } = open();
  failWhenSet();
  await assert.rejects(call('SetData', ['ben', { Gold: 1 }]), /the database is away/);
  assert.deepEqual(did, ['set']);
});

test('player data is handed on as it was kept', async () => {
  const { call } = open();
  assert.deepEqual(await call('GetData', ['anna']), { resultJson: '{"Gold":1,"__proto__":{"a":[null]}}' });
});

test('the reason of a disconnect is counted in characters, and a very long one not at all', async () => {
  const { call, did } = open();
  assert.ok('result' in (await call('Disconnect', ['anna', '😀'.repeat(64)])));
  for (const [reason, got] of [
    ['😀'.repeat(65), 65],
    ['x'.repeat(200_000), 'many more'],
  ] as const) {
    assert.deepEqual(await call('Disconnect', ['anna', reason]), {
      error: { code: 'bad_argument', message: `the reason may have at most 64 characters, got ${got}` },
    });
  }
  assert.deepEqual(did, ['disconnect']);
});

test('what the events of one handler have together is bounded, because it is kept until the handler has ended', async () => {
  const { call, did } = open();
  const raise = async (characters: number) => {
    const answer = await call('RaiseEvent', ['Again', { Text: 'x'.repeat(characters) }]);
    return 'error' in answer ? answer.error.code : 'raised';
  };
  for (let count = 0; count < 4; count += 1) assert.equal(await raise(1_000_000), 'raised');
  assert.equal(await raise(1_000_000), 'too_much');
  assert.equal(await raise(10), 'raised', 'what was refused does not count');
  assert.deepEqual(did, Array(5).fill('raise'));
});

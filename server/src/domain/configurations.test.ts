import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { attributesIn, CHANGE, type DomainOptions, JOBS_HERE, openDomain } from '../../test/support/domain.ts';
import type { ErrorCode } from '../errors.ts';
import type { Json } from './configuration/document.ts';
import type { ModificationText } from './configuration/stored-sections.ts';
import { LONG } from './long-work.ts';

const failsWith = (code: ErrorCode, message = /./) => ({ name: 'ServiceError', code, message });

async function openWithGame(t: TestContext, options: DomainOptions = {}) {
  const domain = await openDomain(t, options);
  const game = await domain.games.create({ name: 'Demo' }, CHANGE);
  return { ...domain, game };
}

function add(section: string, path: string, value: Json): ModificationText {
  return { section, operation: 'ADD', path, value: JSON.stringify(value) };
}

/** The file of a game's configuration. */
function documentOf(sections: unknown): Uint8Array {
  return Buffer.from(JSON.stringify({ Document: { Type: 'Game', Sections: sections } }));
}

test('a new game has an empty configuration as old as itself', async (t) => {
  const { configurations, game, clock } = await openWithGame(t);
  clock.advance(1_000);
  const { createdAt, updatedAt } = game;
  assert.deepEqual(await configurations.get('Demo'), { createdAt, updatedAt, sections: Buffer.from('{}') });
});

test('an update changes what it names, and the time of the last update', async (t) => {
  const { configurations, game, clock } = await openWithGame(t);
  clock.advance(1_000);
  const first = await configurations.update(
    'Demo',
    [add('A', '/x', 1), add('A', '/y', [1, 2]), add('B.C', '/z', null)],
    CHANGE,
  );
  const sections = { A: { x: 1, y: [1, 2] }, 'B.C': { z: null } };
  assert.deepEqual([first.createdAt, first.updatedAt], [game.createdAt, game.createdAt + 1_000]);
  assert.deepEqual(attributesIn(first.sections), sections);
  assert.deepEqual(await configurations.get('Demo'), first);
  clock.advance(1_000);
  const second = await configurations.update(
    'Demo',
    [{ section: 'A', operation: 'REMOVE', path: '/y', value: undefined }],
    CHANGE,
  );
  assert.equal(second.updatedAt, first.updatedAt + 1_000);
  assert.deepEqual(attributesIn((await configurations.get('Demo')).sections), { A: { x: 1 }, 'B.C': { z: null } });
});

test('an update is made as a whole or not at all', async (t) => {
  const { configurations, clock } = await openWithGame(t);
  const before = await configurations.update('Demo', [add('A', '/x', 1)], CHANGE);
  clock.advance(1_000);
  const modifications = [
    add('A', '/y', 2),
    { ...add('A', '/missing', 3), operation: 'REPLACE' as const },
    add('A', '/z', 4),
  ];
  await assert.rejects(
    configurations.update('Demo', modifications, CHANGE),
    failsWith('validation', /modifications\.2\.member/),
  );
  assert.deepEqual(await configurations.get('Demo'), before);
});

test('only the sections that are named and exist are given', async (t) => {
  const { configurations } = await openWithGame(t);
  await configurations.import('Demo', documentOf({ A: { x: 1 }, B: {}, C: { y: 2 } }), CHANGE);
  const get = async (...names: string[]) => attributesIn((await configurations.get('Demo', names)).sections);
  assert.deepEqual(await get('C', 'A', 'C'), { A: { x: 1 }, C: { y: 2 } });
  assert.deepEqual(await get('D', 'toString', '__proto__'), {});
  assert.deepEqual(Object.keys(await get()), ['A', 'B', 'C']);
});

test('an import replaces everything', async (t) => {
  const { configurations } = await openWithGame(t);
  await configurations.update('Demo', [add('Old', '/x', 1)], CHANGE);
  const sections = { New: { y: [{}] } };
  const imported = await configurations.import('Demo', documentOf(sections), CHANGE);
  assert.deepEqual(attributesIn(imported.sections), sections);
  assert.deepEqual(await configurations.get('Demo'), imported);
});

test('keys that mean something to JavaScript are data like any other', async (t) => {
  const { configurations } = await openWithGame(t);
  const attributes = '{"__proto__":{"isAdmin":true},"constructor":{"prototype":1},"toString":2}';
  await configurations.import(
    'Demo',
    Buffer.from(`{"Document":{"Type":"Game","Sections":{"A":${attributes}}}}`),
    CHANGE,
  );
  await configurations.update('Demo', [add('A', '/__proto__/x', 1), add('A', '/b', JSON.parse(attributes))], CHANGE);
  const { sections } = await configurations.get('Demo', ['A']);
  assert.equal(
    JSON.stringify(attributesIn(sections).A),
    `{"__proto__":{"isAdmin":true,"x":1},"constructor":{"prototype":1},"toString":2,"b":${attributes}}`,
  );
  assert.equal(({} as Record<string, unknown>).isAdmin, undefined);
});

test('a configuration may be as large as maxConfigurationBytes, and what would be larger changes nothing', async (t) => {
  const { configurations } = await openWithGame(t, { maxConfigurationBytes: 1_024 });
  const frame = documentOf({ A: { x: '' } }).length;
  const fitting = 'é'.repeat((1_024 - frame) >> 1).padEnd((1_024 - frame + 1) >> 1, 'x');
  const full = await configurations.update('Demo', [add('A', '/x', fitting)], CHANGE);
  const sections = attributesIn(full.sections);
  assert.equal(documentOf(sections).length, 1_024);
  const tooLarge = failsWith('quota_exceeded', /1025 bytes.*1024.*RESPARK_MAX_CONFIGURATION_BYTES/);
  await assert.rejects(configurations.update('Demo', [add('A', '/x', `${fitting}x`)], CHANGE), tooLarge);
  await assert.rejects(configurations.import('Demo', documentOf({ A: { x: `${fitting}x` } }), CHANGE), tooLarge);
  assert.deepEqual(await configurations.get('Demo'), full);
  assert.deepEqual((await configurations.import('Demo', documentOf(sections), CHANGE)).sections, full.sections);
});

test('a configuration needs its game, and can only be read while the game is being deleted', async (t) => {
  const { configurations, game, store } = await openWithGame(t);
  await assert.rejects(configurations.get('Other'), failsWith('not_found', /game "Other"/));
  await assert.rejects(
    configurations.update('Other', [add('A', '/x', 1)], CHANGE),
    failsWith('not_found', /game "Other"/),
  );
  await assert.rejects(configurations.import('Other', documentOf({}), CHANGE), failsWith('not_found', /game "Other"/));

  const before = await configurations.update('Demo', [add('A', '/x', 1)], CHANGE);
  await store.games.update(game.id, { state: 'DELETING', updatedAt: 0 });
  assert.deepEqual(await configurations.get('Demo'), before);
  await assert.rejects(configurations.update('Demo', [add('A', '/x', 2)], CHANGE), failsWith('not_found'));
  await assert.rejects(configurations.import('Demo', documentOf({}), CHANGE), failsWith('not_found'));
  assert.deepEqual(await configurations.get('Demo'), before);
});

test('when fifty updates come at once, none is lost', async (t) => {
  const { configurations } = await openWithGame(t);
  const keys = Array.from({ length: 50 }, (_, index) => `k${index}`);
  await Promise.all(keys.map((key) => configurations.update('Demo', [add('A', `/${key}`, key)], CHANGE)));
  const { sections } = await configurations.get('Demo');
  assert.deepEqual(attributesIn(sections), { A: Object.fromEntries(keys.map((key) => [key, key])) });
});

/** Jobs that wait until the test lets them go on, as threads would. */
function heldJobs() {
  const held: (() => void)[] = [];
  const lengths: number[] = [];
  const jobs = Object.fromEntries(
    Object.entries(JOBS_HERE).map(([name, job]) => [
      name,
      async (argument: never) => {
        await new Promise<void>((resolve) => held.push(resolve));
        return await job(argument);
      },
    ]),
  ) as unknown as typeof JOBS_HERE;
  const longWork: DomainOptions['longWork'] = {
    run: ({ length }, work) => {
      lengths.push(length);
      return work(length > LONG ? jobs : JOBS_HERE);
    },
  };
  async function release(): Promise<void> {
    for (let turns = 0; held.length === 0; turns += 1) {
      assert.ok(turns < 10_000, 'a job waits');
      await new Promise(setImmediate);
    }
    for (const resolve of held.splice(0)) resolve();
  }
  return { longWork, lengths, release };
}

test('a long update is made again when the configuration has changed under it', async (t) => {
  const { longWork, release } = heldJobs();
  const { configurations } = await openWithGame(t, { longWork });
  await configurations.update('Demo', [add('A', '/x', 1)], CHANGE);
  const long = configurations.update('Demo', [add('A', '/long', 'x'.repeat(LONG)), add('A', '/x', 3)], CHANGE);
  await new Promise(setImmediate);
  await configurations.update('Demo', [add('A', '/y', 2)], CHANGE);
  await release();
  await release();
  const { sections } = await long;
  assert.deepEqual(attributesIn(sections), { A: { x: 3, y: 2, long: 'x'.repeat(LONG) } });
  const get = configurations.get('Demo');
  await release();
  assert.deepEqual((await get).sections, sections);
});

test('a long update gives up when the configuration always changes under it', async (t) => {
  const { longWork, release } = heldJobs();
  const { configurations } = await openWithGame(t, { longWork });
  await configurations.update('Demo', [add('A', '/x', 0)], CHANGE);
  const long = configurations.update('Demo', [add('A', '/long', 'x'.repeat(LONG))], CHANGE);
  const refusal = assert.rejects(long, { ...failsWith('throttled', /changed too often/), retryAfterMs: 1_000 });
  for (let attempt = 1; attempt <= 10; attempt += 1) {
    await new Promise(setImmediate);
    await configurations.update('Demo', [add('A', '/x', attempt)], CHANGE);
    await release();
  }
  await refusal;
  assert.deepEqual(attributesIn((await configurations.get('Demo')).sections), { A: { x: 10 } });
});

test('what has grown long since it was measured is not read at once', async (t) => {
  const { longWork, lengths, release } = heldJobs();
  const { configurations, store, game } = await openWithGame(t, { longWork });
  const { bytes } = store.configurations;
  const sections = JSON.stringify({ A: { x: 'x'.repeat(LONG) } });
  t.mock.method(store.configurations, 'bytes', async (gameId: string) => {
    const found = await bytes(gameId);
    await store.configurations.set({ gameId: game.id, sections, updatedAt: 1 });
    return found;
  });
  const get = configurations.get('Demo');
  await release();
  assert.equal((await get).updatedAt, 1);
  assert.deepEqual(lengths, [0, Number.POSITIVE_INFINITY]);
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CHANGE } from '../../../test/support/domain.ts';
import { ManualClock } from '../../../test/support/manual-clock.ts';
import { type ErrorCode, ServiceError } from '../../errors.ts';
import { chargeFor } from '../../store/player-data/player-data.ts';
import { Model } from '../../store/player-data/player-data-model.ts';
import type { StageRecord } from '../../store/store.ts';
import type { Audit, Change } from '../audit/audit.ts';
import { createListTurn, MAX_PAGE_BYTES } from '../list-turns.ts';
import { createKeptData, type KeptPage } from './kept-data.ts';

const LIMITS = { maxKeysPerPlayer: 10_000, maxBytesPerPlayer: 16_777_216, maxBytesPerStage: 100_000_000 };
const ANNA = { stageId: 's', playerId: 'anna' };
const NAMED = { gameName: 'Demo', stageName: 'Dev', playerId: 'anna' };
const failsWith = (code: ErrorCode, message: RegExp) => ({ name: 'ServiceError', code, message });
const entries = (values: Readonly<Record<string, string>>) => new Map(Object.entries(values));

function prepare() {
  const playerData = new Model(LIMITS);
  const stage = { id: 's', gameId: 'g', state: 'ACTIVE' } as StageRecord;
  const found: { stage: StageRecord | undefined; mayRecord: boolean } = { stage, mayRecord: true };
  const records: unknown[] = [];
  let turns = 0;
  const around = async (change: Change, rule: () => unknown, detailsOf?: (result: never) => object) => {
    if (!found.mayRecord) throw new ServiceError('internal', 'no record, no change');
    const record: { [member: string]: unknown } = { playerId: change.playerId, operation: change.operation };
    records.push(record);
    try {
      const result = await rule();
      Object.assign(record, detailsOf?.(result as never));
      return result;
    } catch (error) {
      record.error = (error as ServiceError).code;
      throw error;
    }
  };
  const clock = new ManualClock();
  const kept = createKeptData({
    store: { games: { find: async () => undefined }, stages: { find: () => found.stage } },
    playerData,
    audit: { around } as Audit,
    pageTokens: {
      seal: (position, scope) => `${scope}|${position}`,
      open(token, scope) {
        if (token.startsWith(`${scope}|`)) return token.slice(scope.length + 1);
        throw new ServiceError('validation', 'not a token of this list');
      },
    },
    turn: createListTurn((task) => {
      turns += 1;
      task();
    }),
    clock,
    settings: { disconnectDeadlineMs: 5_000 },
  });
  return { playerData, kept, found, stage, records, turns: () => turns };
}

const valuesOf = ({ values }: KeptPage) => Buffer.from(values).toString();

test('what is kept of a player is given as it was set, with how much it is', async () => {
  const { playerData, kept, turns } = prepare();
  const nothing = { version: 0, keys: 0, bytes: 0, charge: 0, values: Buffer.from('{}'), nextToken: undefined };
  assert.deepEqual(await kept.get(NAMED, undefined), nothing);
  const version = await playerData.set(ANNA, entries({ level: '7', '"é': '{"a":[1.50,null]}', __proto__x: '""' }));
  await playerData.set({ ...ANNA, playerId: 'bert' }, entries({ other: '1' }));
  const page = await kept.get(NAMED, undefined);
  assert.equal(valuesOf(page), '{"level":7,"\\"é":{"a":[1.50,null]},"__proto__x":""}');
  assert.deepEqual([page.version, page.keys, page.bytes, page.nextToken], [version, 3, 38, undefined]);
  assert.equal(page.charge, chargeFor({ keys: 3, bytes: 38 }));
  assert.equal(turns(), 2, 'each page has a turn of its own');
});

test('the pages of much data are bounded, are of one version, and begin anew when it changes', async () => {
  const { playerData, kept } = prepare();
  const values = new Map(Array.from({ length: 500 }, (_, at) => [`key ${at}`, JSON.stringify('x'.repeat(at * 4))]));
  const version = await playerData.set(ANNA, values);
  const readAll = async () => {
    const pages = [await kept.get(NAMED, undefined)];
    for (let token = pages[0]?.nextToken; token !== undefined; token = pages.at(-1)?.nextToken)
      pages.push(await kept.get(NAMED, token));
    return pages;
  };
  const pages = await readAll();
  assert.ok(pages.length > 5);
  for (const page of pages) {
    assert.deepEqual([page.version, page.keys], [version, 500]);
    assert.ok(page.values.length <= MAX_PAGE_BYTES);
  }
  const found = pages.flatMap((page) => Object.entries(JSON.parse(valuesOf(page))));
  assert.deepEqual(
    found.map(([key, value]) => [key, JSON.stringify(value)]),
    [...values],
  );
  const token = pages[0]?.nextToken ?? '';
  await assert.rejects(kept.get({ ...NAMED, playerId: 'bert' }, token), failsWith('validation', /token/));
  await playerData.set(ANNA, entries({ 'key 0': '1' }));
  await assert.rejects(kept.get(NAMED, token), failsWith('conflict', /"anna" has changed .* begin again/));
  await playerData.remove(ANNA);
  await assert.rejects(kept.get(NAMED, token), failsWith('conflict', /begin again/));
});

test('a deletion removes everything of one player, says how much, and is on record each time', async () => {
  const { playerData, kept, records } = prepare();
  const change = { ...CHANGE, operation: 'DeletePlayerData' };
  const bert = { ...ANNA, playerId: 'bert' };
  for (const player of [ANNA, bert]) await playerData.set(player, entries({ level: '7', é: '1' }));
  assert.deepEqual(await kept.delete(NAMED, change), { keys: 2, bytes: 9, charge: 9 + 256 });
  assert.deepEqual(await kept.delete(NAMED, change), { keys: 0, bytes: 0, charge: 0 });
  assert.equal((await playerData.get(ANNA)).version, 0);
  assert.equal((await playerData.get(bert)).values.size, 2);
  const record = { playerId: 'anna', operation: 'DeletePlayerData' };
  assert.deepEqual(records, [
    { ...record, counts: { keys: 2, bytes: 9 } },
    { ...record, counts: { keys: 0, bytes: 0 } },
  ]);
});

test('without a record nothing is deleted', async () => {
  const { playerData, kept, found } = prepare();
  await playerData.set(ANNA, entries({ level: '7' }));
  found.mayRecord = false;
  await assert.rejects(kept.delete(NAMED, CHANGE), failsWith('internal', /no record/));
  assert.equal((await playerData.get(ANNA)).values.size, 1);
});

test('there is no data in a stage that is unknown or being deleted, and the attempt to delete it is on record', async () => {
  const { playerData, kept, found, stage, records } = prepare();
  await playerData.set(ANNA, entries({ level: '7' }));
  for (const [gone, message] of [
    [undefined, /there is no game "Demo"/],
    [{ ...stage, state: 'DELETING' } as StageRecord, /there is no stage "Dev" in game "Demo"/],
    [{ ...stage, gameState: 'DELETING' } as StageRecord, /there is no stage "Dev" in game "Demo"/],
  ] as const) {
    found.stage = gone;
    await assert.rejects(kept.get(NAMED, undefined), failsWith('not_found', message));
    await assert.rejects(kept.delete(NAMED, CHANGE), failsWith('not_found', message));
  }
  assert.equal((await playerData.get(ANNA)).values.size, 1);
  assert.deepEqual(
    records.map((record) => (record as { error: string }).error),
    Array(3).fill('not_found'),
  );
});

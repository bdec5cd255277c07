import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CHANGE, openDomain, ROLE } from '../../test/support/domain.ts';
import { createStageLogLines, type LinesAsked } from './stage-log-lines.ts';

const MANY = 40;

test('what leaves lines of a log out takes a share of the time of the node, and other reads do not', async (t) => {
  const { games, stages, store, clock } = await openDomain(t);
  await games.create({ name: 'Demo' }, CHANGE);
  await stages.create({ gameName: 'Demo', name: 'Dev', role: ROLE }, CHANGE);

  /** How many of many calls at once read the log, while no read ends. */
  async function readsOf(asked: Partial<LinesAsked>): Promise<number> {
    let reads = 0;
    const read = () => {
      reads += 1;
      return new Promise<never>(() => {});
    };
    const lines = createStageLogLines({ store, stageLogs: { read }, clock });
    for (let call = 0; call < MANY; call += 1)
      lines.list('Demo', 'Dev', { order: 'newest_first', limit: 100, ...asked }).catch(() => {});
    for (let turn = 0; turn < MANY; turn += 1) await new Promise((resolve) => setImmediate(resolve));
    return reads;
  }

  assert.equal(await readsOf({}), MANY);
  assert.equal(await readsOf({ order: 'oldest_first', after: 7 }), MANY);
  for (const asked of [{ playerId: 'p' }, { message: 'M' }, { minLevel: 'warn' }, { since: 1 }, { until: 1 }] as const)
    assert.equal(await readsOf(asked), 1, Object.keys(asked).join());
});

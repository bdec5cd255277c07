import assert from 'node:assert/strict';
import { test } from 'node:test';
import { findBarViolations } from './bar-checker.ts';
import { BlocksWorld } from './blocks-world.ts';

/** CI runs the same histories each time, so that a failure is due to the change. */
const FIRST_SEED = Number(process.env.TEST_SEED ?? 1);
const HISTORIES = Number(process.env.TEST_HISTORIES ?? 300);

test('every history of blocks, hellos and faults lets in whom it should, and keeps out whom it should', async () => {
  const coverage = new Set<string>();
  for (let seed = FIRST_SEED; seed < FIRST_SEED + HISTORIES; seed += 1) {
    const history = await new BlocksWorld(seed, coverage).run();
    assert.deepEqual(findBarViolations(history), [], `TEST_SEED=${seed} TEST_HISTORIES=1`);
  }
  // Other histories may lack what is rare.
  if (HISTORIES < 300 || FIRST_SEED !== 1) return;
  for (const race of [
    ...['a block: done', 'a block: unavailable', 'an unblock: done', 'an unblock: unavailable', 'a revoke: done'],
    ...['a hello: welcomed', 'a hello: blocked', 'a hello: revoked', 'register: barred', 'register: unbarred'],
    ...['a killed node', 'a lease that ended', 'an empty restart', 'a stale restart', 'set_bars: link_replaced'],
  ]) {
    assert(coverage.has(race), `no history had ${race}: only ${[...coverage].sort().join(', ')}`);
  }
});

test('a seed replays exactly', async () => {
  const [one, other] = [await new BlocksWorld(7, new Set()).run(), await new BlocksWorld(7, new Set()).run()];
  assert.deepEqual(one, other);
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { findViolations } from './checker.ts';
import { ClusterWorld } from './cluster-world.ts';
import { DEADLINE_MS } from './simulated-node.ts';

/** CI runs the same histories each time, so that a failure is due to the change. */
const FIRST_SEED = Number(process.env.TEST_SEED ?? 1);
const HISTORIES = Number(process.env.TEST_HISTORIES ?? 1_000);

test('every history of nodes, a shared Redis and their faults keeps the promises', async () => {
  const coverage = new Set<string>();
  for (let seed = FIRST_SEED; seed < FIRST_SEED + HISTORIES; seed += 1) {
    const history = await new ClusterWorld(seed, coverage).run();
    assert.deepEqual(findViolations(history, { deadlineMs: DEADLINE_MS }), [], `TEST_SEED=${seed} TEST_HISTORIES=1`);
  }
  // Other histories may lack what is rare.
  if (HISTORIES < 500 || FIRST_SEED !== 1) return;
  for (const race of [
    ...['a success', 'a failure', 'an unavailable directory', 'a killed node', 'a pause longer than the lease'],
    ...['a short cut', 'a cut longer than the lease', 'a broken link'],
    ...['a link break after a restart', 'a link break in the middle of a re-registration'],
    ...['a deployment of which all nodes have heard', 'a deployment of which not all nodes have heard'],
    ...['register: runtime_changed'],
    ...['a lost request', 'a lost acknowledgement', 'an empty restart', 'a stale restart', 'a paused Redis'],
    ...['a wall clock that jumped', 'a lease that ended', 'a command of a connection that was given up'],
    ...['register: link_replaced', 'restore: link_replaced'],
  ]) {
    assert(coverage.has(race), `no history had ${race}: only ${[...coverage].sort().join(', ')}`);
  }
});

test('a seed replays exactly', async () => {
  const [one, other] = [await new ClusterWorld(7, new Set()).run(), await new ClusterWorld(7, new Set()).run()];
  assert.deepEqual(one, other);
});

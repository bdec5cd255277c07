import assert from 'node:assert/strict';
import { test } from 'node:test';
import { findViolations } from './checker.ts';
import { ClusterWorld } from './cluster-world.ts';
import { DEADLINE_MS } from './simulated-node.ts';

/** CI runs the same histories each time, so that a failure is due to the change. */
const FIRST_SEED = Number(process.env.TEST_SEED ?? 1);
const HISTORIES = Number(process.env.TEST_HISTORIES ?? 300);

for (const whenPlayerFull of ['refuse', 'replace_oldest'] as const) {
  test(`every history keeps the promises in which players have as many connections as allowed: ${whenPlayerFull}`, async () => {
    for (let seed = FIRST_SEED; seed < FIRST_SEED + HISTORIES; seed += 1) {
      const world = new ClusterWorld(seed, new Set(), { maxConnectionsPerPlayer: 1 + (seed % 3), whenPlayerFull });
      const history = await world.run();
      assert.deepEqual(findViolations(history, { deadlineMs: DEADLINE_MS }), [], `TEST_SEED=${seed} TEST_HISTORIES=1`);
    }
  });
}

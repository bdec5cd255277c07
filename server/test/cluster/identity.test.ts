import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startCluster, until, whyNoCluster } from '../support/cluster.ts';
import { usePostgres } from '../support/postgres.ts';
import type { RunningServer } from '../support/process.ts';

const postgres = usePostgres();

/** A second, and what a machine that does other work needs for a handshake. */
const HEEDED_WITHIN_MS = 3_000;

test('[postgres] guests who are refused on one node are refused on the others a moment later', {
  skip: whyNoCluster,
}, async (t) => {
  const cluster = await startCluster(t, postgres, 3);
  const [first, ...others] = cluster.nodes as [RunningServer, ...RunningServer[]];
  await cluster.untilReady();
  const isOpen = (node: RunningServer) =>
    node.connect().then(
      () => true,
      (error: unknown) => !/4503 this stage does not allow guests/.test(String(error)),
    );
  // The nodes remember the stage from here on.
  assert.deepEqual(await Promise.all(cluster.nodes.map(isOpen)), [true, true, true]);
  const set = (...options: readonly string[]) =>
    cluster.run(first, 'identity', 'set', '--game', 'Demo', '--stage', 'Dev', ...options);
  assert.equal((await set('--no-guests')).exitCode, 0);
  const changedAt = performance.now();
  assert.equal(await isOpen(first), false, 'at once on the node that made it');
  await until(async () => (await Promise.all(others.map(isOpen))).every((open) => !open));
  const tookMs = performance.now() - changedAt;
  assert.ok(tookMs < HEEDED_WITHIN_MS, `${tookMs} ms`);
  const { stdout } = await cluster.run(first, 'token', '--game', 'Demo', '--stage', 'Dev', '--player', 'p1', '--json');
  const { token } = JSON.parse(stdout);
  for (const node of others) assert.equal((await node.connect({ token })).playerId, 'p1');
  assert.equal((await set('--guests')).exitCode, 0);
  assert.equal(await isOpen(first), true);
});

import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { test } from 'node:test';
import { runBench } from '../bench.ts';
import { OWN_NODE } from '../node-binary.ts';
import type { ScenarioName } from '../scenarios/index.ts';
import { QUICK } from '../scenarios/scenario.ts';

/** Seen from bench/dist/src/cloud-code. In CI their absence is a failure. */
const hasPeers = ['../../../node_modules', '../peers'].every((path) => existsSync(new URL(path, import.meta.url)));
const skip = !hasPeers && process.env.CI !== 'true' && 'the peers are not there: npm run bench -- --quick';

const SMALL = {
  ...{ chattingConnections: 70, messages: 400, secondsAtRate: 0.1 },
  ...{ restores: 8, loads: 2, deployments: 2 },
};

for (const { scenario, figures } of [
  { scenario: 'handlers', figures: 18 },
  { scenario: 'notifications', figures: 3 },
  { scenario: 'guest', figures: 5 },
  { scenario: 'deployment', figures: 2 },
  { scenario: 'stuck-neighbour', figures: 4 },
] satisfies { scenario: ScenarioName; figures: number }[]) {
  test(`every contestant of ${scenario} answers as it should, and is measured`, { skip }, async () => {
    const scale = { ...QUICK, ...SMALL };
    const options = { scenarios: [scenario], scale, isQuick: true, rounds: 1, nodes: [OWN_NODE] };
    const { measurements } = await runBench({ ...options, onProgress: () => {} });
    assert(measurements.length > 0);
    for (const { contestant, figures: measured } of measurements) {
      // The engine that is made for each message has no handler that waits.
      const expected = contestant === 'fresh-engine' && scenario === 'handlers' ? 12 : figures;
      assert.equal(Object.keys(measured).length, expected, contestant);
      for (const [figure, value] of Object.entries(measured)) {
        // A server of one thread may do so few messages without any other.
        const isPossible = value > 0 || (value === 0 && figure.includes('beside the main thread'));
        assert(isPossible && Number.isFinite(value), `${contestant}: ${figure} is ${value}`);
      }
    }
  });
}

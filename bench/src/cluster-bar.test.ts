import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkBar } from './bar.ts';
import type { ContestantName } from './contestants.ts';
import { report } from './report.ts';
import type { Results } from './results.ts';
import type { Figures } from './scenarios/scenario.ts';

const NODE = 'v20.20.2';

function resultsOf(rounds: readonly Partial<Record<ContestantName, Figures>>[]): Results {
  const machine = {
    ...{ cpu: 'a processor', cores: 2, memoryGiB: 4, kernel: '6', node: NODE },
    ...{ maxOpenFiles: 20_000, isPinned: true, loadAtStart: 0 },
  };
  const measurements = rounds.flatMap((round, index) =>
    Object.entries(round).map(([contestant, figures]) => ({
      ...{ scenario: 'cluster-disconnect', contestant: contestant as ContestantName, node: NODE },
      ...{ round: index + 1, load: 1, figures },
    })),
  );
  const nodes = [NODE];
  return { commit: 'abc', date: '2026-01-01', machine, isQuick: false, rounds: rounds.length, nodes, measurements };
}

const barOf = (...rounds: Parameters<typeof resultsOf>[0]) =>
  checkBar(resultsOf(rounds), NODE)
    .filter(({ value }) => value !== undefined)
    .map(({ promise, value, limit }) => `${promise}: ${value} of ${limit}`);

test('what other nodes add to a call is the difference of medians, and only where nothing waits for a core', () => {
  const round = (one: number, two: number, three: number) => ({
    respark: {
      '1 node, one at a time: call p50, ms': one,
      '2 nodes, one at a time: call p50, ms': two,
      '3 nodes, one at a time: call p50, ms': three,
      '1 node, 32 at once: call p50, ms': 10,
      '2 nodes, 32 at once: call p50, ms': 20,
    },
  });
  assert.deepEqual(barOf(round(0.5, 1, 1.25), round(9, 9, 9), round(0.25, 0.75, 0.25)), [
    '2 nodes, one at a time: call p50, ms more than with 1 node: 0.5 of 0.6',
    '3 nodes, one at a time: call p50, ms more than with 1 node: 0.75 of 0.6',
  ]);
});

test('until the sockets are closed, Respark may take no longer than the better peer of as many nodes', () => {
  const figures = (two: number, three: number) => ({
    '1 node, 200 calls/s: last socket closed p50, ms': 0.1,
    '2 nodes, 200 calls/s: last socket closed p50, ms': two,
    '3 nodes, 200 calls/s: last socket closed p50, ms': three,
  });
  const bare = { 'socket.io': figures(4, 2), colyseus: figures(6, 6) };
  const guarded = { 'socket.io-guarded': figures(12, 6), 'colyseus-guarded': figures(6, 12) };
  assert.deepEqual(barOf({ respark: figures(3, 3), ...bare, ...guarded }), [
    '2 nodes, 200 calls/s: last socket closed p50, to the better bare peer: 0.75 of 1',
    '3 nodes, 200 calls/s: last socket closed p50, to the better bare peer: 1.5 of 1',
    '2 nodes, 200 calls/s: last socket closed p50, to the better guarded peer: 0.5 of 1',
    '3 nodes, 200 calls/s: last socket closed p50, to the better guarded peer: 0.5 of 1',
  ]);
});

test('a node that has nothing to do with a call may cost it a tenth more CPU, with that of Redis', () => {
  const figures = {
    '1 node, 32 at once: server CPU, µs a call': 100,
    '1 node, 32 at once: Redis CPU, µs a call': 10,
    '2 nodes, 32 at once: server CPU, µs a call': 700,
    '2 nodes, 32 at once: Redis CPU, µs a call': 100,
    '2 nodes, 32 at once: PostgreSQL CPU, µs a call': 500,
    '3 nodes, 32 at once: server CPU, µs a call': 900,
    '3 nodes, 32 at once: Redis CPU, µs a call': 100,
    '3 nodes, 32 at once: PostgreSQL CPU, µs a call': 500,
  };
  const results = [{ respark: figures, 'socket.io': figures }];
  const promise = '3 nodes, 32 at once: CPU of a call with that of Redis, to 2 nodes';
  assert.deepEqual(barOf(...results), [`${promise}: 1.25 of 1.1`]);
  assert.equal(report(resultsOf(results)).trimEnd().split('\n').at(-1), `| ${promise} | 1.25 | ≤ 1.1 | MISSED |`);
});

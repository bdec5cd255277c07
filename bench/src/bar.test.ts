import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkBar } from './bar.ts';
import type { ContestantName } from './contestants.ts';
import { report } from './report.ts';
import type { Results } from './results.ts';
import type { ScenarioName } from './scenarios/index.ts';

const NODE = 'v20.20.2';

/** A run of one round with these figures, the same on each Node.js. */
function resultsOf(
  figures: Partial<Record<ContestantName, number>>,
  scenario: ScenarioName,
  figure: string,
  nodes = [NODE],
): Results {
  const machine = {
    ...{ cpu: 'a processor', cores: 2, memoryGiB: 4, kernel: '6', node: NODE },
    ...{ maxOpenFiles: 20_000, isPinned: true, loadAtStart: 0 },
  };
  const measurements = Object.entries(figures).flatMap(([contestant, value]) =>
    nodes.map((node) => ({
      scenario,
      contestant: contestant as ContestantName,
      node,
      round: 1,
      load: 1,
      figures: { [figure]: value },
    })),
  );
  return { commit: 'abc', date: '2026-01-01', machine, isQuick: false, rounds: 1, nodes, measurements };
}

function barOf(...run: Parameters<typeof resultsOf>) {
  return checkBar(resultsOf(...run), NODE)
    .filter(({ value }) => value !== undefined)
    .map(({ promise, value, limit }) => `${promise}: ${value} of ${limit}`);
}

test('a promise is held against the floor over ws, and not against the one with an own codec', () => {
  const figures = { respark: 80, floor: 100, 'floor-own-codec': 40, 'socket.io': 10 };
  assert.deepEqual(barOf(figures, 'disconnect', 'one at a time: server CPU, µs a call'), [
    'one at a time: server CPU of a call: 0.8 of 0.85',
  ]);
  assert.deepEqual(barOf(figures, 'idle', '19,000 connections: RSS, KiB each'), [
    '19,000 connections: RSS of an idle one: 0.8 of 0.75',
  ]);
});

test('a promise about peers is held against the better one, bare or guarded', () => {
  const peers = { 'socket.io': 4, colyseus: 2, 'socket.io-guarded': 5, 'colyseus-guarded': 8 };
  assert.deepEqual(barOf({ respark: 3, floor: 1, ...peers }, 'disconnect', '200 calls/s: call p50, ms'), [
    '200 calls/s: call p50, to the better bare peer: 1.5 of 1.4',
    '200 calls/s: call p50, to the better guarded peer: 0.6 of 1',
  ]);
});

test('the report ends with the promises that were measured, met and missed', () => {
  const run = resultsOf({ respark: 3, 'colyseus-guarded': 3, colyseus: 2 }, 'disconnect', '200 calls/s: call p50, ms');
  assert.deepEqual(report(run).trimEnd().split('\n').slice(-4), [
    '|  | measured | promised |  |',
    '| --- | ---: | ---: | ---: |',
    '| 200 calls/s: call p50, to the better bare peer | 1.50 | ≤ 1.4 | MISSED |',
    '| 200 calls/s: call p50, to the better guarded peer | 1.00 | ≤ 1 | met |',
  ]);
});

test('where a run had several versions of Node.js, each row says which one it is about', () => {
  const nodes = [NODE, 'v24.17.0'];
  const text = report(resultsOf({ respark: 8, floor: 4 }, 'connect', 'server CPU, µs a handshake', nodes));
  for (const node of nodes) {
    assert(text.includes(`\n| server CPU, µs a handshake, Node.js ${node} | 8.00 | 4.00 | 2.00x |\n`), text);
    assert(text.includes(`\n| server CPU of a connect, with hello and token, Node.js ${node} | 2.00 |`), text);
  }
});

test('of scripts, a rate is promised from below and a time from above', () => {
  assert.deepEqual(barOf({ respark: 4_100, 'socket.io': 1 }, 'handlers', 'one call: messages/s'), [
    'handlers with one call, messages/s: 4100 of 4000',
  ]);
  const linesOf = (value: number, figure: string) => {
    const lines = report(resultsOf({ respark: value }, 'handlers', figure))
      .trimEnd()
      .split('\n');
    return lines.slice(lines.indexOf('| --- | ---: | ---: | ---: |', lines.length - 3) + 1);
  };
  assert.deepEqual(linesOf(3_900, 'one call: messages/s'), [
    '| handlers with one call, messages/s | 3,900 | ≥ 4,000 | MISSED |',
  ]);
  assert.deepEqual(linesOf(0.9, 'one call: 500/s: p50, ms'), ['| the same at 500/s: p50, ms | 0.90 | ≤ 1 | met |']);
  assert.deepEqual(linesOf(7, 'one call: 500/s: p99, ms'), ['| the same at 500/s: p99, ms | 7.00 | ≤ 6 | MISSED |']);
});

test('what a stuck neighbour costs is the ratio of the same figure without and with it', () => {
  const results = resultsOf({ respark: 3 }, 'stuck-neighbour', 'alone: 500/s: p99, ms');
  const [measurement] = results.measurements;
  assert(measurement !== undefined);
  const figures = { ...measurement.figures, 'beside loops: 500/s: p99, ms': 4.5 };
  const found = checkBar({ ...results, measurements: [{ ...measurement, figures }] }, NODE);
  assert.equal(found.find(({ promise }) => promise.startsWith('p99 beside'))?.value, 1.5);
});

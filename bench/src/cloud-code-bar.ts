import type { BarCheck } from './bar-check.ts';
import { Medians, type Results } from './results.ts';

/** What the server promises of the scripts that it runs, with its default of two threads for them, on two cores. */
export function checkCloudCodeBar(results: Results, node: string): BarCheck[] {
  const of = (scenario: string, figure: string) => new Medians(results, scenario, node).of('respark', figure);
  const alone = of('stuck-neighbour', 'alone: 500/s: p99, ms');
  const beside = of('stuck-neighbour', 'beside loops: 500/s: p99, ms');
  const handler = (figure: string) => of('handlers', `one call: ${figure}`);
  return [
    { promise: 'handlers with one call, messages/s', value: handler('messages/s'), limit: 4_000, isLeast: true },
    { promise: 'the same at 500/s: p50, ms', value: handler('500/s: p50, ms'), limit: 1 },
    { promise: 'the same at 500/s: p99, ms', value: handler('500/s: p99, ms'), limit: 6 },
    { promise: 'the same: server CPU, µs a message', value: handler('server CPU, µs a message'), limit: 300 },
    {
      promise: 'the same: CPU in the threads for scripts, µs a message',
      value: handler('CPU beside the main thread, µs a message'),
      limit: 130,
    },
    {
      promise: 'a guest put back, µs',
      value: of('guest', 'restore after a small handler, µs'),
      limit: 40,
    },
    { promise: 'a script set loaded, ms', value: of('guest', 'script set loaded, median, ms'), limit: 10 },
    {
      promise: 'the first message after a deployment, the slowest, ms',
      value: of('deployment', 'first message, slowest, ms'),
      limit: 100,
    },
    {
      promise: 'p99 beside a stage that is stuck, to that alone',
      value: alone === undefined || beside === undefined ? undefined : beside / alone,
      limit: 2,
    },
  ];
}

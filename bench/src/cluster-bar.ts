import type { BarCheck } from './bar-check.ts';
import { Medians, type Results } from './results.ts';
import { difference, ratio } from './statistics.ts';

/** The loads whose times are promised; with 32 calls at once they show how many nodes there are on one core. */
const TIMED_LOADS = ['one at a time', '200 calls/s'];
const LOADS = ['one at a time', '32 at once', '200 calls/s'];
const PEERS = [
  { kind: 'peer', title: 'bare peer' },
  { kind: 'guarded', title: 'guarded peer' },
] as const;
/** The player is on another node than the one that is asked. */
const ACROSS_NODES = ['2 nodes', '3 nodes'];

/** What the server promises of disconnects in a cluster, to one node and to the peers with the same Redis. */
export function checkClusterBar(results: Results, node: string): BarCheck[] {
  const medians = new Medians(results, 'cluster-disconnect', node);
  const ours = (figure: string) => medians.of('respark', figure);
  const cpu = (size: string, load: string) =>
    sum(ours(`${size}, ${load}: server CPU, µs a call`), ours(`${size}, ${load}: Redis CPU, µs a call`));
  return [
    ...ACROSS_NODES.flatMap((size) =>
      TIMED_LOADS.map((load) => ({
        promise: `${size}, ${load}: call p50, ms more than with 1 node`,
        value: difference(ours(`${size}, ${load}: call p50, ms`), ours(`1 node, ${load}: call p50, ms`)),
        limit: 0.6,
      })),
    ),
    ...PEERS.flatMap(({ kind, title }) =>
      ACROSS_NODES.flatMap((size) =>
        TIMED_LOADS.map((load) => {
          const figure = `${size}, ${load}: last socket closed p50, ms`;
          return {
            promise: `${size}, ${load}: last socket closed p50, to the better ${title}`,
            value: ratio(ours(figure), medians.ofBest(kind, figure)),
            limit: 1,
          };
        }),
      ),
    ),
    ...LOADS.map((load) => ({
      promise: `3 nodes, ${load}: CPU of a call with that of Redis, to 2 nodes`,
      value: ratio(cpu('3 nodes', load), cpu('2 nodes', load)),
      limit: 1.1,
    })),
  ];
}

function sum(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined || b === undefined ? undefined : a + b;
}

import type { BarCheck } from './bar-check.ts';
import { checkCloudCodeBar } from './cloud-code-bar.ts';
import { checkClusterBar } from './cluster-bar.ts';
import type { Kind } from './contestants.ts';
import { Medians, type Results } from './results.ts';
import { ratio } from './statistics.ts';

/** The memory of an idle connection is promised for these numbers of them; a smaller one shows more noise than memory. */
const IDLE_SIZES = ['10,000', '19,000'];

/** What the server promises on each Node.js, to the floor over `ws` where nothing else is said. */
export function checkBar(results: Results, node: string): BarCheck[] {
  const disconnect = new Medians(results, 'disconnect', node);
  const growth = new Medians(results, 'growth', node);
  const toFloor = (medians: Medians, figure: string) =>
    ratio(medians.of('respark', figure), medians.of('floor', figure));
  const toBest = (kind: Kind, figure: string) =>
    ratio(disconnect.of('respark', figure), disconnect.ofBest(kind, figure));
  const cpu = (load: string, limit: number) => ({
    promise: `${load}: server CPU of a call`,
    value: toFloor(disconnect, `${load}: server CPU, µs a call`),
    limit,
  });
  const p99 = (load: string) => ({
    promise: `${load}: call p99`,
    value: toFloor(disconnect, `${load}: call p99, ms`),
    limit: 1.2,
  });
  const growthFigures = growth.figures.filter((figure) => figure.endsWith('server CPU, µs a call'));
  return [
    cpu('one at a time', 0.85),
    cpu('32 at once', 1),
    cpu('200 calls/s', 0.95),
    {
      promise: '200 calls/s: call p50, to the better bare peer',
      value: toBest('peer', '200 calls/s: call p50, ms'),
      limit: 1.4,
    },
    {
      promise: '200 calls/s: call p50, to the better guarded peer',
      value: toBest('guarded', '200 calls/s: call p50, ms'),
      limit: 1,
    },
    {
      promise: '200 calls/s: last socket closed p50, to the better bare peer',
      value: toBest('peer', '200 calls/s: last socket closed p50, ms'),
      limit: 1.4,
    },
    p99('one at a time'),
    p99('32 at once'),
    ...IDLE_SIZES.map((size) => ({
      promise: `${size} connections: RSS of an idle one`,
      value: toFloor(new Medians(results, 'idle', node), `${size} connections: RSS, KiB each`),
      limit: 0.75,
    })),
    {
      promise: 'server CPU of a connect, with hello and token',
      value: toFloor(new Medians(results, 'connect', node), 'server CPU, µs a handshake'),
      limit: 1.6,
    },
    {
      promise: 'server CPU of a request’s round trip, 64 at once',
      value: toFloor(new Medians(results, 'round-trip', node), '64 at once: server CPU, µs a round trip'),
      limit: 1.2,
    },
    {
      promise: 'server CPU of a call as connections grow, the dearest size to the cheapest',
      value: spread(growthFigures.map((figure) => growth.of('respark', figure))),
      limit: 1.2,
    },
    ...checkClusterBar(results, node),
    ...checkCloudCodeBar(results, node),
  ];
}

function spread(values: readonly (number | undefined)[]): number | undefined {
  const known = values.filter((value) => value !== undefined);
  return known.length === 0 ? undefined : Math.max(...known) / Math.min(...known);
}

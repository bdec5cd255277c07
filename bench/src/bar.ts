import type { ContestantName } from './contestants.ts';
import { Medians, type Results } from './results.ts';

/** What the server promises about its figures. */
export interface BarCheck {
  readonly promise: string;
  /** Undefined when the run did not measure it. */
  readonly value: number | undefined;
  readonly limit: number;
}

/** Differences of medians that small come and go between runs of the same code. */
const NOISE = 1.1;

export function checkBar(results: Results): BarCheck[] {
  const disconnect = new Medians(results, 'disconnect');
  const idle = new Medians(results, 'idle');
  const growth = new Medians(results, 'growth');
  const toFloor = (medians: Medians, figure: string, contestant: ContestantName = 'respark') =>
    ratio(medians.of(contestant, figure), medians.of('floor', figure));
  const toPeer = (figure: string) => ratio(disconnect.of('respark', figure), disconnect.ofBetterPeer(figure));
  const cpuFigures = disconnect.figures.filter((figure) => figure.endsWith('server CPU, µs a call'));
  const memoryFigures = idle.figures.filter((figure) => figure.endsWith('KiB each'));
  const growthFigures = growth.figures.filter((figure) => figure.endsWith('server CPU, µs a call'));
  return [
    {
      promise: 'the call at 200 a second, p50, to the better peer’s',
      value: toPeer('200 calls/s: call p50, ms'),
      limit: NOISE,
    },
    {
      promise: 'the last socket closed at 200 calls a second, p50, to the better peer’s',
      value: toPeer('200 calls/s: last socket closed p50, ms'),
      limit: NOISE,
    },
    ...cpuFigures.flatMap((figure) => [
      { promise: `CPU, ${figure}, to the floor’s`, value: toFloor(disconnect, figure), limit: 1.35 },
      {
        promise: `CPU, ${figure}, without signature and audit, to the floor’s`,
        value: toFloor(disconnect, figure, 'respark-bare'),
        limit: 1.1,
      },
    ]),
    ...memoryFigures.flatMap((figure) => [
      { promise: `${figure}, to the floor’s`, value: toFloor(idle, figure), limit: 1.15 },
      {
        promise: `${figure}, to Socket.IO’s`,
        value: ratio(idle.of('respark', figure), idle.of('socket.io', figure)),
        limit: 0.5,
      },
    ]),
    {
      promise: 'a call’s CPU, the dearest size to the cheapest',
      value: spread(growthFigures.map((figure) => growth.of('respark', figure))),
      limit: 1.2,
    },
    {
      promise: 'start-up, seconds',
      value: ratio(new Medians(results, 'start-up').of('respark', 'until it serves, ms'), 1000),
      limit: 2,
    },
  ];
}

function ratio(value: number | undefined, base: number | undefined): number | undefined {
  return value === undefined || base === undefined ? undefined : value / base;
}

function spread(values: readonly (number | undefined)[]): number | undefined {
  const known = values.filter((value) => value !== undefined);
  return known.length === 0 ? undefined : Math.max(...known) / Math.min(...known);
}

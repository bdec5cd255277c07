import type { ContestantName } from './contestants.ts';
import { Medians, type Results } from './results.ts';

/** A promise about the server's figures: the value must be at most the limit. */
export interface BarCheck {
  readonly promise: string;
  /** Undefined if the run did not measure it. */
  readonly value: number | undefined;
  readonly limit: number;
}

/** Medians differ by up to this factor between runs of the same code. */
const NOISE = 1.1;

export function checkBar(results: Results): BarCheck[] {
  const disconnect = new Medians(results, 'disconnect');
  const idle = new Medians(results, 'idle');
  const growth = new Medians(results, 'growth');
  const toFloor = (medians: Medians, figure: string, contestant: ContestantName = 'respark') =>
    ratio(medians.of(contestant, figure), medians.of('floor', figure));
  const toPeer = (figure: string) => ratio(disconnect.of('respark', figure), disconnect.ofBest('peer', figure));
  const cpuFigures = disconnect.figures.filter((figure) => figure.endsWith('server CPU, µs a call'));
  const memoryFigures = idle.figures.filter((figure) => figure.endsWith('KiB each'));
  const growthFigures = growth.figures.filter((figure) => figure.endsWith('server CPU, µs a call'));
  return [
    {
      promise: 'call p50 at 200 calls/s, compared with the better peer',
      value: toPeer('200 calls/s: call p50, ms'),
      limit: NOISE,
    },
    {
      promise: 'last socket closed p50 at 200 calls/s, compared with the better peer',
      value: toPeer('200 calls/s: last socket closed p50, ms'),
      limit: NOISE,
    },
    ...cpuFigures.flatMap((figure) => [
      { promise: `${figure}, compared with the floor`, value: toFloor(disconnect, figure), limit: 1.35 },
      {
        promise: `${figure}, without signature and audit, compared with the floor`,
        value: toFloor(disconnect, figure, 'respark-bare'),
        limit: 1.1,
      },
    ]),
    ...memoryFigures.flatMap((figure) => [
      { promise: `${figure}, compared with the floor`, value: toFloor(idle, figure), limit: 1.15 },
      {
        promise: `${figure}, compared with Socket.IO`,
        value: ratio(idle.of('respark', figure), idle.of('socket.io', figure)),
        limit: 0.5,
      },
    ]),
    {
      promise: 'CPU of a call, most expensive size compared with the cheapest',
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

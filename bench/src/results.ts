import { CONTESTANTS, type ContestantName } from './contestants.ts';
import type { MachineFacts } from './machine.ts';
import type { Figures } from './scenarios/scenario.ts';
import { median } from './statistics.ts';

/** The figures of one contestant in one round of a scenario. */
export interface Measurement {
  readonly scenario: string;
  readonly contestant: ContestantName;
  readonly round: number;
  /** The load average of the minute before its end; the measurement itself accounts for one to two. */
  readonly load: number;
  readonly figures: Figures;
}

/** Everything a run has measured: the form of the files in `bench/results/`. */
export interface Results {
  readonly commit: string;
  readonly date: string;
  readonly machine: MachineFacts;
  readonly isQuick: boolean;
  readonly rounds: number;
  readonly measurements: readonly Measurement[];
}

export const CONTESTANT_NAMES = Object.keys(CONTESTANTS) as ContestantName[];
/** The contestants of which `ofBetterPeer` takes the better; the floor is no product, the bare gateway is Respark's. */
const PEERS = ['socket.io', 'colyseus'] as const satisfies readonly ContestantName[];

/** The medians of all rounds of one scenario. */
export class Medians {
  readonly #measurements: readonly Measurement[];

  constructor({ measurements }: Pick<Results, 'measurements'>, scenario: string) {
    this.#measurements = measurements.filter((measurement) => measurement.scenario === scenario);
  }

  /** The names of all figures, in the order in which they were measured. */
  get figures(): string[] {
    return [...new Set(this.#measurements.flatMap(({ figures }) => Object.keys(figures)))];
  }

  /** Undefined if it was not measured. */
  of(contestant: ContestantName, figure: string): number | undefined {
    const values = this.#measurements
      .filter((measurement) => measurement.contestant === contestant)
      .map(({ figures }) => figures[figure])
      .filter((value) => value !== undefined);
    return values.length === 0 ? undefined : median(values);
  }

  /** The value of the better peer: the higher one for a rate, the lower one for anything else. */
  ofBetterPeer(figure: string): number | undefined {
    const values = PEERS.map((peer) => this.of(peer, figure)).filter((value) => value !== undefined);
    if (values.length === 0) return undefined;
    return isRate(figure) ? Math.max(...values) : Math.min(...values);
  }
}

/** Whether a figure is a rate, for which more is better. */
export function isRate(figure: string): boolean {
  return figure.endsWith('/s');
}

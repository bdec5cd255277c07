import { CONTESTANT_NAMES, CONTESTANTS, type ContestantName, type Kind } from './contestants.ts';
import type { MachineFacts } from './machine.ts';
import type { Figures } from './scenarios/scenario.ts';
import { median } from './statistics.ts';

/** The figures of one contestant in one round of a scenario. */
export interface Measurement {
  readonly scenario: string;
  readonly contestant: ContestantName;
  /** The version of the Node.js that it ran on. */
  readonly node: string;
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
  /** The versions of Node.js that contestants ran on; the first one also ran the load generator. */
  readonly nodes: readonly string[];
  readonly measurements: readonly Measurement[];
}

/** The medians of all rounds of one scenario on one Node.js. */
export class Medians {
  readonly #measurements: readonly Measurement[];

  constructor({ measurements }: Pick<Results, 'measurements'>, scenario: string, node: string) {
    this.#measurements = measurements.filter(
      (measurement) => measurement.scenario === scenario && measurement.node === node,
    );
  }

  /** The names of all figures, in the order in which they were measured. */
  get figures(): string[] {
    return [...new Set(this.#measurements.flatMap(({ figures }) => Object.keys(figures)))];
  }

  /** Whether a contestant took part. */
  has(name: ContestantName): boolean {
    return this.#measurements.some(({ contestant }) => contestant === name);
  }

  /** Undefined if it was not measured. */
  of(contestant: ContestantName, figure: string): number | undefined {
    const values = this.#measurements
      .filter((measurement) => measurement.contestant === contestant)
      .map(({ figures }) => figures[figure])
      .filter((value) => value !== undefined);
    return values.length === 0 ? undefined : median(values);
  }

  /** The best value among contestants of a kind: the highest one for a rate, the lowest one for anything else. */
  ofBest(kind: Kind, figure: string): number | undefined {
    const names = CONTESTANT_NAMES.filter((name) => CONTESTANTS[name].kind === kind);
    const values = names.map((name) => this.of(name, figure)).filter((value) => value !== undefined);
    if (values.length === 0) return undefined;
    return isRate(figure) ? Math.max(...values) : Math.min(...values);
  }
}

/** Whether a figure is a rate, for which more is better. */
export function isRate(figure: string): boolean {
  return figure.endsWith('/s');
}

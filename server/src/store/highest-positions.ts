import { putNewest } from '../newest-entries.ts';

/** More logs than a process is likely to write or read at once; of the others nothing is known. */
const MAX_LOGS = 10_000;

/**
 * The highest position of each log that this process has seen in the database. A crash or a fail-over may bring a database back
 * to an earlier state. What is appended then must not get the positions of what was lost: a reader that has read that, and
 * goes on behind it, would miss what is new.
 */
export class HighestPositions {
  readonly #byLog = new Map<string, number>();

  of(log: string): number {
    return this.#byLog.get(log) ?? 0;
  }

  note(log: string, position: number): void {
    if (position > this.of(log)) putNewest(this.#byLog, log, position, MAX_LOGS);
  }

  /** Must be called when a log is removed. */
  forget(log: string): void {
    this.#byLog.delete(log);
  }
}

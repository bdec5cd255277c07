import type { Clock } from '../../src/clock.ts';

/** A clock that stands still until it is told to go on. */
export class ManualClock implements Clock {
  #nowMs: number;
  #elapsedMs = 0;
  readonly #timers = new Set<{ readonly at: number; readonly task: () => void }>();

  constructor(nowMs = Date.UTC(2026, 0, 2, 3, 4, 5)) {
    this.#nowMs = nowMs;
  }

  now(): number {
    return this.#nowMs;
  }

  monotonic(): number {
    return this.#elapsedMs;
  }

  after(delayMs: number, task: () => void): () => void {
    const timer = { at: this.#elapsedMs + delayMs, task };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  }

  /** Lets time pass, and runs the tasks that become due in their order. */
  advance(ms: number): void {
    const end = this.#elapsedMs + ms;
    for (;;) {
      const due = [...this.#timers].filter(({ at }) => at <= end).sort((a, b) => a.at - b.at)[0];
      if (due === undefined) break;
      this.#timers.delete(due);
      this.#goTo(Math.max(due.at, this.#elapsedMs));
      due.task();
    }
    this.#goTo(end);
  }

  /** Lets time pass as it does for a process that is stopped: no task runs before the next `advance`. */
  holdUp(ms: number): void {
    this.#goTo(this.#elapsedMs + ms);
  }

  /** Sets the wall clock forward, or back, without any time passing. */
  setForward(ms: number): void {
    this.#nowMs += ms;
  }

  /** How many timers are set. */
  get pending(): number {
    return this.#timers.size;
  }

  #goTo(elapsedMs: number): void {
    this.#nowMs += elapsedMs - this.#elapsedMs;
    this.#elapsedMs = elapsedMs;
  }
}

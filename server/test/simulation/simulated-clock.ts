import type { Clock } from '../../src/clock.ts';

/** A clock that stands still until the world moves it. */
export class SimulatedClock implements Clock {
  #nowMs = 0;
  #timers: { at: number; task: () => void }[] = [];

  now(): number {
    return 1_700_000_000_000 + this.#nowMs;
  }

  monotonic(): number {
    return this.#nowMs;
  }

  after(delayMs: number, task: () => void): () => void {
    const timer = { at: this.#nowMs + delayMs, task };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((other) => other !== timer);
    };
  }

  /** Monotonic time of the next timer; undefined when none is set. */
  get nextAt(): number | undefined {
    return this.#timers.reduce<number | undefined>((next, { at }) => Math.min(next ?? at, at), undefined);
  }

  /** Moves the time. Stops whenever a timer is due, and lets the code that it wakes run as far as it can. */
  async passTo(atMs: number): Promise<void> {
    for (let due = this.nextAt; due !== undefined && due <= atMs; due = this.nextAt) {
      this.#nowMs = Math.max(this.#nowMs, due);
      const timer = this.#timers.find(({ at }) => at === due);
      this.#timers = this.#timers.filter((other) => other !== timer);
      timer?.task();
      for (let turn = 0; turn < MICROTASK_TURNS; turn += 1) await null;
    }
    this.#nowMs = Math.max(this.#nowMs, atMs);
  }
}

/** More turns than the longest chain of awaits in the code under test needs. */
const MICROTASK_TURNS = 300;

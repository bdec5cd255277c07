import type { Clock } from '../clock.ts';

const MAX_KILLS = 3;
const WINDOW_MS = 60_000;
const PAUSE_MS = 60_000;
/** Stages that are remembered; beyond that, the one that was looked at first is forgotten. */
const MAX_STAGES = 10_000;
/** About this much of a stage's latest time in threads counts. */
const MEMORY_MS = 200;
/** A stage is slow when it spends most of its time in threads on invocations that take longer than this. */
const SLOW_MS = 20;
/** The same where they are shorter than this: a stage is quick. */
export const QUICK_MS = 2;

interface Record {
  /** The average length of the stage's invocations, weighted by their length. */
  typicalMs: number;
  /** When threads had to be ended for the stage, the last few. */
  kills: number[];
  pausedUntil: number;
}

/** How much of the threads' time the scripts of each stage take, and whether they had to be ended by force. */
export class Offences {
  readonly #clock: Clock;
  readonly #stages = new Map<string, Record>();

  constructor({ clock }: { clock: Clock }) {
    this.#clock = clock;
  }

  isSlow(stageId: string): boolean {
    return (this.#stages.get(stageId)?.typicalMs ?? 0) >= SLOW_MS;
  }

  isQuick(stageId: string): boolean {
    return (this.#stages.get(stageId)?.typicalMs ?? 0) <= QUICK_MS;
  }

  /** How much longer the stage is paused; 0 when it is not. */
  pausedMs(stageId: string): number {
    const until = this.#stages.get(stageId)?.pausedUntil ?? 0;
    return Math.max(0, Math.ceil(until - this.#clock.monotonic()));
  }

  spent(stageId: string, ms: number): void {
    const record = this.#of(stageId);
    // Weighted by time rather than by number: otherwise a few short invocations would hide each long one.
    record.typicalMs += (ms - record.typicalMs) * (1 - Math.exp(-ms / MEMORY_MS));
  }

  killed(stageId: string): void {
    const now = this.#clock.monotonic();
    const record = this.#of(stageId);
    record.kills = [...record.kills.filter((at) => now - at < WINDOW_MS), now];
    if (record.kills.length < MAX_KILLS) return;
    record.kills = [];
    record.pausedUntil = now + PAUSE_MS;
  }

  #of(stageId: string): Record {
    const known = this.#stages.get(stageId);
    if (known !== undefined) return known;
    const record: Record = { typicalMs: 0, kills: [], pausedUntil: 0 };
    if (this.#stages.size >= MAX_STAGES) {
      const [oldest] = this.#stages.keys();
      if (oldest !== undefined) this.#stages.delete(oldest);
    }
    this.#stages.set(stageId, record);
    return record;
  }
}

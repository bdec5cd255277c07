import type { Clock } from '../clock.ts';

const MAX_KILLS = 3;
const WINDOW_MS = 60_000;
const PAUSE_MS = 60_000;
/** Stages that are remembered; beyond that, the one that was looked at first is forgotten. */
const MAX_STAGES = 10_000;
/** How much of the average the newest invocation makes up. */
const WEIGHT = 0.2;

interface Record {
  averageMs: number;
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

  averageMs(stageId: string): number {
    return this.#stages.get(stageId)?.averageMs ?? 0;
  }

  /** How much longer the stage is paused; 0 when it is not. */
  pausedMs(stageId: string): number {
    const until = this.#stages.get(stageId)?.pausedUntil ?? 0;
    return Math.max(0, Math.ceil(until - this.#clock.monotonic()));
  }

  spent(stageId: string, ms: number): void {
    const record = this.#of(stageId);
    record.averageMs += (ms - record.averageMs) * WEIGHT;
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
    const record: Record = { averageMs: 0, kills: [], pausedUntil: 0 };
    if (this.#stages.size >= MAX_STAGES) {
      const [oldest] = this.#stages.keys();
      if (oldest !== undefined) this.#stages.delete(oldest);
    }
    this.#stages.set(stageId, record);
    return record;
  }
}

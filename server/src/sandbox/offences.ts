import type { Clock } from '../clock.ts';
import { putNewest } from '../newest-entries.ts';
import type { ScriptedRuntime } from './sandbox.ts';

const MAX_KILLS = 3;
const WINDOW_MS = 60_000;
const PAUSE_MS = 60_000;
/**
 * How long it is remembered that a game's scripts took too long to be loaded. Such games take turns of five seconds: one that
 * was forgotten before its next turn, as one of a dozen would be within a minute, would take another thread at once.
 */
const SLOW_TO_LOAD_MS = 3_600_000;
/** How many stages are remembered; beyond that, the one that was added first is forgotten. */
const MAX_STAGES = 10_000;
/** The typical length of a stage's invocations covers about this much of its latest time in threads. */
const MEMORY_MS = 200;
/** Less time in threads than this, some dozens of short messages, does not show yet how long a stage's scripts take. */
const KNOWN_MS = 20;
/** How many games are remembered; beyond that, the one for which a thread was ended longest ago is forgotten. */
const MAX_GAMES = 10_000;
/** A stage is slow when it spends most of its time in threads on invocations that take longer than this. */
const SLOW_MS = 20;
/** A stage is quick when its invocations typically take no longer than this. */
export const QUICK_MS = 2;

interface Record {
  /** The average length of the stage's invocations, weighted by their length. */
  typicalMs: number;
  /** All of the stage's time in threads. */
  spentMs: number;
  /** The latest times at which a thread had to be ended for the stage. */
  kills: number[];
  pausedUntil: number;
}

const UNKNOWN: Readonly<Record> = { typicalMs: 0, spentMs: 0, kills: [], pausedUntil: 0 };

type Place = Pick<ScriptedRuntime, 'stageId' | 'gameId'>;

/** How much of the threads' time the scripts of each stage take, and whether they had to be ended by force. */
export class Offences {
  readonly #clock: Clock;
  readonly #stages = new Map<string, Record>();
  /** Game → when a thread was last ended for one of its stages. */
  readonly #games = new Map<string, number>();
  /** The same, of those that had to be ended while they loaded scripts. */
  readonly #slowToLoad = new Map<string, number>();

  constructor({ clock }: { clock: Clock }) {
    this.#clock = clock;
  }

  /**
   * A stage of which little is known counts as slow for a while after a thread had to be ended for its game. Otherwise a game
   * could make a new stage each time to occupy another thread.
   */
  isSlow({ stageId, gameId }: Place): boolean {
    const { typicalMs, spentMs } = this.#stages.get(stageId) ?? UNKNOWN;
    return typicalMs >= SLOW_MS || (spentMs < KNOWN_MS && this.#hadThreadEnded(gameId));
  }

  #hadThreadEnded(gameId: string): boolean {
    return this.#isWithin(WINDOW_MS, this.#games.get(gameId));
  }

  #isWithin(windowMs: number, at: number | undefined): boolean {
    return at !== undefined && this.#clock.monotonic() - at < windowMs;
  }

  /**
   * Whether only one thread at a time loads scripts of these games: of one game, and of those whose scripts have lately taken
   * too long. Each could otherwise take a thread from all others for seconds, again and again, and there may be more such
   * games than threads.
   */
  mustLoadInTurn(gameId: string, other: string): boolean {
    const isSlow = (game: string) => this.#isWithin(SLOW_TO_LOAD_MS, this.#slowToLoad.get(game));
    return gameId === other || (isSlow(gameId) && isSlow(other));
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
    record.spentMs += ms;
    // Weighted by time rather than by number: otherwise a few short invocations would hide each long one.
    record.typicalMs += (ms - record.typicalMs) * (1 - Math.exp(-ms / MEMORY_MS));
  }

  killed({ stageId, gameId }: Place, { whileLoading = false } = {}): void {
    const now = this.#clock.monotonic();
    putNewest(this.#games, gameId, now, MAX_GAMES);
    if (whileLoading) putNewest(this.#slowToLoad, gameId, now, MAX_GAMES);
    const record = this.#of(stageId);
    record.kills = [...record.kills.filter((at) => now - at < WINDOW_MS), now];
    if (record.kills.length < MAX_KILLS) return;
    record.kills = [];
    record.pausedUntil = now + PAUSE_MS;
  }

  #of(stageId: string): Record {
    const known = this.#stages.get(stageId);
    if (known !== undefined) return known;
    const record: Record = { ...UNKNOWN, kills: [] };
    putNewest(this.#stages, stageId, record, MAX_STAGES);
    return record;
  }
}

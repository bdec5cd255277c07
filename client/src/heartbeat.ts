import type { Clock } from './clock.ts';
import { afterDeadline, GRACE_MS, LATE_MS } from './deadline.ts';

/** Calls of check() within this time after a heartbeat send no other. */
const CHECK_SPACING_MS = 1_000;

/**
 * Finds out that the server is gone: nothing arrived for two periods, although a heartbeat was sent that had the time to
 * be answered. Silence alone proves nothing when the client's timers were held back, because then no heartbeat may have
 * been sent, or its answer may lie unread; the client then asks once more, and gives up when that is not answered.
 */
export class Heartbeat {
  readonly #periodMs: number;
  /** How long an answer may take. */
  readonly #answerMs: number;
  /** How imprecise a timer may be that was not held back. */
  readonly #toleranceMs: number;
  readonly #clock: Clock;
  readonly #send: () => void;
  readonly #giveUp: (reason: string, lateMs: number) => void;
  #receivedAtMs: number;
  #sentAtMs = Number.NEGATIVE_INFINITY;
  /** When the oldest heartbeat was sent after which nothing arrived. */
  #unansweredSinceMs: number | undefined;
  /** Whether the deadline is that of an answer, which no later check may put off. */
  #isAsking = false;
  #cancelBeat: () => void = () => {};
  #cancelDeadline: () => void = () => {};

  /** Starts at once. `giveUp` is called at most once, and hears how long ago that could have been known. */
  constructor(options: {
    readonly periodMs: number;
    readonly clock: Clock;
    readonly send: () => void;
    readonly giveUp: (reason: string, lateMs: number) => void;
  }) {
    this.#periodMs = options.periodMs;
    this.#answerMs = Math.min(options.periodMs, GRACE_MS);
    this.#toleranceMs = Math.min(options.periodMs / 4, LATE_MS);
    this.#clock = options.clock;
    this.#send = options.send;
    this.#giveUp = options.giveUp;
    this.#receivedAtMs = options.clock.monotonic();
    this.#beatLater();
    this.#expectFrames();
  }

  /** A frame arrived, of whatever kind. */
  received(): void {
    this.#receivedAtMs = this.#clock.monotonic();
    this.#unansweredSinceMs = undefined;
  }

  /** Asks the server now, and gives up if it does not answer soon. */
  check(): void {
    if (!this.#isAsking && this.#clock.monotonic() - this.#sentAtMs >= CHECK_SPACING_MS) this.#ask();
  }

  stop(): void {
    this.#cancelBeat();
    this.#cancelDeadline();
  }

  #beat(): void {
    this.#cancelBeat();
    this.#sentAtMs = this.#clock.monotonic();
    this.#unansweredSinceMs ??= this.#sentAtMs;
    this.#send();
    this.#beatLater();
  }

  /** Heartbeats are sent whatever else is sent, because their answers prove that the server is still there. */
  #beatLater(): void {
    this.#cancelBeat = this.#clock.after(this.#periodMs, () => this.#beat());
  }

  /** One timer serves any number of frames: when it fires, it checks when the latest frame arrived. */
  #expectFrames(): void {
    const silenceMs = 2 * this.#periodMs;
    const dueAtMs = this.#receivedAtMs + silenceMs;
    const leftMs = dueAtMs - this.#clock.monotonic();
    // Only a timer that was held back comes too late for the next one.
    if (leftMs <= 0) {
      this.#ask();
      return;
    }
    this.#cancelDeadline = this.#clock.after(leftMs, () => {
      const now = this.#clock.monotonic();
      if (now - this.#receivedAtMs < silenceMs) this.#expectFrames();
      else if (now - dueAtMs >= this.#toleranceMs || !this.#hasAsked(now)) this.#ask();
      else this.#giveUp(`nothing received for ${silenceMs} ms`, now - dueAtMs);
    });
  }

  /** Whether a heartbeat has had the time to be answered. */
  #hasAsked(now: number): boolean {
    return this.#unansweredSinceMs !== undefined && now - this.#unansweredSinceMs >= this.#answerMs - this.#toleranceMs;
  }

  #ask(): void {
    // The heartbeat of the same wake-up of the timers will do.
    if (this.#unansweredSinceMs === undefined || this.#clock.monotonic() - this.#sentAtMs >= this.#toleranceMs)
      this.#beat();
    const askedAtMs = this.#sentAtMs;
    this.#isAsking = true;
    this.#cancelDeadline();
    this.#cancelDeadline = afterDeadline(this.#clock, this.#answerMs, (lateMs) => {
      this.#isAsking = false;
      if (this.#receivedAtMs >= askedAtMs) this.#expectFrames();
      else this.#giveUp(`no answer to a heartbeat within ${this.#answerMs} ms`, lateMs);
    });
  }
}

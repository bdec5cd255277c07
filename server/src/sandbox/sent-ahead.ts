/** Why a message that is forbidden does not run. */
export const SENT_AWAY = 'the player was sent away';

const NOTHING = 0;
const MAX_NUMBER = 0x7fff_fffe;
/** One place for a message whose turn has come and that the thread has not begun, and one for the message after it. */
const PLACES = 2;

/**
 * Decides who runs a message that a thread was sent, perhaps while it was busy with another one. The thread takes the message
 * when it is about to run it, and until then the pool may take it back, or forbid it. A message is taken once, so that it
 * runs once.
 */
export class SentAhead {
  readonly memory: SharedArrayBuffer;
  /** The numbers of the messages that have not been taken; negative for those that are forbidden. */
  readonly #numbers: Int32Array;
  #last = NOTHING;

  constructor(memory = new SharedArrayBuffer(PLACES * Int32Array.BYTES_PER_ELEMENT)) {
    this.memory = memory;
    this.#numbers = new Int32Array(memory);
  }

  /**
   * For the pool: returns the number of the message that it sends next. At most one earlier message may not have
   * been taken; it keeps its place, however many are sent behind it and taken back.
   */
  next(): number {
    this.#last = following(this.#last);
    if (Atomics.load(this.#numbers, this.#last % PLACES) !== NOTHING) this.#last = following(this.#last);
    Atomics.store(this.#numbers, this.#last % PLACES, this.#last);
    return this.#last;
  }

  /** For the pool and the thread: whether the message of this number is the caller's now. */
  take(number: number): boolean {
    return this.#replace(number, number, NOTHING);
  }

  /** For the pool: has the thread leave the message out, and say so, unless it has begun it. */
  forbid(number: number): void {
    this.#replace(number, number, -number);
  }

  /** For the thread, of a message that it could not take: whether it is forbidden, and not the pool's again. */
  takeForbidden(number: number): boolean {
    return this.#replace(number, -number, NOTHING);
  }

  /** For the thread: whether the pool has taken the message back. */
  isTaken(number: number): boolean {
    return Math.abs(Atomics.load(this.#numbers, number % PLACES)) !== number;
  }

  #replace(number: number, before: number, after: number): boolean {
    return Atomics.compareExchange(this.#numbers, number % PLACES, before, after) === before;
  }
}

/** Consecutive numbers have different places. */
function following(number: number): number {
  return (number % MAX_NUMBER) + 1;
}

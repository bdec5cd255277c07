const NOTHING = 0;
const MAX_NUMBER = 0x7fff_fffe;
/** One place for a message whose turn has come and that the thread has not begun, and one for the message after it. */
const PLACES = 2;

/**
 * Decides who runs a message that a thread was sent while it was busy with another one. The thread takes the message when it
 * comes to it, and until then the pool may take it back. A message is taken once, so that it runs once.
 */
export class SentAhead {
  readonly memory: SharedArrayBuffer;
  /** The numbers of the messages that have not been taken. */
  readonly #numbers: Int32Array;
  #last = NOTHING;

  constructor(memory = new SharedArrayBuffer(PLACES * Int32Array.BYTES_PER_ELEMENT)) {
    this.memory = memory;
    this.#numbers = new Int32Array(memory);
  }

  /**
   * For the pool: returns the number of the message that it sends ahead next. At most one earlier message may not have
   * been taken; it keeps its place, however many are sent ahead behind it and taken back.
   */
  next(): number {
    this.#last = following(this.#last);
    if (Atomics.load(this.#numbers, this.#last % PLACES) !== NOTHING) this.#last = following(this.#last);
    Atomics.store(this.#numbers, this.#last % PLACES, this.#last);
    return this.#last;
  }

  /** For the pool and the thread: whether the message of this number is the caller's now. */
  take(number: number): boolean {
    return Atomics.compareExchange(this.#numbers, number % PLACES, number, NOTHING) === number;
  }
}

/** Consecutive numbers have different places. */
function following(number: number): number {
  return (number % MAX_NUMBER) + 1;
}

import { setImmediate } from 'node:timers/promises';
import { unavailable } from './faults.ts';

/** How many writes may wait, and how many bytes they may have; what comes beyond that is refused. */
const MAX_WAITING = 10_000;
const MAX_WAITING_BYTES = 67_108_864;
const MAX_WRITES_OF_BATCH = 1_000;
const MAX_BYTES_OF_BATCH = 8_388_608;

interface Waiting<Write, Result> {
  readonly write: Write;
  readonly bytes: number;
  resolve(result: Result): void;
  reject(reason: unknown): void;
}

/**
 * Lets writes share transactions: those of one turn of the event loop, and those that come while the transaction before
 * is under way.
 */
export class Batches<Write, Result> {
  readonly #subject: string;
  readonly #perform: (writes: readonly Write[]) => Promise<readonly PromiseSettledResult<Result>[]>;
  readonly #waiting: Waiting<Write, Result>[] = [];
  #waitingBytes = 0;
  #draining: Promise<void> | undefined;
  #isClosed = false;

  /** `perform` makes all the writes in one transaction and gives the result of each, or rejects and makes none. */
  constructor(parts: {
    /** What is written, as messages name it. */
    subject: string;
    perform: (writes: readonly Write[]) => Promise<readonly PromiseSettledResult<Result>[]>;
  }) {
    this.#subject = parts.subject;
    this.#perform = parts.perform;
  }

  /** Resolves once the write is committed. `bytes` is about how much memory it takes meanwhile. */
  async write(write: Write, bytes: number): Promise<Result> {
    this.assertOpen();
    const isFull = this.#waitingBytes > 0 && this.#waitingBytes + bytes > MAX_WAITING_BYTES;
    if (isFull || this.#waiting.length >= MAX_WAITING) {
      throw unavailable(`too many writes are waiting for the ${this.#subject}`);
    }
    return await new Promise<Result>((resolve, reject) => {
      this.#waitingBytes += bytes;
      this.#waiting.push({ write, bytes, resolve, reject });
      this.#draining ??= this.#drain();
    });
  }

  assertOpen(): void {
    if (this.#isClosed) throw unavailable(`the ${this.#subject} are closed because the server stops`);
  }

  /** Refuses what comes from now on, and waits for what is under way. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#draining;
  }

  async #drain(): Promise<void> {
    await setImmediate();
    while (this.#waiting.length > 0) {
      const batch = this.#take();
      try {
        const results = await this.#perform(batch.map(({ write }) => write));
        for (const [index, result] of results.entries()) {
          if (result.status === 'fulfilled') batch[index]?.resolve(result.value);
          else batch[index]?.reject(result.reason);
        }
      } catch (error) {
        for (const { reject } of batch) reject(error);
      }
    }
    this.#draining = undefined;
  }

  #take(): Waiting<Write, Result>[] {
    let bytes = 0;
    let count = 0;
    for (const next of this.#waiting) {
      if (count === MAX_WRITES_OF_BATCH || (count > 0 && bytes + next.bytes > MAX_BYTES_OF_BATCH)) break;
      count += 1;
      bytes += next.bytes;
    }
    this.#waitingBytes -= bytes;
    return this.#waiting.splice(0, count);
  }
}

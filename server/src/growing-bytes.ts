const FIRST_CAPACITY = 256;
const NOTHING = Buffer.alloc(0);

/** Bytes that come in pieces, in a buffer that is less than twice as long as what has come, but for the shortest. */
export class GrowingBytes {
  #buffer: Buffer = NOTHING;
  #length = 0;

  get length(): number {
    return this.#length;
  }

  /** What has come so far. It counts until more is added. */
  get all(): Buffer {
    return this.#buffer.subarray(0, this.#length);
  }

  /** Adds bytes, and returns where they are now, until more is added. */
  add(bytes: Uint8Array): Buffer {
    const start = this.#length;
    const length = start + bytes.length;
    if (length > this.#buffer.length) {
      const capacity = Math.max(FIRST_CAPACITY, length, 2 * this.#buffer.length);
      const longer = Buffer.allocUnsafeSlow(capacity);
      longer.set(this.all);
      this.#buffer = longer;
    }
    this.#buffer.set(bytes, start);
    this.#length = length;
    return this.#buffer.subarray(start, length);
  }
}

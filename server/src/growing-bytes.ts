const FIRST_CAPACITY = 256;
const NOTHING = Buffer.alloc(0);

/**
 * Bytes that come in pieces, in a buffer that is less than twice as long as what has come, but for the shortest, and no
 * longer than `maxLength` unless more comes.
 */
export class GrowingBytes {
  readonly #maxLength: number;
  #buffer: Buffer = NOTHING;
  #length = 0;

  constructor(maxLength = Number.POSITIVE_INFINITY) {
    this.#maxLength = maxLength;
  }

  get length(): number {
    return this.#length;
  }

  /** What has come so far. It counts until more is added. */
  get all(): Buffer {
    return this.#buffer.subarray(0, this.#length);
  }

  /** How much memory it takes to add so many bytes: the old buffer is still there when a longer one takes its place. */
  sizeWith(count: number): number {
    const length = this.#length + count;
    const size = this.#buffer.length;
    return length > size ? size + this.#capacityFor(length) : size;
  }

  /** Adds bytes, and returns where they are now, until more is added. */
  add(bytes: Uint8Array): Buffer {
    const start = this.#length;
    const length = start + bytes.length;
    if (length > this.#buffer.length) {
      const longer = Buffer.allocUnsafeSlow(this.#capacityFor(length));
      longer.set(this.all);
      this.#buffer = longer;
    }
    this.#buffer.set(bytes, start);
    this.#length = length;
    return this.#buffer.subarray(start, length);
  }

  #capacityFor(length: number): number {
    return Math.max(length, Math.min(this.#maxLength, Math.max(FIRST_CAPACITY, 2 * this.#buffer.length)));
  }
}

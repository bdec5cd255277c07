import { unmask } from './frames.ts';

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

  /** Adds bytes without their mask, whose first byte is for the byte `offset` before the first of them. */
  add(bytes: Uint8Array, mask: number, offset: number): void {
    const length = this.#length + bytes.length;
    if (length > this.#buffer.length) {
      const capacity = Math.max(FIRST_CAPACITY, length, 2 * this.#buffer.length);
      const longer = Buffer.allocUnsafeSlow(capacity);
      longer.set(this.all);
      this.#buffer = longer;
    }
    unmask(bytes, this.#buffer, this.#length, mask, offset);
    this.#length = length;
  }
}

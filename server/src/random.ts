import { randomBytes, randomFillSync } from 'node:crypto';

/** Returns `count` unguessable bytes; tests pass a seeded source. */
export type RandomBytes = (count: number) => Uint8Array;

/** To draw ten bytes costs as much as to draw hundreds. */
const BLOCK_BYTES = 1_024;
const MAX_BYTES_FROM_BLOCK = 16;

/**
 * The operating system's source. Short draws, as for ids, are served from a block that is drawn in one go; each byte is
 * handed out once and then wiped. Longer draws, as for secrets, go to the operating system every time.
 */
export function createSystemRandom(): RandomBytes {
  const block = new Uint8Array(BLOCK_BYTES);
  let used = BLOCK_BYTES;
  return (count) => {
    if (count > MAX_BYTES_FROM_BLOCK) return randomBytes(count);
    if (used + count > BLOCK_BYTES) {
      randomFillSync(block);
      used = 0;
    }
    const bytes = block.slice(used, used + count);
    block.fill(0, used, used + count);
    used += count;
    return bytes;
  };
}

const ALPHANUMERIC = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';

/**
 * A random string of `length` letters and digits (5.95 bits each), without bias. It never begins with `-`, so command
 * lines take it as a value.
 */
export function randomAlphanumeric(random: RandomBytes, length: number): string {
  let text = '';
  while (text.length < length) {
    for (const byte of random(length - text.length)) {
      // 248 = 4 * 62: bytes above it would favour the first letters.
      if (byte < 248) text += ALPHANUMERIC[byte % 62];
    }
  }
  return text;
}

/** A UUID of version 7 that sorts after `previous`, even when the clock has not moved since or was set back. */
export function uuidV7After(previous: string | undefined, random: RandomBytes, unixMs: number): string {
  const previousMs = previous === undefined ? 0 : Number.parseInt(previous.replace('-', '').slice(0, 12), 16);
  return uuidV7(random, Math.max(unixMs, previousMs + 1));
}

/**
 * A UUID of version 7 (RFC 9562, section 5.7), 36 characters: 48 bits of Unix milliseconds, then 74 random bits, so ids
 * sort roughly by creation and are never reused.
 */
export function uuidV7(random: RandomBytes, unixMs: number): string {
  const bytes = Buffer.allocUnsafe(16);
  bytes.writeUIntBE(unixMs, 0, 6);
  bytes.set(random(10), 6);
  bytes[6] = ((bytes[6] as number) & 0x0f) | 0x70;
  bytes[8] = ((bytes[8] as number) & 0x3f) | 0x80;
  const hex = bytes.toString('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}

import { randomBytes, randomFillSync } from 'node:crypto';

/** Gives `count` unguessable bytes; tests pass a seeded source. */
export type RandomBytes = (count: number) => Uint8Array;

/** To draw ten bytes costs as much as to draw hundreds. */
const BLOCK_BYTES = 1_024;
const MAX_BYTES_FROM_BLOCK = 16;

/**
 * The operating system's source. Short draws, as for ids, are served from a block that is drawn in one go; each byte is
 * handed out once and then wiped. Longer draws, as for secrets, go to the operating system every time.
 */
export function createSystemRandom(): RandomBytes {
  const block = Buffer.alloc(BLOCK_BYTES);
  let used = BLOCK_BYTES;
  return (count) => {
    if (count > MAX_BYTES_FROM_BLOCK) return randomBytes(count);
    if (used + count > BLOCK_BYTES) {
      randomFillSync(block);
      used = 0;
    }
    const bytes = new Uint8Array(count);
    for (let at = 0; at < count; at += 1, used += 1) {
      bytes[at] = block[used] as number;
      block[used] = 0;
    }
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
  const bytes = random(10);
  const high = Math.floor(unixMs / 0x1_0000);
  const version = 0x7000 | (uint16At(bytes, 0) & 0x0fff);
  const variant = 0x8000 | (uint16At(bytes, 2) & 0x3fff);
  const time = `${hexOf(high >>> 16)}${hexOf(high & 0xffff)}-${hexOf(unixMs % 0x1_0000)}`;
  const rest = `${hexOf(uint16At(bytes, 4))}${hexOf(uint16At(bytes, 6))}${hexOf(uint16At(bytes, 8))}`;
  return `${time}-${hexOf(version)}-${hexOf(variant)}-${rest}`;
}

function uint16At(bytes: Uint8Array, at: number): number {
  return ((bytes[at] as number) << 8) | (bytes[at + 1] as number);
}

/** Two bytes as four digits. */
function hexOf(uint16: number): string {
  return `${HEX[uint16 >>> 8]}${HEX[uint16 & 0xff]}`;
}

/** Each byte as two digits. */
const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'));

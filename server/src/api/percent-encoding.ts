const PERCENT = 0x25;
const HEX = Buffer.from('0123456789ABCDEF');

/** A way to percent-encode text. */
export interface PercentEncoding {
  /** Whether a byte stays as it is. */
  readonly isKept: readonly boolean[];
  /** Finds a character that does not. */
  readonly other: RegExp;
}

/** A way that keeps these characters of ASCII, which are written as in a class of a regular expression. */
export function keeping(characters: string): PercentEncoding {
  const kept = new RegExp(`[${characters}]`);
  const isKept = Array.from({ length: 256 }, (_, byte) => byte < 0x80 && kept.test(String.fromCharCode(byte)));
  return { isKept, other: new RegExp(`[^${characters}]`) };
}

/**
 * Percent-encodes text in UTF-8. Strangers send thousands of characters that must be encoded, for each of which a regular
 * expression would call a function.
 */
export function percentEncoded(text: string, { isKept, other }: PercentEncoding): string {
  if (!other.test(text)) return text;
  const bytes = Buffer.from(text);
  const encoded = Buffer.allocUnsafe(3 * bytes.length);
  let length = 0;
  for (const byte of bytes) {
    if (isKept[byte]) {
      encoded[length] = byte;
      length += 1;
      continue;
    }
    encoded[length] = PERCENT;
    encoded[length + 1] = HEX[byte >> 4] as number;
    encoded[length + 2] = HEX[byte & 15] as number;
    length += 3;
  }
  return encoded.toString('latin1', 0, length);
}

/** Hellos have a few hundred bytes, with tickets and keys that withstand quantum computers some thousand. */
const MAX_HELLO_BYTES = 16_384;

/** A hello that fits into one record comes in one. More of them than this have been made to be in the way. */
const MAX_RECORDS = 16;

const RECORD_HEADER_BYTES = 5;
const HANDSHAKE_HEADER_BYTES = 4;
const HANDSHAKE = 22;
const CLIENT_HELLO = 1;

/** What the bytes with which a client begins have of its first message. */
export type Hello =
  | 'whole'
  | 'incomplete'
  /** It speaks no TLS, such as plain HTTP, which TLS refuses at once. */
  | 'plain'
  /** TLS might go on, but no client begins like that unless it means to get around what waits for the whole. */
  | 'wrong';

/** As RFC 5246, 6.2.1 and 7.4, has them. */
export function helloIn(bytes: Buffer): Hello {
  if (isLetter(bytes[0])) return 'plain';
  /** Bytes of the message, and what its header says. */
  let come = 0;
  let header = 0;
  for (let at = 0, records = 0; at < bytes.length; records += 1) {
    if (bytes[at] !== HANDSHAKE || records === MAX_RECORDS) return 'wrong';
    if (bytes.length < at + RECORD_HEADER_BYTES) return 'incomplete';
    const length = bytes.readUInt16BE(at + 3);
    if (length === 0) return 'wrong';
    const start = at + RECORD_HEADER_BYTES;
    const there = bytes.subarray(start, start + length);
    for (const byte of there.subarray(0, Math.max(0, HANDSHAKE_HEADER_BYTES - come))) header = header * 256 + byte;
    come += there.length;
    if (come >= HANDSHAKE_HEADER_BYTES) {
      if (Math.floor(header / 2 ** 24) !== CLIENT_HELLO) return 'wrong';
      if (come >= HANDSHAKE_HEADER_BYTES + (header % 2 ** 24)) return 'whole';
    }
    at = start + length;
  }
  return bytes.length > MAX_HELLO_BYTES ? 'wrong' : 'incomplete';
}

function isLetter(byte = 0): boolean {
  return byte >= 0x41 && byte <= 0x5a;
}

/** Opcodes of RFC 6455, 5.2. From `close` on they are those of control frames. */
export const OPCODE = { continuation: 0x0, text: 0x1, binary: 0x2, close: 0x8, ping: 0x9, pong: 0xa } as const;

/** The head of a client's frame: two bytes, the length when seven bits are too few for it, and the mask. */
export const MAX_HEAD_BYTES = 14;

/** A control frame has at most this much payload (RFC 6455, 5.5). */
const MAX_CONTROL_BYTES = 125;

const FINAL_BIT = 0x80;
const MASK_BIT = 0x80;
const RESERVED_BITS = 0x70;
const LENGTH_16 = 126;
const LENGTH_64 = 127;

/** What a client did wrong: the close code that says so, and the reason in words. */
export interface FrameFault {
  readonly kind: 'fault';
  readonly code: 1002 | 1007 | 1008 | 1009;
  readonly reason: string;
}

export interface FrameHead {
  readonly kind: 'head';
  readonly isFinal: boolean;
  readonly opcode: number;
  /** Bytes of payload. */
  readonly length: number;
  /** The mask's four bytes, the first of them in the highest bits. */
  readonly mask: number;
  /** Bytes of the head itself. */
  readonly size: number;
}

/**
 * Reads the head of a client's frame from the bytes between `at` and `end`. Undefined when more bytes must come; a fault
 * is returned as soon as the bytes show it. A continuation is only allowed when fragments of a message have come before,
 * and the message may have `room` more bytes.
 */
export function readHead(
  bytes: Buffer,
  at: number,
  end: number,
  isFragmented: boolean,
  room: number,
): FrameHead | FrameFault | undefined {
  if (end - at < 2) return undefined;
  const first = bytes[at] ?? 0;
  const second = bytes[at + 1] ?? 0;
  const isFinal = (first & FINAL_BIT) !== 0;
  const opcode = first & 0x0f;
  const shortLength = second & 0x7f;
  const reason = faultOfStart(first, second, isFragmented);
  if (reason !== undefined) return { kind: 'fault', code: 1002, reason };

  const maskAt = at + 2 + (shortLength === LENGTH_16 ? 2 : shortLength === LENGTH_64 ? 8 : 0);
  if (end < maskAt) return undefined;
  let length = shortLength;
  if (shortLength === LENGTH_16) length = bytes.readUInt16BE(at + 2);
  // Lengths that a number does not hold exactly are far beyond any limit.
  else if (shortLength === LENGTH_64) length = bytes.readUInt32BE(at + 2) * 2 ** 32 + bytes.readUInt32BE(at + 6);
  if (opcode < OPCODE.close && length > room) {
    return { kind: 'fault', code: 1009, reason: 'a message was longer than maxFrameBytes' };
  }
  if (end < maskAt + 4) return undefined;
  return { kind: 'head', isFinal, opcode, length, mask: bytes.readInt32BE(maskAt), size: maskAt + 4 - at };
}

/** What is wrong with the first two bytes of a frame. */
function faultOfStart(first: number, second: number, isFragmented: boolean): string | undefined {
  const isFinal = (first & FINAL_BIT) !== 0;
  const opcode = first & 0x0f;
  const shortLength = second & 0x7f;
  if ((first & RESERVED_BITS) !== 0) return 'reserved bits must be clear';
  if (opcode >= OPCODE.close) {
    if (opcode > OPCODE.pong) return `there is no opcode ${opcode}`;
    if (!isFinal) return 'a control frame must not be fragmented';
    if (shortLength > MAX_CONTROL_BYTES) return `a control frame has at most ${MAX_CONTROL_BYTES} bytes`;
    if (opcode === OPCODE.close && shortLength === 1) return 'a close code has two bytes';
  } else if (opcode > OPCODE.binary) {
    return `there is no opcode ${opcode}`;
  } else if ((opcode === OPCODE.continuation) !== isFragmented) {
    return isFragmented ? 'the last message is not complete' : 'there is no message to continue';
  }
  if ((second & MASK_BIT) === 0) return 'frames of a client must be masked';
  return undefined;
}

/**
 * Copies `source` to `target[at…]` and takes the mask off, of which the first byte is for the byte `offset` before that of
 * `source[0]`. Source and target may be the same bytes.
 */
export function unmask(source: Uint8Array, target: Uint8Array, at: number, mask: number, offset: number): void {
  if (mask === 0) {
    if (source !== target || at !== 0) target.set(source, at);
    return;
  }
  for (let index = 0; index < source.length; index += 1) {
    target[at + index] = (source[index] ?? 0) ^ (mask >>> (24 - 8 * ((offset + index) & 3)));
  }
}

/** A whole text frame of a server, which has no mask. `bytes` is the text's length in UTF-8. */
export function textFrame(text: string, bytes: number): Buffer {
  const frame = emptyFrame(OPCODE.text, bytes);
  frame.write(text, frame.length - bytes, 'utf8');
  return frame;
}

/** A ping or pong of a server. */
export function controlFrame(opcode: number, payload: Uint8Array): Buffer {
  const frame = emptyFrame(opcode, payload.length);
  frame.set(payload, 2);
  return frame;
}

/** A close frame of a server; without a code it is empty. The reason has at most 123 bytes. */
export function closeFrame(code: number | undefined, reason: string | Uint8Array): Buffer {
  if (code === undefined) return emptyFrame(OPCODE.close, 0);
  const payload = typeof reason === 'string' ? Buffer.from(reason) : reason;
  const frame = emptyFrame(OPCODE.close, 2 + payload.length);
  frame.writeUInt16BE(code, 2);
  frame.set(payload, 4);
  return frame;
}

/** A frame with its head, and its payload still to be written to the end of it. */
function emptyFrame(opcode: number, length: number): Buffer {
  if (length < LENGTH_16) {
    const frame = Buffer.allocUnsafe(2 + length);
    frame[1] = length;
    frame[0] = FINAL_BIT | opcode;
    return frame;
  }
  const isShort = length <= 0xffff;
  const frame = Buffer.allocUnsafe((isShort ? 4 : 10) + length);
  frame[0] = FINAL_BIT | opcode;
  frame[1] = isShort ? LENGTH_16 : LENGTH_64;
  if (isShort) frame.writeUInt16BE(length, 2);
  else frame.writeBigUInt64BE(BigInt(length), 2);
  return frame;
}

/** Whether a peer may send a code in a close frame (RFC 6455, 7.4). */
export function isCloseCode(code: number): boolean {
  if (code >= 3000) return code <= 4999;
  return code >= 1000 && code <= 1014 && code !== 1004 && code !== 1005 && code !== 1006;
}

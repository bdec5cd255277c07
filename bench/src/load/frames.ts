export const TEXT = 0x1;
export const BINARY = 0x2;
export const CLOSE = 0x8;

/** A fixed mask is enough on the loopback interface, and allows a frame to be built once and sent often. */
const MASK = Buffer.from([0x5a, 0xc3, 0x96, 0x0f]);

/** A client's frame (RFC 6455, section 5.2) with up to 65,535 bytes. */
export function clientFrame(opcode: number, payload: Uint8Array | string): Buffer {
  const bytes = typeof payload === 'string' ? Buffer.from(payload) : Buffer.from(payload);
  const { length } = bytes;
  const head = length < 126 ? [0x80 | opcode, 0x80 | length] : [0x80 | opcode, 0xfe, length >> 8, length & 0xff];
  for (let i = 0; i < length; i += 1) bytes[i] = (bytes[i] as number) ^ (MASK[i & 3] as number);
  return Buffer.concat([Buffer.from(head), MASK, bytes]);
}

/**
 * Reads the complete frames at the start of `bytes`, which a server sent without masks and fragments, and returns the
 * rest, which is usually empty.
 */
export function readFrames(bytes: Buffer, onFrame: (opcode: number, payload: Buffer) => void): Buffer {
  let at = 0;
  while (bytes.length - at >= 2) {
    const short = (bytes[at + 1] as number) & 0x7f;
    const start = at + (short < 126 ? 2 : 4);
    if (short === 127) throw new Error('a server sent a frame of more than 65,535 bytes');
    if (bytes.length < start) break;
    const end = start + (short < 126 ? short : bytes.readUInt16BE(at + 2));
    if (bytes.length < end) break;
    onFrame((bytes[at] as number) & 0x0f, bytes.subarray(start, end));
    at = end;
  }
  return bytes.subarray(at);
}

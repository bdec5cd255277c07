import type { ReaderLimits } from '../../src/gateway/websocket/frame-reader.ts';
import { BINARY, CLOSE, frame, PING, PONG, type RawFrame, TEXT } from '../fire/raw-websocket.ts';

/** What a client may send on its WebSocket, right or wrong, and the limits of the server that reads it. */
export interface RandomStream {
  readonly limits: ReaderLimits;
  /** The stream, cut as a network might. */
  readonly chunks: readonly Buffer[];
}

const MESSAGE_LIMITS = [1, 20, 125, 126, 300, 300, 300, 65_535, 65_536, 70_000];
const CHARACTERS = [
  'a',
  'Z',
  '"',
  '\0',
  '\u007f',
  '\u0080',
  'ß',
  '\u07ff',
  '\u0800',
  '€',
  '\uffff',
  '\u{10000}',
  '🎮',
  '\u{10ffff}',
];
const NOT_UTF8 = [
  '80',
  'bf',
  'c080',
  'c1bf',
  'e08080',
  'e09fbf',
  'eda080',
  'edbfbf',
  'f08fbfbf',
  'f4908080',
  'f5',
  'ff',
  'c3',
  'e282',
  'f09f8e',
];
const LENGTHS = [
  0,
  1,
  125,
  126,
  127,
  128,
  300,
  301,
  65_535,
  65_536,
  70_001,
  2 ** 31,
  2 ** 32 - 1,
  2 ** 32,
  2 ** 32 + 1,
];
const HUGE_LENGTHS = [2n ** 53n - 1n, 2n ** 53n, 2n ** 53n + 1n, 2n ** 63n - 1n, 2n ** 63n, 2n ** 64n - 1n];
const CLOSE_CODES = [0, 1, 999, 1016, 1100, 1999, 2000, 2999, 3000, 3001, 3999, 4000, 4500, 4999, 5000, 5001, 65_535];
const STANDARD_CODES = Array.from({ length: 16 }, (_, index) => 1000 + index);

/** Makes the stream with this number: the same number gives the same stream. */
export function randomStream(number: number): RandomStream {
  const dice = new Dice(number);
  const limits = { maxMessageBytes: dice.pick(MESSAGE_LIMITS), maxFragments: dice.pick([1, 2, 3, 8, 64]) };
  const frames: Buffer[] = [];
  for (let acts = dice.below(6); acts >= 0; acts -= 1) frames.push(...act(dice, limits));
  let bytes: Buffer = Buffer.concat(frames);
  if (dice.isOneIn(8)) bytes = bytes.subarray(0, dice.below(bytes.length + 1));
  if (dice.isOneIn(6) && bytes.length > 0) flipBits(dice, bytes);
  return { limits, chunks: cut(dice, bytes) };
}

/** Numbers that look random, by Marsaglia's xorshift. */
export class Dice {
  #state: number;

  constructor(seed: number) {
    // Neighbouring seeds must not give similar numbers. The state must not be 0.
    this.#state = Math.imul(seed + 1, 0x9e3779b1) | 1;
    for (let rounds = 0; rounds < 8; rounds += 1) this.below(1);
  }

  /** An integer from 0 on that is less than `bound`. */
  below(bound: number): number {
    this.#state ^= this.#state << 13;
    this.#state ^= this.#state >>> 17;
    this.#state ^= this.#state << 5;
    return Math.floor(((this.#state >>> 0) / 2 ** 32) * bound);
  }

  isOneIn(count: number): boolean {
    return this.below(count) === 0;
  }

  pick<T>(items: readonly T[]): T {
    return items[this.below(items.length)] as T;
  }

  bytes(length: number): Buffer {
    return Buffer.from(Array.from({ length }, () => this.below(256)));
  }
}

/** What a client does next: mostly what it may, in one or more frames. */
function act(dice: Dice, limits: ReaderLimits): Buffer[] {
  const roll = dice.below(100);
  if (roll < 25) return [dataFrame(dice, { opcode: TEXT, payload: text(dice, lengthOf(dice, limits)) })];
  if (roll < 35) return [dataFrame(dice, { opcode: BINARY, payload: binary(dice, lengthOf(dice, limits)) })];
  if (roll < 60) return fragments(dice, limits);
  if (roll < 75) return [control(dice)];
  if (roll < 82) return [close(dice)];
  if (roll < 97) return [anyFrame(dice)];
  return [dice.bytes(dice.below(40))];
}

function lengthOf(dice: Dice, { maxMessageBytes }: ReaderLimits): number {
  // Long messages take long to make, and only their lengths are of interest.
  if (dice.isOneIn(maxMessageBytes > 300 ? 40 : 5)) return maxMessageBytes + dice.below(3) - 1;
  if (dice.isOneIn(200)) return 65_534 + dice.below(4);
  if (dice.isOneIn(8)) return 124 + dice.below(5);
  return dice.below(dice.isOneIn(4) ? 260 : Math.min(24, maxMessageBytes + 1));
}

/** Text of this many bytes, which now and then is not UTF-8. */
function text(dice: Dice, length: number): Buffer {
  let content = '';
  for (let count = dice.below(6); count > 0; count -= 1) content += dice.pick(CHARACTERS);
  const bytes = dice.isOneIn(12) ? Buffer.from(dice.pick(NOT_UTF8), 'hex') : Buffer.from(content);
  // Only in a buffer that is long enough do the characters stay whole. They may come first, last or in between.
  const payload = Buffer.alloc(length, 'x');
  if (bytes.length <= length)
    payload.set(bytes, dice.pick([0, length - bytes.length, dice.below(length - bytes.length + 1)]));
  return payload;
}

function binary(dice: Dice, length: number): Buffer {
  return length < 100 ? dice.bytes(length) : Buffer.alloc(length, dice.bytes(7));
}

/** A frame with a mask of any kind, and with a length in more bits than it needs now and then. */
function dataFrame(dice: Dice, options: RawFrame): Buffer {
  return frame({ ...options, mask: mask(dice), lengthBits: dice.isOneIn(10) ? dice.pick([16, 64] as const) : 7 });
}

function mask(dice: Dice): Buffer {
  return dice.isOneIn(8)
    ? dice.pick([Buffer.alloc(4), Buffer.alloc(4, 0xff), Buffer.from([0, 0, 0, 1])])
    : dice.bytes(4);
}

/** A message in pieces, some of them empty, with control frames between them, and sometimes with what must not be there. */
function fragments(dice: Dice, limits: ReaderLimits): Buffer[] {
  const opcode = dice.pick([TEXT, TEXT, BINARY]);
  const length = lengthOf(dice, limits);
  const payload = opcode === TEXT ? text(dice, length) : binary(dice, length);
  const count = Math.min(12, 1 + dice.below(limits.maxFragments + 2));
  const cuts = Array.from({ length: count - 1 }, () => dice.below(length + 1)).sort((a, b) => a - b);
  const frames: Buffer[] = [];
  for (let index = 0; index < count; index += 1) {
    const part = payload.subarray(cuts[index - 1] ?? 0, cuts[index] ?? length);
    const isFinal = index === count - 1 && !dice.isOneIn(12);
    frames.push(dataFrame(dice, { opcode: index === 0 ? opcode : 0, isFinal, payload: part }));
    if (dice.isOneIn(4)) frames.push(control(dice));
    if (dice.isOneIn(40))
      frames.push(dice.isOneIn(2) ? close(dice) : dataFrame(dice, { opcode: TEXT, payload: 'new' }));
    if (dice.isOneIn(40)) frames.push(dataFrame(dice, { opcode: 0, isFinal: dice.isOneIn(2), payload: 'more' }));
  }
  return frames;
}

function control(dice: Dice): Buffer {
  const length = dice.isOneIn(10) ? 123 + dice.below(5) : dice.below(20);
  return frame({ opcode: dice.pick([PING, PONG]), payload: binary(dice, length), mask: mask(dice) });
}

function close(dice: Dice): Buffer {
  if (dice.isOneIn(5)) return frame({ opcode: CLOSE, payload: dice.bytes(dice.below(3)), mask: mask(dice) });
  const reason = text(dice, dice.isOneIn(8) ? 121 + dice.below(4) : dice.below(20));
  const code = dice.pick(dice.isOneIn(2) ? STANDARD_CODES : CLOSE_CODES);
  return frame({
    opcode: CLOSE,
    payload: Buffer.concat([Buffer.from([code >> 8, code & 0xff]), reason]),
    mask: mask(dice),
  });
}

/** A frame in which anything may be wrong. */
function anyFrame(dice: Dice): Buffer {
  const announced = dice.isOneIn(3) ? dice.pick([...LENGTHS.map(BigInt), ...HUGE_LENGTHS]) : undefined;
  return frame({
    opcode: dice.pick([dice.below(16), 0, TEXT, BINARY, CLOSE, PING, PONG]),
    isFinal: !dice.isOneIn(3),
    reserved: dice.isOneIn(4) ? dice.below(8) : 0,
    isMasked: !dice.isOneIn(6),
    mask: mask(dice),
    payload: dice.bytes(dice.below(12)),
    lengthBits: dice.pick([7, 7, 16, 64] as const),
    ...(announced === undefined ? {} : { length: announced }),
  });
}

function flipBits(dice: Dice, bytes: Buffer): void {
  // Most of what counts is near the beginning of a frame, and the first frame is near the beginning.
  for (let count = 1 + dice.below(3); count > 0; count -= 1) {
    const at = dice.below(dice.isOneIn(2) ? Math.min(16, bytes.length) : bytes.length);
    bytes[at] = (bytes[at] ?? 0) ^ (1 << dice.below(8));
  }
}

/** Cuts a stream in one of the ways that show faults: not at all, everywhere, at even distances, anywhere. */
function cut(dice: Dice, bytes: Buffer): Buffer[] {
  const way = dice.below(4);
  const size =
    way === 0 ? bytes.length : way === 1 && bytes.length < 500 ? 1 : 1 + dice.below(Math.max(16, bytes.length / 40));
  const chunks: Buffer[] = [];
  for (let at = 0; at < bytes.length; ) {
    const end = at + Math.max(1, way === 3 ? dice.below(2 * size + 1) : size);
    chunks.push(bytes.subarray(at, end));
    at = end;
  }
  return chunks;
}

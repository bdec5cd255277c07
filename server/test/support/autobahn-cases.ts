import { createHash } from 'node:crypto';
import {
  BINARY,
  CLOSE,
  closeFrame,
  frame,
  join,
  PING,
  PONG,
  piece,
  type RawFrame,
  TEXT,
  text,
} from '../fire/raw-websocket.ts';
import { TEXT_GROUPS, TEXT_PREFIXES, WORD } from './autobahn-texts.ts';

/**
 * A case of the Autobahn test suite (github.com/crossbario/autobahn-testsuite) for a server that echoes messages, in our
 * own words. The suite's other groups are about compression, which the server does not offer.
 */
export interface AutobahnCase {
  readonly id: string;
  readonly title: string;
  /** What the client sends, piece by piece, and how many lines it waits for in between. */
  readonly sends: readonly (Uint8Array | { readonly lines: number })[];
  /** What the client gets: echoes and pongs, then how it ends. A case ends with a close frame of the client's or a fault. */
  readonly gets: readonly string[];
  /** The limits of the server, where the usual ones are too small. */
  readonly limits?: { readonly maxMessageBytes: number; readonly maxFragments: number };
}

type Step = AutobahnCase['sends'][number];

const NORMAL = closeFrame(1000);
const CLOSED = 'close 1000 ';
/** The reasons that go with these are the server's own. */
const PROTOCOL = 'close 1002';
const NOT_UTF8 = 'close 1007';

/** The line of a message or control frame. Long ones are shortened, as `shorten` does. */
const line = (kind: string, payload: string | Uint8Array) =>
  shorten(`${kind} ${Buffer.from(payload).toString('latin1')}`);
const echo = (payload: string | Uint8Array) => line('text', payload);

/** A long line's hash, so that no failure prints megabytes. */
export function shorten(line: string): string {
  if (line.length < 1_000) return line;
  return `${line.slice(0, 20)}… (${line.length}, ${createHash('sha1').update(line).digest('hex')})`;
}

/** A case in which the client gets what it should, and then closes. */
function good(id: string, title: string, sends: readonly Step[], gets: readonly string[]): AutobahnCase {
  return { id, title, sends: [...sends, { lines: gets.length }, NORMAL], gets: [...gets, CLOSED] };
}

/** A case in which the server finds a fault. */
function bad(
  id: string,
  title: string,
  sends: readonly Step[],
  gets: readonly string[] = [],
  end = PROTOCOL,
): AutobahnCase {
  return { id, title, sends, gets: [...gets, end] };
}

const bytewise = (...frames: readonly Uint8Array[]) => [...join(...frames)].map((byte) => Buffer.from([byte]));
const together = (...frames: readonly Uint8Array[]) => [join(...frames)];

const HELLO = 'Hello, world!';
const first = (payload: string | Uint8Array, opcode = TEXT) => frame({ opcode, payload, isFinal: false });
const last = (payload: string | Uint8Array) => piece(payload, true);
const ping = (payload: string | Uint8Array = '') => frame({ opcode: PING, payload });
const pong = (payload: string | Uint8Array = '') => frame({ opcode: PONG, payload });
/** A message in fragments of this many bytes. */
export function inFragments(opcode: number, payload: Uint8Array, size: number): Buffer {
  const frames: Buffer[] = [];
  for (let at = 0; at < payload.length; at += size) {
    const isFinal = at + size >= payload.length;
    frames.push(frame({ opcode: at === 0 ? opcode : 0, isFinal, payload: payload.subarray(at, at + size) }));
  }
  return join(...frames);
}

const FRAMING = [0, 125, 126, 127, 128, 65_535, 65_536].map((length, index) =>
  good(`1.1.${index + 1}`, `a text of ${length} bytes`, [text('*'.repeat(length))], [echo('*'.repeat(length))]),
);
FRAMING.push(
  good('1.1.8', 'a text in chops of 997 bytes', chop(text('*'.repeat(65_536)), 997), [echo('*'.repeat(65_536))]),
);

/** Cuts bytes into chops, which the client sends one by one. */
export function chop(bytes: Buffer, size: number): Buffer[] {
  return Array.from({ length: Math.ceil(bytes.length / size) }, (_, index) =>
    bytes.subarray(index * size, (index + 1) * size),
  );
}

const NOT_TEXT = Buffer.from('00fffefdfcfb00ff', 'hex');
const TEN = Array.from({ length: 10 }, (_, index) => `payload-${index}`);

const PINGS = [
  good('2.1', 'a ping without payload', [ping()], ['pong ']),
  good('2.2', 'a ping with text', [ping(HELLO)], [`pong ${HELLO}`]),
  good('2.3', 'a ping with other bytes', [ping(NOT_TEXT)], [line('pong', NOT_TEXT)]),
  good('2.4', 'the longest ping', [ping(Buffer.alloc(125, 0xfe))], [line('pong', Buffer.alloc(125, 0xfe))]),
  bad('2.5', 'a ping that is too long', [ping(Buffer.alloc(126, 0xfe))]),
  good('2.6', 'the longest ping, byte by byte', bytewise(ping(Buffer.alloc(125, 0xfe))), [
    line('pong', Buffer.alloc(125, 0xfe)),
  ]),
  good('2.7', 'a pong that nobody asked for', [pong()], []),
  good('2.8', 'such a pong with payload', [pong('unsolicited')], []),
  good('2.9', 'such a pong before a ping', together(pong('unsolicited'), ping('asked')), ['pong asked']),
  good(
    '2.10',
    'ten pings',
    together(...TEN.map(ping)),
    TEN.map((payload) => `pong ${payload}`),
  ),
  good(
    '2.11',
    'ten pings, byte by byte',
    bytewise(...TEN.map(ping)),
    TEN.map((payload) => `pong ${payload}`),
  ),
];

const reserved = (bits: number, options: RawFrame = { payload: HELLO }) => frame({ ...options, reserved: bits });

const RESERVED = [
  bad('3.1', 'a text with reserved bits 1', [reserved(1)]),
  bad('3.2', 'after a text, one with 2', together(text(HELLO), reserved(2), ping()), [echo(HELLO)]),
  bad('3.3', 'after a text, one with 3, frame by frame', [text(HELLO), reserved(3), ping()], [echo(HELLO)]),
  bad('3.4', 'after a text, one with 4, byte by byte', bytewise(text(HELLO), reserved(4), ping()), [echo(HELLO)]),
  bad('3.5', 'bytes with 5', [reserved(5, { opcode: BINARY, payload: NOT_TEXT })]),
  bad('3.6', 'a ping with 6', [reserved(6, { opcode: PING, payload: HELLO })]),
  bad('3.7', 'a close frame with 7', [reserved(7, { opcode: CLOSE })]),
];

function unknownOpcodes(group: string, [a, b, c, d, e]: readonly number[]): AutobahnCase[] {
  const unknown = (opcode = 0, payload = '') => frame({ opcode, payload });
  return [
    bad(`${group}.1`, `opcode ${a}`, [unknown(a)]),
    bad(`${group}.2`, `opcode ${b} with payload`, [unknown(b, 'reserved opcode')]),
    bad(`${group}.3`, `after a text, opcode ${c}`, together(text(HELLO), unknown(c), ping()), [echo(HELLO)]),
    bad(`${group}.4`, `after a text, opcode ${d} with payload`, together(text(HELLO), unknown(d, HELLO), ping()), [
      echo(HELLO),
    ]),
    bad(`${group}.5`, `after a text, opcode ${e}, byte by byte`, bytewise(text(HELLO), unknown(e, HELLO), ping()), [
      echo(HELLO),
    ]),
  ];
}

const TWO = [first('fragment1'), last('fragment2')];
const AROUND_PING = [first('fragment1'), ping('ping'), last('fragment2')];
const BOTH = echo('fragment1fragment2');
const NO_START = [last('non-continuation payload'), text(HELLO)];
const NO_START_NO_END = [piece('non-continuation payload'), text(HELLO)];
const FIVE = ['fragment1', 'fragment2', 'fragment3', 'fragment4', 'fragment5'];
const [START = Buffer.of(), SECOND = Buffer.of(), THIRD = Buffer.of(), FOURTH = Buffer.of(), END = Buffer.of()] =
  FIVE.map((payload, index) => (index === 0 ? first(payload) : piece(payload, index === FIVE.length - 1)));
const FIVE_GETS = ['pong ping 1', 'pong ping 2', echo(FIVE.join(''))];
const again = (...frames: readonly Uint8Array[]) => together(...frames, ...frames);

const FRAGMENTS = [
  bad('5.1', 'a ping in two fragments', together(first('fragment1', PING), last('fragment2'))),
  bad('5.2', 'a pong in two fragments', together(first('fragment1', PONG), last('fragment2'))),
  good('5.3', 'a text in two fragments', together(...TWO), [BOTH]),
  good('5.4', 'the same, frame by frame', TWO, [BOTH]),
  good('5.5', 'the same, byte by byte', bytewise(...TWO), [BOTH]),
  good('5.6', 'a ping between two fragments', together(...AROUND_PING), ['pong ping', BOTH]),
  good('5.7', 'the same, frame by frame', AROUND_PING, ['pong ping', BOTH]),
  good('5.8', 'the same, byte by byte', bytewise(...AROUND_PING), ['pong ping', BOTH]),
  bad('5.9', 'a last fragment without a first, then a text', together(...NO_START)),
  bad('5.10', 'the same, frame by frame', NO_START),
  bad('5.11', 'the same, byte by byte', bytewise(...NO_START)),
  bad('5.12', 'a middle fragment without a first, then a text', together(...NO_START_NO_END)),
  bad('5.13', 'the same, frame by frame', NO_START_NO_END),
  bad('5.14', 'the same, byte by byte', bytewise(...NO_START_NO_END)),
  bad(
    '5.15',
    'a text in two fragments, then a middle fragment',
    together(...TWO, piece('fragment3'), text('fragment4')),
    [BOTH],
  ),
  bad(
    '5.16',
    'twice a middle fragment before a text in two',
    again(piece('fragment1'), first('fragment2'), last('fragment3')),
  ),
  bad(
    '5.17',
    'twice a last fragment before a text in two',
    again(last('fragment1'), first('fragment2'), last('fragment3')),
  ),
  bad('5.18', 'a text in two fragments that are both first ones', together(first('fragment1'), text('fragment2'))),
  good(
    '5.19',
    'a text in five fragments with two pings in between',
    [join(START, SECOND, ping('ping 1')), { lines: 1 }, join(THIRD, FOURTH, ping('ping 2'), END)],
    FIVE_GETS,
  ),
  good(
    '5.20',
    'the same, frame by frame',
    [START, SECOND, ping('ping 1'), { lines: 1 }, THIRD, FOURTH, ping('ping 2'), END],
    FIVE_GETS,
  ),
];

const HALVES = [Buffer.from('Hello-µ@ßöä'), Buffer.from('üàá-UTF-8!!')] as const;
const PHRASE = Buffer.concat(HALVES);
/** It is not UTF-8 from its twelfth byte on, the second after the word: a surrogate. */
const SURROGATE = Buffer.concat([WORD, Buffer.from('eda080', 'hex'), Buffer.from('edited')]);
/** It is not UTF-8 from its thirteenth byte on: a character beyond the last. */
const BEYOND = [WORD, Buffer.from('f4908080', 'hex'), Buffer.from('edited')] as const;
const WHOLE_BEYOND = Buffer.concat(BEYOND);
const [UP_TO, FATAL, REST] = [WHOLE_BEYOND.subarray(0, 12), WHOLE_BEYOND.subarray(12, 13), WHOLE_BEYOND.subarray(13)];

const TEXTS = [
  good('6.1.1', 'an empty text', [text('')], [echo('')]),
  good('6.1.2', 'a text in three empty fragments', together(first(''), piece(''), last('')), [echo('')]),
  good('6.1.3', 'only the middle one of three fragments is not empty', together(first(''), piece(PHRASE), last('')), [
    echo(PHRASE),
  ]),
  good('6.2.1', 'UTF-8 in one frame', [text(PHRASE)], [echo(PHRASE)]),
  good('6.2.2', 'UTF-8 cut between characters', together(first(HALVES[0]), last(HALVES[1])), [echo(PHRASE)]),
  good('6.2.3', 'UTF-8 in fragments of one byte', [inFragments(TEXT, PHRASE, 1)], [echo(PHRASE)]),
  good('6.2.4', 'a word in fragments of one byte', [inFragments(TEXT, WORD, 1)], [echo(WORD)]),
  bad('6.3.1', 'a surrogate in one frame', [text(SURROGATE)], [], NOT_UTF8),
  bad('6.3.2', 'a surrogate in fragments of one byte', [inFragments(TEXT, SURROGATE, 1)], [], NOT_UTF8),
  // The suite calls it "non-strict" that the server looks at the text only when it is whole, and passes it.
  bad(
    '6.4.1',
    'a second fragment that is not UTF-8',
    [first(BEYOND[0]), piece(BEYOND[1]), last(BEYOND[2])],
    [],
    NOT_UTF8,
  ),
  bad(
    '6.4.2',
    'a second fragment up to the byte that is wrong',
    [first(UP_TO), piece(FATAL), last(REST)],
    [],
    NOT_UTF8,
  ),
  bad('6.4.3', 'the parts of 6.4.1 as chops of one frame', cutLike(text(WHOLE_BEYOND), BEYOND), [], NOT_UTF8),
  bad(
    '6.4.4',
    'the parts of 6.4.2 as chops of one frame',
    cutLike(text(WHOLE_BEYOND), [UP_TO, FATAL, REST]),
    [],
    NOT_UTF8,
  ),
];

/** Cuts a frame where its payload's parts end. */
function cutLike(bytes: Buffer, [a, b]: readonly Uint8Array[]): Buffer[] {
  const one = 6 + (a?.length ?? 0);
  const two = one + (b?.length ?? 0);
  return [bytes.subarray(0, one), bytes.subarray(one, two), bytes.subarray(two)];
}

const oneText = (id: string, title: string, bytes: Uint8Array, isValid: boolean) =>
  isValid ? good(id, title, [text(bytes)], [echo(bytes)]) : bad(id, title, [text(bytes)], [], NOT_UTF8);

const TEXT_CASES = [
  ...TEXT_PREFIXES.map(({ bytes, isValid }, index) =>
    oneText(`6.6.${index + 1}`, `the first ${bytes.length} bytes of a word`, bytes, isValid),
  ),
  ...Object.entries(TEXT_GROUPS).flatMap(([group, { title, valid = [], invalid = [] }]) =>
    [...valid, ...invalid].map((bytes, index) =>
      oneText(`6.${group}.${index + 1}`, title, bytes, index < valid.length),
    ),
  ),
];

const LONG = Buffer.alloc(262_144, 'BAsd7&jh23');
const ends = (id: string, title: string, bytes: Uint8Array, gets: readonly string[]): AutobahnCase => ({
  id,
  title,
  sends: [bytes],
  gets,
});

const CLOSING = [
  ends('7.1.1', 'a text before the close frame', join(text(HELLO), NORMAL), [echo(HELLO), CLOSED]),
  ends('7.1.2', 'two close frames', join(NORMAL, NORMAL), [CLOSED]),
  ends('7.1.3', 'a ping after the close frame', join(NORMAL, ping()), [CLOSED]),
  ends('7.1.4', 'a text after the close frame', join(NORMAL, text(HELLO)), [CLOSED]),
  ends('7.1.5', 'a close frame between two fragments', join(first('fragment1'), NORMAL, last('fragment2')), [CLOSED]),
  {
    ...ends('7.1.6', 'a long text before the close frame', join(text(LONG), text(HELLO), NORMAL, ping()), [
      ...[echo(LONG), echo(HELLO), CLOSED],
    ]),
    limits: { maxMessageBytes: LONG.length, maxFragments: 1 },
  },
  ends('7.3.1', 'a close frame without payload', frame({ opcode: CLOSE }), ['close 1005 ']),
  bad('7.3.2', 'a close frame with one byte', [frame({ opcode: CLOSE, payload: 'a' })]),
  ends('7.3.3', 'a close frame with a code', NORMAL, [CLOSED]),
  ends('7.3.4', 'a close frame with a reason', closeFrame(1000, HELLO), [`close 1000 ${HELLO}`]),
  ends('7.3.5', 'the longest reason', closeFrame(1000, '*'.repeat(123)), [`close 1000 ${'*'.repeat(123)}`]),
  bad('7.3.6', 'a reason that is too long', [closeFrame(1000, '*'.repeat(124))]),
  bad('7.5.1', 'a reason that is not UTF-8', [closeFrame(1000, SURROGATE)], [], NOT_UTF8),
  ...[1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999].map((code, index) =>
    ends(`7.7.${index + 1}`, `close code ${code}`, closeFrame(code), [`close ${code} `]),
  ),
  ...[0, 999, 1004, 1005, 1006, 1016, 1100, 2000, 2999].map((code, index) =>
    bad(`7.9.${index + 1}`, `close code ${code}`, [closeFrame(code)]),
  ),
  // The suite only notes what happens.
  ...[5000, 65_535].map((code, index) => bad(`7.13.${index + 1}`, `close code ${code}`, [closeFrame(code)])),
];

const FRAGMENTED = Buffer.alloc(65_536, '*');

/** Groups 1 to 7 and 10, as far as they need no binary messages. Group 9 is in another file. */
export const AUTOBAHN_CASES: readonly AutobahnCase[] = [
  ...[...FRAMING, ...PINGS, ...RESERVED],
  ...[...unknownOpcodes('4.1', [3, 4, 5, 6, 7]), ...unknownOpcodes('4.2', [11, 12, 13, 14, 15])],
  ...[...FRAGMENTS, ...TEXTS, ...TEXT_CASES, ...CLOSING],
  good('10.1.1', 'a text in fragments of 1300 bytes', [inFragments(TEXT, FRAGMENTED, 1_300)], [echo(FRAGMENTED)]),
];

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import {
  BINARY,
  CLOSE,
  closeFrame,
  firstPiece,
  frame,
  join,
  PING,
  PONG,
  piece,
  text,
} from '../../../test/fire/raw-websocket.ts';
import { readWithServer } from '../../../test/support/websocket-readings.ts';
import { FrameReader } from './frame-reader.ts';

const LIMITS = { maxMessageBytes: 100_000, maxFragments: 8 };

const read = (bytes: Uint8Array, limits = LIMITS) => readWithServer([bytes], limits);

/** The stream, cut at these places. */
const cutAt = (bytes: Buffer, places: readonly number[]) =>
  [0, ...places].map((place, index) => bytes.subarray(place, places[index] ?? bytes.length));

const letters = (length: number) =>
  Array.from({ length }, (_, index) => String.fromCharCode(97 + (index % 26))).join('');

describe('a message', () => {
  test('is read whole at every length that its frame may write in another way, wherever the stream is cut', () => {
    for (const length of [0, 1, 2, 3, 4, 5, 125, 126, 127, 65_535, 65_536]) {
      const payload = letters(length);
      const bytes = join(text(payload), frame({ opcode: PING, payload: 'p' }));
      const expected = [`text ${payload}`, 'ping p'];
      // The places in the head, around the end of it, and around the end of the message.
      const places = [...Array(20).keys(), ...Array.from({ length: 12 }, (_, index) => bytes.length - index)];
      for (const place of places.filter((place) => place > 0 && place < bytes.length)) {
        assert.deepEqual(readWithServer(cutAt(bytes, [place]), LIMITS), expected, `${length} cut at ${place}`);
      }
    }
  });

  test('is read whole from single bytes', () => {
    for (const lengthBits of [7, 16, 64] as const) {
      const bytes = join(
        frame({ payload: 'first', lengthBits }),
        frame({ opcode: BINARY, payload: 'second', lengthBits }),
      );
      const places = Array.from({ length: bytes.length - 1 }, (_, index) => index + 1);
      assert.deepEqual(readWithServer(cutAt(bytes, places), LIMITS), ['text first', 'binary second']);
    }
  });

  test('loses its mask at any offset, in one piece, in several and in fragments', () => {
    const payload = letters(11);
    for (let first = 0; first <= payload.length; first += 1) {
      for (let second = first; second <= payload.length; second += 1) {
        const head = 6;
        const pieces = cutAt(text(payload), [head + first, head + second]);
        assert.deepEqual(readWithServer(pieces, LIMITS), [`text ${payload}`]);
        const fragments = join(
          firstPiece(payload.slice(0, first)),
          piece(payload.slice(first, second)),
          piece(payload.slice(second), true),
        );
        assert.deepEqual(read(fragments), [`text ${payload}`]);
      }
    }
  });

  test('may have as many bytes as the limit, in however many fragments', () => {
    const limits = { maxMessageBytes: 300, maxFragments: 8 };
    const parts = (last: number) => join(firstPiece(letters(100)), piece(letters(100)), piece(letters(last), true));
    assert.equal(read(text(letters(300)), limits)[0], `text ${letters(300)}`);
    assert.deepEqual(read(text(letters(301)), limits), ['fault 1009']);
    assert.equal(read(parts(100), limits).length, 1);
    assert.deepEqual(read(parts(101), limits), ['fault 1009']);
    // Each message has the whole limit.
    assert.equal(read(join(text(letters(300)), parts(100), text(letters(300))), limits).length, 3);
  });

  test('may have as many fragments as the limit, empty ones among them', () => {
    const limits = { maxMessageBytes: 300, maxFragments: 3 };
    const three = join(firstPiece(''), frame({ opcode: PONG }), piece('a'), piece('', true));
    assert.deepEqual(read(join(three, three, text('b')), limits), ['pong ', 'text a', 'pong ', 'text a', 'text b']);
    assert.deepEqual(read(join(firstPiece(''), piece(''), piece(''), piece('')), limits), ['fault 1008']);
    assert.deepEqual(read(join(firstPiece('a'), piece('b'), piece('c'), piece('d', true)), limits), ['fault 1008']);
  });

  test('of text is UTF-8 as a whole, though its fragments need not be', () => {
    const [euro, game] = [Buffer.from('€'), Buffer.from('🎮')];
    const bytes = Buffer.concat([euro, game]);
    const fragments = [...bytes].map((byte, index) => piece(Buffer.from([byte]), index === bytes.length - 1));
    const whole = join(firstPiece(''), ...fragments);
    assert.deepEqual(read(whole), [`text ${bytes.toString('latin1')}`]);
    assert.deepEqual(read(join(firstPiece(euro.subarray(0, 2)), piece(game, true))), ['fault 1007']);
    assert.deepEqual(read(frame({ opcode: BINARY, payload: Buffer.from([0xff]) })), ['binary \xff']);
  });
});

test('a close frame has no code, or a code that a client may send, and a reason in UTF-8', () => {
  for (const [bytes, line] of [
    [frame({ opcode: CLOSE }), 'close 1005 '],
    [closeFrame(1000), 'close 1000 '],
    [closeFrame(4999, letters(123)), `close 4999 ${letters(123)}`],
    [frame({ opcode: CLOSE, payload: 'x' }), 'fault 1002'],
    [closeFrame(1005), 'fault 1002'],
    [closeFrame(5000), 'fault 1002'],
    [closeFrame(1000, Buffer.from([0xc3])), 'fault 1007'],
  ] as const) {
    assert.deepEqual(read(join(firstPiece('a'), bytes, piece('b', true))), [line]);
  }
});

test('what has come is taken one by one, and more may be pushed in between', () => {
  const reader = new FrameReader(LIMITS);
  const seen = () => [reader.hasUnread, reader.isAtRest];
  assert.deepEqual(seen(), [false, true]);
  const next = () => reader.next();
  const third = text('third');
  reader.push(join(text('first'), text('second'), third.subarray(0, 3)));
  assert.deepEqual([String(dataOf(next())), ...seen()], ['first', true, false]);
  reader.push(third.subarray(3));
  assert.deepEqual([String(dataOf(next())), ...seen()], ['second', true, false]);
  assert.deepEqual([String(dataOf(next())), ...seen()], ['third', false, true]);
  assert.deepEqual([next(), ...seen()], [undefined, false, true]);
  for (const part of [third.subarray(0, 1), third.subarray(0, 6), firstPiece('a')]) {
    const other = new FrameReader(LIMITS);
    other.push(Buffer.from(part));
    assert.deepEqual([other.next(), other.hasUnread, other.isAtRest], [undefined, false, false]);
  }
});

function dataOf(received: ReturnType<FrameReader['next']>): Buffer | undefined {
  return received !== undefined && 'data' in received ? received.data : undefined;
}

describe('the memory that is kept', () => {
  setFlagsFromString('--expose-gc');
  const collectGarbage: () => void = runInNewContext('gc');
  const READERS = 200;

  /** Bytes of buffers that each of many readers keeps after these chunks. */
  async function keptBy(chunksOf: () => Iterable<Buffer>): Promise<number> {
    const measure = async () => {
      // Buffers are freed some time after their owners are collected.
      for (let rounds = 0; rounds < 4; rounds += 1) {
        collectGarbage();
        await new Promise((resolve) => setImmediate(resolve));
      }
      return process.memoryUsage().arrayBuffers;
    };
    const before = await measure();
    const readers = Array.from(
      { length: READERS },
      () => new FrameReader({ maxMessageBytes: 2 ** 30, maxFragments: 8 }),
    );
    for (const reader of readers) {
      for (const chunk of chunksOf()) {
        reader.push(chunk);
        while (reader.next() !== undefined);
      }
    }
    const kept = (await measure()) - before;
    assert.equal(readers.length, READERS);
    return kept / READERS;
  }

  /** As the network hands it over: in a buffer of its own. */
  const arrived = (...parts: Uint8Array[]) => {
    const bytes = Buffer.concat(parts);
    const chunk = Buffer.allocUnsafeSlow(bytes.length);
    chunk.set(bytes);
    return chunk;
  };

  test('grows with what has come and not with what was announced', async () => {
    const announced = frame({ length: 2n ** 30n });
    for (const came of [0, 10, 1_000, 30_000]) {
      const kept = await keptBy(() => [arrived(announced, Buffer.alloc(came))]);
      assert.ok(kept < 2 * came + 512, `${kept} bytes after ${came}`);
      const keptOfMany = await keptBy(() => [
        arrived(announced),
        ...Array.from({ length: 10 }, () => arrived(Buffer.alloc(came / 10))),
      ]);
      assert.ok(keptOfMany < 2 * came + 512, `${keptOfMany} bytes after ${came} in ten pieces`);
    }
  });

  test('is counted with the room for what comes next, which no message can exceed', () => {
    for (const [maxMessageBytes, expected] of [
      [100_000, 60_000],
      [40_000, 40_000],
    ] as const) {
      const reader = new FrameReader({ maxMessageBytes, maxFragments: 8 });
      for (const [chunk, begun] of [
        [firstPiece(letters(30_000)), 30_000],
        [piece('x'), expected],
        [piece('x', true), 0],
      ] as const) {
        reader.push(arrived(chunk));
        while (reader.next() !== undefined);
        assert.equal(reader.begunBytes, begun);
      }
    }
  });

  test('does not include the messages that came in one piece with the beginning of another', async () => {
    const long = text(letters(60_000));
    for (const [what, rest] of [
      ['a byte of a head', text('x').subarray(0, 1)],
      ['most of a head', text('x').subarray(0, 5)],
      ['a head', text('x').subarray(0, 6)],
      ['a fragment', firstPiece('x')],
      ['part of a ping', frame({ opcode: PING, payload: 'ping' }).subarray(0, 8)],
    ] as const) {
      const kept = await keptBy(() => [arrived(long, rest)]);
      assert.ok(kept < 1_000, `${kept} bytes after ${what}`);
    }
  });

  test('is none when the last message is complete', async () => {
    const parts = join(firstPiece(letters(20_000)), frame({ opcode: PING }), piece(letters(20_000), true));
    for (const bytes of [text(letters(40_000)), parts]) {
      const kept = await keptBy(() => cutAt(bytes, [3, 4_000, 30_000]).map((part) => arrived(part)));
      assert.ok(kept < 100, `${kept} bytes`);
    }
  });
});

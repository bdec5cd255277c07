import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { frame, PING, PONG, type RawFrame } from '../../../test/fire/raw-websocket.ts';
import { WsReader } from '../../../test/support/websocket-readings.ts';
import { closeFrame, controlFrame, isCloseCode, OPCODE, readHead, textFrame, unmask } from './frames.ts';

const MASK = Buffer.from([0x81, 2, 3, 4]);
const NO_LIMIT = { isFragmented: false, room: Number.MAX_VALUE };

const readFrom = (bytes: Buffer, at: number, end: number, { isFragmented, room } = NO_LIMIT) =>
  readHead(bytes, at, end, isFragmented, room);
const read = (bytes: Buffer, context = NO_LIMIT) => readFrom(bytes, 0, bytes.length, context);

describe('the head of a frame', () => {
  test('is read with each length in as many bits as it may have, and no sooner than it is whole', () => {
    for (const [length, bits, size] of [
      [0, 7, 6],
      [125, 7, 6],
      [0, 16, 8],
      [126, 16, 8],
      [65_535, 16, 8],
      [0, 64, 14],
      [65_535, 64, 14],
      [65_536, 64, 14],
      [2 ** 31, 64, 14],
      [2 ** 32 - 1, 64, 14],
      [2 ** 32, 64, 14],
      [2 ** 53 - 1, 64, 14],
    ] as const) {
      const bytes = frame({ lengthBits: bits, length: BigInt(length), mask: MASK });
      const mask = MASK.readInt32BE();
      assert.deepEqual(read(bytes), { kind: 'head', isFinal: true, opcode: 1, length, mask, size });
      for (let end = 0; end < size; end += 1) assert.equal(readFrom(bytes, 0, end, NO_LIMIT), undefined, `${end}`);
      // It may be anywhere in a chunk.
      const chunk = Buffer.concat([Buffer.alloc(3, 0xff), bytes, Buffer.alloc(20, 0xff)]);
      assert.deepEqual(readFrom(chunk, 3, chunk.length, NO_LIMIT), read(bytes));
    }
  });

  test('shows the last fragment and the opcode', () => {
    for (const opcode of [1, 2]) {
      for (const isFinal of [true, false]) {
        const head = read(frame({ opcode, isFinal }));
        assert.deepEqual(head?.kind === 'head' && [head.opcode, head.isFinal], [opcode, isFinal]);
      }
    }
    const continuation = read(frame({ opcode: 0 }), { ...NO_LIMIT, isFragmented: true });
    assert.equal(continuation?.kind === 'head' && continuation.opcode, 0);
  });

  test('is a fault of the protocol from its second byte on', () => {
    const fragmented = { ...NO_LIMIT, isFragmented: true };
    const long = 'a control frame has at most 125 bytes';
    const faults: [RawFrame, typeof NO_LIMIT, string][] = [
      ...[1, 2, 3, 4, 5, 6, 7].map((reserved): [RawFrame, typeof NO_LIMIT, string] => [
        { reserved },
        NO_LIMIT,
        'reserved bits must be clear',
      ]),
      ...[3, 4, 5, 6, 7, 11, 12, 13, 14, 15].map((opcode): [RawFrame, typeof NO_LIMIT, string] => [
        { opcode },
        NO_LIMIT,
        `there is no opcode ${opcode}`,
      ]),
      ...[8, 9, 10].flatMap((opcode): [RawFrame, typeof NO_LIMIT, string][] => [
        [{ opcode, isFinal: false }, NO_LIMIT, 'a control frame must not be fragmented'],
        [{ opcode, length: 126n }, NO_LIMIT, long],
        [{ opcode, lengthBits: 16 }, NO_LIMIT, long],
        [{ opcode, lengthBits: 64 }, fragmented, long],
      ]),
      [{ opcode: 8, length: 1n }, NO_LIMIT, 'a close code has two bytes'],
      [{ opcode: 0 }, NO_LIMIT, 'there is no message to continue'],
      [{ opcode: 1 }, fragmented, 'the last message is not complete'],
      [{ opcode: 2, isFinal: false }, fragmented, 'the last message is not complete'],
      ...[1, 2, 8, 9, 10].map((opcode): [RawFrame, typeof NO_LIMIT, string] => [
        { opcode, isMasked: false },
        NO_LIMIT,
        'frames of a client must be masked',
      ]),
      [{ opcode: 0, isMasked: false }, fragmented, 'frames of a client must be masked'],
    ];
    for (const [options, context, reason] of faults) {
      const bytes = frame(options);
      assert.deepEqual(readFrom(bytes, 0, 2, context), { kind: 'fault', code: 1002, reason }, JSON.stringify(reason));
      assert.equal(readFrom(bytes, 0, 1, context), undefined);
    }
  });

  test('is a fault when the message would be too long, before its mask has come', () => {
    for (const [length, bits] of [
      [100, 7],
      [126, 16],
      [65_535, 16],
      [65_536, 64],
      [2 ** 32, 64],
    ] as const) {
      const bytes = frame({ lengthBits: bits, length: BigInt(length) });
      const room = (room: number) => read(bytes.subarray(0, bytes.length - 4), { isFragmented: false, room });
      assert.equal(room(length), undefined);
      const reason = 'a message was longer than maxFrameBytes';
      assert.deepEqual(room(length - 1), { kind: 'fault', code: 1009, reason });
    }
    // Not even these are read as a short length.
    for (const length of [2n ** 53n, 2n ** 63n, 2n ** 63n + 5n, 2n ** 64n - 1n]) {
      const head = read(frame({ length }), { isFragmented: false, room: 2 ** 31 });
      assert.equal(head?.kind === 'fault' && head.code, 1009);
    }
  });

  test('of a control frame does not count against the message around it', () => {
    for (const opcode of [PING, PONG]) {
      assert.equal(read(frame({ opcode, length: 125n }), { isFragmented: true, room: 0 })?.kind, 'head');
    }
  });
});

test('a mask is taken off from any of its bytes on, in place or into other bytes', () => {
  for (const mask of [Buffer.alloc(4), MASK, Buffer.from([0, 0, 0, 1]), Buffer.from([0xff, 0x80, 0x7f, 0])]) {
    for (let length = 0; length < 12; length += 1) {
      for (const offset of [0, 1, 2, 3, 4, 65_537, 2 ** 24 + 2]) {
        const source = Buffer.from(Array.from({ length }, (_, index) => 37 * index + 200));
        const expected = source.map((byte, index) => byte ^ (mask[(offset + index) % 4] ?? 0));
        for (const at of [0, 5]) {
          const target = Buffer.alloc(length + 8, 0xee);
          unmask(source, target, at, mask.readInt32BE(), offset);
          assert.deepEqual(target.subarray(at, at + length), Buffer.from(expected));
          assert.ok([...target.subarray(0, at), ...target.subarray(at + length)].every((byte) => byte === 0xee));
        }
        unmask(source, source, 0, mask.readInt32BE(), offset);
        assert.deepEqual(source, Buffer.from(expected));
      }
    }
  }
});

describe('[ws] as a client reads', () => {
  const readAsClient = (bytes: Buffer) => {
    const reader = new WsReader({ isServer: false, maxPayload: 2 ** 30, maxFragments: 0 });
    reader.push(bytes);
    return reader.lines;
  };

  test('text of every length that its frame may write in another way', () => {
    for (const length of [0, 1, 125, 126, 127, 65_535, 65_536, 70_000]) {
      const text = 'x'.repeat(length);
      const bytes = textFrame(text, length);
      assert.equal(bytes.length, length + (length < 126 ? 2 : length < 65_536 ? 4 : 10));
      assert.deepEqual(readAsClient(bytes), [`text ${text}`]);
    }
    for (const text of ['grüße 🎮', '\0', '\ufeff€', '"\ud800"']) {
      const bytes = Buffer.from(text);
      assert.deepEqual(readAsClient(textFrame(text, bytes.length)), [`text ${bytes.toString('latin1')}`]);
    }
  });

  test('pings and pongs with any payload', () => {
    for (const length of [0, 1, 124, 125]) {
      const payload = Buffer.alloc(length, 7);
      const line = payload.toString('latin1');
      assert.deepEqual(readAsClient(controlFrame(OPCODE.ping, payload)), [`ping ${line}`]);
      assert.deepEqual(readAsClient(controlFrame(OPCODE.pong, payload)), [`pong ${line}`]);
    }
  });

  test('close frames with and without a code, and with the longest reason', () => {
    assert.deepEqual(readAsClient(closeFrame(undefined, '')), ['close 1005 ']);
    assert.deepEqual(readAsClient(closeFrame(1000, '')), ['close 1000 ']);
    assert.deepEqual(readAsClient(closeFrame(4999, 'x'.repeat(123))), [`close 4999 ${'x'.repeat(123)}`]);
    assert.deepEqual(readAsClient(closeFrame(3000, Buffer.from('why'))), ['close 3000 why']);
  });
});

test('a peer may send the close codes that are registered, or are for libraries and applications', () => {
  const allowed = Array.from({ length: 65_536 }, (_, code) => code).filter(isCloseCode);
  const registered = [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014];
  assert.deepEqual(allowed, [...registered, ...Array.from({ length: 2_000 }, (_, index) => 3000 + index)]);
});

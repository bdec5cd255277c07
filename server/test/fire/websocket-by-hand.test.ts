import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  BINARY,
  CLOSE,
  closeFrame,
  EVENT,
  endOf,
  firstPiece,
  frame,
  HEARTBEAT,
  helloFrame,
  join,
  openSocket,
  PING,
  PONG,
  piece,
  requestText,
  text,
  times,
  upgradeBytes,
} from './raw-websocket.ts';
import { besiege, type Siege } from './siege.ts';

/** What a welcomed player sends, and how that ends: a close code, or `open` if the heartbeat after it is answered. */
type Case = readonly [bytes: Uint8Array, expected: string];

/** Runs every case before it fails, so that the failure lists every unexpected end. */
async function checkAll(siege: Siege, cases: Readonly<Record<string, Case>>): Promise<void> {
  const surprises: string[] = [];
  for (const [what, [bytes, expected]] of Object.entries(cases)) {
    await siege.attempt(what, async () => {
      const end = await endOf(siege.server, bytes);
      if (end !== expected) surprises.push(`${what}: ${end} instead of ${expected}`);
    });
  }
  assert.deepEqual(surprises, []);
}

const nested = (levels: number) => `${'{"a":'.repeat(levels - 1)}{}${'}'.repeat(levels - 1)}`;
const EVENT_BYTES = Buffer.from(EVENT);

const HEADERS: Readonly<Record<string, Case>> = {
  'no mask': [frame({ payload: EVENT, isMasked: false }), '1002'],
  'no mask on a ping': [frame({ opcode: PING, isMasked: false }), '1002'],
  'a frame that says it is compressed': [frame({ payload: EVENT, reserved: 4 }), '1002'],
  'a ping that says it is compressed': [frame({ opcode: PING, reserved: 4 }), '1002'],
  'a request for a page': [Buffer.from('GET / HTTP/1.1\r\nHost: x\r\n\r\n'), '1002'],
  'a TLS hello': [Buffer.from('16030100c5010000c10303', 'hex'), '1002'],
  'a ping of 126 bytes': [frame({ opcode: PING, payload: 'x'.repeat(126) }), '1002'],
  'a ping in two bytes of length': [frame({ opcode: PING, payload: 'x', lengthBits: 16 }), '1002'],
  'a ping of 125 bytes': [frame({ opcode: PING, payload: 'x'.repeat(125) }), 'open'],
  'half a ping': [frame({ opcode: PING, isFinal: false }), '1002'],
  'half a close': [frame({ opcode: CLOSE, isFinal: false }), '1002'],
  'a length in more bytes than it takes': [frame({ payload: EVENT, lengthBits: 64 }), 'open'],
  'a binary frame': [frame({ opcode: BINARY, payload: EVENT }), '4504'],
  'an empty frame': [text(''), '4504'],
  ...Object.fromEntries(
    [1, 2, 3, 5, 6, 7].map((reserved) => [`reserved bits ${reserved}`, [frame({ payload: EVENT, reserved }), '1002']]),
  ),
  ...Object.fromEntries(
    [3, 4, 5, 6, 7, 11, 12, 13, 14, 15].map((opcode) => [
      `opcode ${opcode}`,
      [frame({ opcode, payload: EVENT }), '1002'],
    ]),
  ),
};

const PIECES: Readonly<Record<string, Case>> = {
  'a piece of nothing': [piece(EVENT, true), '1002'],
  'a message inside another': [join(firstPiece('{'), text(EVENT)), '1002'],
  'a beginning twice': [join(firstPiece('{'), firstPiece('}')), '1002'],
  'an event in single bytes': [
    join(
      firstPiece(EVENT_BYTES.subarray(0, 10)),
      ...[...EVENT_BYTES.subarray(10, -1)].map((byte) => piece(Uint8Array.of(byte))),
      piece('}', true),
    ),
    'open',
  ],
  'pings between the pieces': [
    join(firstPiece(EVENT.slice(0, 9)), frame({ opcode: PING }), frame({ opcode: PONG }), piece(EVENT.slice(9), true)),
    'open',
  ],
  'a close between the pieces': [join(firstPiece('{'), closeFrame(1000)), '1000'],
  '64 pieces': [join(firstPiece(EVENT.slice(0, 1)), times(62, piece('')), piece(EVENT.slice(1), true)), 'open'],
  '65 pieces': [join(firstPiece(EVENT.slice(0, 1)), times(63, piece('')), piece(EVENT.slice(1), true)), '1008'],
  'empty pieces without an end': [join(firstPiece(''), times(1_000, piece(''))), '1008'],
  'more bytes in pieces than allowed': [join(firstPiece('x'.repeat(12_000)), piece('x'.repeat(6_000))), '1009'],
  'a binary message in pieces': [
    join(frame({ opcode: BINARY, isFinal: false, payload: 'a' }), piece('b', true)),
    '4504',
  ],
};

const LENGTHS: Readonly<Record<string, Case>> = {
  'a frame of the longest size': [text(EVENT.padEnd(16_384 - 7)), 'open'],
  'a byte more': [frame({ length: 16_385n }), '1009'],
  'a gigabyte': [frame({ length: 2n ** 30n }), '1009'],
  'four gigabytes': [frame({ length: 2n ** 32n }), '1009'],
  'more than a double holds': [frame({ length: 2n ** 53n }), '1009'],
  'the sign bit': [frame({ length: 2n ** 63n }), '1009'],
  'every bit': [frame({ length: 2n ** 64n - 1n }), '1009'],
  'a gigabyte without a mask': [frame({ length: 2n ** 30n, isMasked: false }), '1002'],
};

const TEXTS: Readonly<Record<string, Case>> = {
  'a byte that UTF-8 never has': [text(Uint8Array.of(0x22, 0xff, 0x22)), '1007'],
  'a slash in too many bytes': [text(Uint8Array.of(0x22, 0xc0, 0xaf, 0x22)), '1007'],
  'half a surrogate pair in UTF-8': [text(Uint8Array.of(0x22, 0xed, 0xa0, 0x80, 0x22)), '1007'],
  'beyond Unicode': [text(Uint8Array.of(0xf4, 0x90, 0x80, 0x80)), '1007'],
  'an end inside a character': [text(Uint8Array.of(0x22, 0xe2, 0x82)), '1007'],
  'a bad byte in the last piece': [join(firstPiece('{'), piece(Uint8Array.of(0xff), true)), '1007'],
  'half a surrogate pair, escaped': [text('{"kind":"event","type":"\\ud800"}'), '4504'],
  'no JSON': [text('hello'), '4504'],
  'an array': [text('[]'), '4504'],
  null: [text('null'), '4504'],
  'an empty object': [text('{}'), '4504'],
  'two objects': [text('{"kind":"heartbeat"}{"kind":"heartbeat"}'), '4504'],
  'a byte order mark': [text(`\uFEFF${EVENT}`), '4504'],
  'a NUL': [text('{"kind":"event","type":"T"}\0'), '4504'],
  'an unknown kind': [text('{"kind":"welcome"}'), '4504'],
  'an inherited kind': [text('{"kind":"constructor"}'), '4504'],
  '__proto__ with the kind': [text('{"__proto__":{"kind":"heartbeat"}}'), '4504'],
  'a kind twice': [text('{"kind":"nonsense","kind":"event","type":"T"}'), 'open'],
  'another hello': [text('{"kind":"hello","gameKey":"k"}'), '4504'],
  'a payload of 32 levels': [requestText(nested(32)), 'open'],
  'a payload of 33 levels': [requestText(nested(33)), '4504'],
  'a payload of 2,000 levels': [requestText(nested(2_000)), '4504'],
  'brackets without an end': [text('['.repeat(16_000)), '4504'],
  'a payload with __proto__': [requestText('{"__proto__":{"isAdmin":true},"constructor":1}'), 'open'],
  'a number beyond all': [requestText('{"n":1e400}'), '4504'],
  'a number of 16,000 digits': [requestText(`{"n":${'9'.repeat(16_000)}}`), '4504'],
  'a type that is too long': [text(`{"kind":"event","type":"${'x'.repeat(129)}"}`), '4504'],
};

const CLOSES: Readonly<Record<string, Case>> = {
  'a close of one byte': [frame({ opcode: CLOSE, payload: 'x' }), '1002'],
  'a close without a code': [frame({ opcode: CLOSE }), 'no code'],
  'a close whose reason is no UTF-8': [closeFrame(1000, Uint8Array.of(0xff)), '1007'],
  'a close of 126 bytes': [closeFrame(1000, 'x'.repeat(124)), '1002'],
  'a close of 125 bytes': [closeFrame(1000, 'x'.repeat(123)), '1000'],
  'more behind a close': [join(closeFrame(1000), times(100, text('garbage'))), '1000'],
  ...Object.fromEntries(
    [0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535].map((code) => [
      `a close with ${code}`,
      [closeFrame(code), '1002'],
    ]),
  ),
  ...Object.fromEntries(
    [1000, 1001, 1011, 1014, 3000, 3999, 4000, 4500, 4999].map((code) => [
      `a close with ${code}`,
      [closeFrame(code), String(code)],
    ]),
  ),
};

const HANDSHAKES: Readonly<Record<string, readonly [Parameters<typeof upgradeBytes>[0], expected: string]>> = {
  'another path': [{ path: '/elsewhere' }, 'HTTP 404'],
  'a path below': [{ path: '/connect/x' }, 'HTTP 404'],
  'a climb': [{ path: '/x/../connect' }, 'HTTP 404'],
  'a path of the API': [{ path: '/game/Demo' }, 'HTTP 404'],
  'a query': [{ path: '/connect?token=1' }, '4501'],
  'a POST': [{ method: 'POST' }, 'HTTP 405'],
  'a HEAD': [{ method: 'HEAD' }, 'HTTP 405'],
  'HTTP/1.0': [{ version: 'HTTP/1.0' }, '4501'],
  'no upgrade': [{ headers: { Upgrade: undefined, Connection: 'close' } }, 'HTTP 426'],
  'an upgrade to HTTP/2': [{ headers: { Upgrade: 'h2c', Connection: 'Upgrade, close' } }, 'HTTP 426'],
  'no Host': [{ headers: { Host: undefined } }, 'HTTP 400'],
  'no Host in HTTP/1.0': [{ version: 'HTTP/1.0', headers: { Host: undefined } }, '4501'],
  'two Hosts': [{ headers: { Host: 'x\r\nHost: y' } }, 'HTTP 400'],
  'a Host that is a URL': [{ headers: { Host: 'http://x/' } }, 'HTTP 400'],
  'no subprotocol': [{ headers: { 'Sec-WebSocket-Protocol': undefined } }, 'HTTP 400'],
  'another subprotocol': [{ headers: { 'Sec-WebSocket-Protocol': 'respark.v2' } }, 'HTTP 400'],
  'an inherited subprotocol': [{ headers: { 'Sec-WebSocket-Protocol': '__proto__' } }, 'HTTP 400'],
  'a list with nothing in it': [{ headers: { 'Sec-WebSocket-Protocol': 'respark.v1,,' } }, 'HTTP 400'],
  'a thousand subprotocols': [
    { headers: { 'Sec-WebSocket-Protocol': [...Array(1_000).keys(), 'respark.v1'].join(', ') } },
    '4501',
  ],
  'no version': [{ headers: { 'Sec-WebSocket-Version': undefined } }, 'HTTP 400'],
  'an old version': [{ headers: { 'Sec-WebSocket-Version': '7' } }, 'HTTP 400'],
  'no key': [{ headers: { 'Sec-WebSocket-Key': undefined } }, 'HTTP 400'],
  'a short key': [{ headers: { 'Sec-WebSocket-Key': 'c2hvcnQ=' } }, 'HTTP 400'],
  'a key that is no base64': [{ headers: { 'Sec-WebSocket-Key': '!'.repeat(24) } }, 'HTTP 400'],
  'an origin': [{ headers: { Origin: 'https://evil.example' } }, '4508'],
  'an origin that begins like an allowed one': [{ headers: { Origin: 'https://game.example.evil.example' } }, '4508'],
  'an origin of 10 KB': [{ headers: { Origin: `https://${'a'.repeat(10_000)}` } }, '4508'],
  'the origin null': [{ headers: { Origin: 'null' } }, '4508'],
  'an empty origin': [{ headers: { Origin: '' } }, '4508'],
  'an allowed origin': [{ headers: { Origin: 'https://game.example' } }, '4501'],
  'an offer to compress': [{ headers: { 'Sec-WebSocket-Extensions': 'permessage-deflate' } }, '4501'],
  'a broken offer to compress': [{ headers: { 'Sec-WebSocket-Extensions': 'permessage-deflate;;=,,"' } }, '4501'],
  'a header of 20 KB': [{ headers: { X: 'a'.repeat(20_000) } }, 'HTTP 431'],
  'a body': [{ headers: { 'Content-Length': '5' } }, '4501'],
};

const ORIGINS = { allowedOrigins: ['https://game.example'] };

test('handwritten bad frames end as the specification says', async (t) => {
  await besiege(t, { minCases: 100 }, async (siege) => {
    await checkAll(siege, { ...HEADERS, ...PIECES, ...LENGTHS, ...TEXTS, ...CLOSES });
  });
});

test('handwritten bad handshakes and hellos end as the specification says', async (t) => {
  await besiege(t, { settings: ORIGINS, minCases: 50 }, async (siege) => {
    const { server } = siege;
    const surprises: string[] = [];
    const check = async (what: string, upgrade: string, bytes: Uint8Array, expected: string) =>
      await siege.attempt(what, async () => {
        // A connection that is let in gets no valid hello, so that it ends too.
        const { socket, ending } = openSocket(server, { upgrade });
        socket.write(bytes);
        const { end } = await ending;
        if (end !== expected) surprises.push(`${what}: ${end} instead of ${expected}`);
      });
    for (const [what, [options, expected]] of Object.entries(HANDSHAKES)) {
      await check(what, upgradeBytes(options), expected.startsWith('HTTP') ? Buffer.alloc(0) : text('{}'), expected);
    }
    for (const [what, [bytes, expected]] of Object.entries({ ...HEADERS, ...PIECES, ...LENGTHS, ...TEXTS })) {
      if (expected === 'open' || what === 'another hello') continue;
      // A valid frame that is not a hello is refused like an invalid one, and so is more than a hello needs.
      const first = what.includes('more bytes') ? '4501' : expected.replace('4504', '4501');
      await check(`${what}, first`, upgradeBytes(), bytes, what.includes('binary') ? '4504' : first);
    }
    await check('a hello twice', upgradeBytes(), times(2, helloFrame(server)), '4504');
    await check('a hello and more', upgradeBytes(), join(helloFrame(server), HEARTBEAT), '4504');
    assert.deepEqual(surprises, []);
  });
});

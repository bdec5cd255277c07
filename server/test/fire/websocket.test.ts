import assert from 'node:assert/strict';
import { isUtf8 } from 'node:buffer';
import { test } from 'node:test';
import { decodeClientFrame, encode } from '@respark/protocol';
import fc from 'fast-check';
import { type TestServer, until } from '../support/server.ts';
import {
  BINARY,
  CLOSE,
  closeFrame,
  frame,
  HEARTBEAT,
  helloFrame,
  openPlayer,
  openSocket,
  PING,
  PONG,
  type RawFrame,
  TEXT,
  text,
  upgradeBytes,
} from './raw-websocket.ts';
import { besiege, type Siege } from './siege.ts';

/** CI runs the same cases each time, so that what it says of a change is about the change; runs by hand find new ones. */
const CI_SEED = 11;

/** What a welcomed player sends, and how that ends: a close code, or `open` when a heartbeat behind it is answered. */
type Case = readonly [bytes: Uint8Array, expected: string];

async function endOf(server: TestServer, bytes: Uint8Array): Promise<string> {
  const player = await openPlayer(server);
  player.socket.write(Buffer.concat([bytes, HEARTBEAT]));
  const answered = player.received(/"kind":"heartbeat"/).then(
    () => 'open',
    () => new Promise<never>(() => {}),
  );
  const end = await Promise.race([answered, player.ending.then(({ end }) => end)]);
  player.socket.destroy();
  return end;
}

/** Runs every case, and only then fails with all that went otherwise. */
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

const times = (count: number, bytes: Uint8Array) => Buffer.concat(Array.from({ length: count }, () => bytes));
const part = (payload: string | Uint8Array, isFinal = false) => frame({ opcode: 0, payload, isFinal });
const first = (payload: string | Uint8Array) => frame({ opcode: TEXT, payload, isFinal: false });
const all = (...frames: readonly Uint8Array[]) => Buffer.concat(frames);
const request = (payload: string) => text(`{"kind":"request","id":"1","type":"T","payload":${payload}}`);
const nested = (levels: number) => `${'{"a":'.repeat(levels - 1)}{}${'}'.repeat(levels - 1)}`;
const EVENT = encode({ kind: 'event', type: 'T', payload: { word: 'grüße 🎮' } });
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
  'a piece of nothing': [part(EVENT, true), '1002'],
  'a message inside another': [all(first('{'), text(EVENT)), '1002'],
  'a beginning twice': [all(first('{'), first('}')), '1002'],
  'an event in single bytes': [
    all(
      first(EVENT_BYTES.subarray(0, 10)),
      ...[...EVENT_BYTES.subarray(10, -1)].map((byte) => part(Uint8Array.of(byte))),
      part('}', true),
    ),
    'open',
  ],
  'pings between the pieces': [
    all(first(EVENT.slice(0, 9)), frame({ opcode: PING }), frame({ opcode: PONG }), part(EVENT.slice(9), true)),
    'open',
  ],
  'a close between the pieces': [all(first('{'), closeFrame(1000)), '1000'],
  '64 pieces': [all(first(EVENT.slice(0, 1)), times(62, part('')), part(EVENT.slice(1), true)), 'open'],
  '65 pieces': [all(first(EVENT.slice(0, 1)), times(63, part('')), part(EVENT.slice(1), true)), '1008'],
  'empty pieces without an end': [all(first(''), times(1_000, part(''))), '1008'],
  'more bytes in pieces than allowed': [all(first('x'.repeat(60_000)), part('x'.repeat(6_000))), '1009'],
  'a binary message in pieces': [all(frame({ opcode: BINARY, isFinal: false, payload: 'a' }), part('b', true)), '4504'],
};

const LENGTHS: Readonly<Record<string, Case>> = {
  'a frame of the longest size': [text(EVENT.padEnd(65_536 - 7)), 'open'],
  'a byte more': [frame({ length: 65_537n }), '1009'],
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
  'a bad byte in the last piece': [all(first('{'), part(Uint8Array.of(0xff), true)), '1007'],
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
  'a payload of 32 levels': [request(nested(32)), 'open'],
  'a payload of 33 levels': [request(nested(33)), '4504'],
  'a payload of 10,000 levels': [request(nested(10_000)), '4504'],
  'brackets without an end': [text('['.repeat(60_000)), '4504'],
  'a payload with __proto__': [request('{"__proto__":{"isAdmin":true},"constructor":1}'), 'open'],
  'a number beyond all': [request('{"n":1e400}'), '4504'],
  'a number of 60,000 digits': [request(`{"n":${'9'.repeat(60_000)}}`), '4504'],
  'a type that is too long': [text(`{"kind":"event","type":"${'x'.repeat(129)}"}`), '4504'],
};

const CLOSES: Readonly<Record<string, Case>> = {
  'a close of one byte': [frame({ opcode: CLOSE, payload: 'x' }), '1002'],
  'a close without a code': [frame({ opcode: CLOSE }), 'no code'],
  'a close whose reason is no UTF-8': [closeFrame(1000, Uint8Array.of(0xff)), '1007'],
  'a close of 126 bytes': [closeFrame(1000, 'x'.repeat(124)), '1002'],
  'a close of 125 bytes': [closeFrame(1000, 'x'.repeat(123)), '1000'],
  'more behind a close': [all(closeFrame(1000), times(100, text('garbage'))), '1000'],
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
  'no Host': [{ headers: { Host: undefined } }, '4501'],
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

test('bad frames by hand end as the specification says', async (t) => {
  await besiege(t, { minCases: 100 }, async (siege) => {
    await checkAll(siege, { ...HEADERS, ...PIECES, ...LENGTHS, ...TEXTS, ...CLOSES });
  });
});

test('bad handshakes and bad hellos by hand end as the specification says', async (t) => {
  await besiege(t, { settings: ORIGINS, minCases: 50 }, async (siege) => {
    const { server } = siege;
    const surprises: string[] = [];
    const check = async (what: string, upgrade: string, bytes: Uint8Array, expected: string) =>
      await siege.attempt(what, async () => {
        // What is let in says no hello, so that something comes of that too.
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
      // A valid frame that is no hello is refused like one that is none.
      await check(
        `${what}, first`,
        upgradeBytes(),
        bytes,
        what.includes('binary') ? '4504' : expected.replace('4504', '4501'),
      );
    }
    await check('a hello twice', upgradeBytes(), times(2, helloFrame(server)), '4504');
    await check('a hello and more', upgradeBytes(), all(helloFrame(server), HEARTBEAT), '4504');
    assert.deepEqual(surprises, []);
  });
});

test('sockets that say nothing, too little or too much harm nobody', async (t) => {
  const settings = { authTimeoutMs: 1_000, heartbeatMs: 1_000, messagesPerSecond: 500, messagesBurst: 1_000 };
  await besiege(t, { settings, minCases: 15 }, async (siege) => {
    const { server } = siege;
    const flood = async (bytes: Uint8Array, expected: string) => {
      const player = await openPlayer(server);
      player.socket.write(times(5_000, bytes));
      assert.equal((await player.ending).end, expected);
    };
    const silent = async (bytes: Uint8Array, expected: string) => {
      const { socket, ending } = openSocket(server);
      socket.write(bytes);
      assert.equal((await ending).end, expected);
    };
    const hello = helloFrame(server);
    await siege.attemptAll({
      'no hello': async () => await silent(Buffer.alloc(0), '4002'),
      'half a hello': async () => await silent(hello.subarray(0, 20), '4002'),
      'a hello in drips': async () => {
        const { socket, ending } = openSocket(server);
        const bytes = [...hello];
        const drip = setInterval(() => socket.write(Uint8Array.of(bytes.shift() ?? 0)), 20);
        const { end } = await ending;
        clearInterval(drip);
        assert.equal(end, '4002');
      },
      'pings instead of a hello': async () => {
        const { socket, ending } = openSocket(server);
        const pings = setInterval(() => socket.write(frame({ opcode: PING })), 20);
        const { end } = await ending;
        clearInterval(pings);
        assert.equal(end, '4002');
      },
      'nothing after the welcome': async () => await silent(hello, '4002'),
      'half a frame after the welcome': async () => {
        const player = await openPlayer(server);
        player.socket.write(HEARTBEAT.subarray(0, 5));
        assert.equal((await player.ending).end, '4002');
      },
      'half an upgrade': async () => {
        const { ending } = openSocket(server, { upgrade: upgradeBytes().slice(0, -2) });
        assert.equal((await ending).end, 'HTTP 408');
      },
      'a player who ends their side': async () => {
        const player = await openPlayer(server);
        player.socket.end();
        assert.equal((await player.ending).end, 'ended');
      },
      'a player who is gone without a word': async () => {
        const player = await openPlayer(server);
        player.socket.resetAndDestroy();
        await player.ending;
      },
      'a player who answers no close frame': async () => {
        const player = await openPlayer(server);
        player.socket.removeAllListeners('data').resume();
        player.socket.write(text('{}'));
        assert.equal((await player.ending).end, 'ended');
      },
    });
    await siege.attempt('a flood of heartbeats', async () => await flood(HEARTBEAT, '4005'));
    await siege.attempt('a flood of pings', async () => await flood(frame({ opcode: PING, payload: 'x' }), '4005'));
    await siege.attempt('a flood of pongs', async () => await flood(frame({ opcode: PONG }), '4005'));
    await siege.attempt('a flood of requests', async () => await flood(request('{}'), '4005'));
    await siege.attempt('a flood of garbage', async () => await flood(text('garbage'), '4504'));
    await siege.attempt('a flood of pieces', async () => await flood(all(first('{'), part('')), '1002'));
  });
});

test('players who do not read what they asked for are cut off', async (t) => {
  const settings = { maxOutboxBytes: 262_144, maxRequestsInFlight: 10_000, closeFlushMs: 2_000, closeGraceMs: 2_000 };
  await besiege(t, { settings, minCases: 4 }, async (siege) => {
    const { server } = siege;
    // Each is answered with its type escaped twice: soon more than the kernel's buffers hold.
    const asked = text(`{"kind":"request","id":"1","type":"${'\\u0001'.repeat(128)}"}`);
    const ping = frame({ opcode: PING, payload: 'x'.repeat(125) });
    for (const [what, bytes] of Object.entries({ answers: times(10_000, asked), pongs: times(80_000, ping) })) {
      await siege.attempt(`${what}, until the socket is cut off`, async () => {
        const { socket, texts } = await openPlayer(server);
        socket.pause().write(bytes);
        await until(() => server.counts().sockets === 1);
        assert.equal(texts.length, 1);
        socket.destroy();
      });
      await siege.attempt(`${what}, and reads why in the end`, async () => {
        const { socket, ending } = await openPlayer(server);
        const stopped = server.logged.length;
        socket.pause().write(bytes);
        await until(() => server.logged.slice(stopped).some(({ close }) => close === 'slow_consumer'));
        socket.resume();
        assert.equal((await ending).end, '4001');
      });
    }
  });
});

test('a thousand sockets that never say hello cost nobody else anything', async (t) => {
  const settings = {
    trustedProxies: ['127.0.0.1'],
    authTimeoutMs: 3_000,
    maxUnauthenticated: 1_000,
    maxUnauthenticatedPerAddress: 300,
  };
  await besiege(t, { settings, minCases: 1_000 }, async (siege) => {
    const { server } = siege;
    const open = (address: string) =>
      openSocket(server, { upgrade: upgradeBytes({ headers: { 'X-Forwarded-For': address } }) });
    const addresses = Array.from({ length: 1_200 }, (_, index) => `198.51.100.${index % 4}`);
    const ends: string[] = [];
    const isFull = () => server.counts().unauthenticated === 1_000;
    const mute = Object.fromEntries(
      addresses.map((address, index) => [
        `mute ${index}`,
        async () => void ends.push((await open(address).ending).end),
      ]),
    );
    await siege.attemptAll({
      ...mute,
      // While all of them wait, one more is told to come back.
      'one more': async () => {
        await until(isFull);
        assert.equal((await open('203.0.113.1').ending).end, 'HTTP 503');
      },
    });
    const count = (end: string) => ends.filter((each) => each === end).length;
    assert.deepEqual([count('4002'), count('HTTP 503') + count('HTTP 429')], [1_000, 200]);
    const player = await openPlayer(server);
    player.socket.destroy();
  });
});

/** How RFC 6455 and our specification end a connection whose player sends this frame and then a heartbeat. */
function expectedEnd({ opcode = TEXT, isFinal = true, reserved = 0, isMasked = true, ...rest }: RawFrame): string {
  const payload = Buffer.from(rest.payload ?? '');
  const isControl = opcode >= CLOSE;
  const isKnown = [TEXT, BINARY, CLOSE, PING, PONG].includes(opcode);
  const isLong = payload.length > 125 || (rest.lengthBits ?? 7) > 7;
  if (!isMasked || reserved !== 0 || !isKnown || (isControl && (!isFinal || isLong))) return '1002';
  if (opcode === PING || opcode === PONG) return 'open';
  if (opcode === CLOSE) return expectedClose(payload);
  // The heartbeat comes inside of a message that has not ended.
  if (!isFinal) return '1002';
  if (opcode === BINARY) return '4504';
  if (!isUtf8(payload)) return '1007';
  return expectedText(payload.toString());
}

function expectedText(content: string): string {
  const decoded = decodeClientFrame(content);
  return decoded.ok && decoded.frame.kind !== 'hello' ? 'open' : '4504';
}

function expectedClose(payload: Buffer): string {
  if (payload.length === 0) return 'no code';
  if (payload.length === 1) return '1002';
  const code = payload.readUInt16BE();
  const isAllowed =
    (code >= 1000 && code <= 1014 && ![1004, 1005, 1006].includes(code)) || (code >= 3000 && code <= 4999);
  if (!isAllowed) return '1002';
  return isUtf8(payload.subarray(2)) ? String(code) : '1007';
}

/** Any frame, of which about half have nothing wrong with their head. */
const anyFrame: fc.Arbitrary<RawFrame> = fc.record({
  opcode: fc.oneof(fc.constantFrom(TEXT, BINARY, CLOSE, PING, PONG), fc.nat({ max: 15 })),
  isFinal: fc.oneof(fc.constant(true), fc.boolean()),
  reserved: fc.oneof({ weight: 4, arbitrary: fc.constant(0) }, fc.nat({ max: 7 })),
  isMasked: fc.oneof({ weight: 4, arbitrary: fc.constant(true) }, fc.boolean()),
  payload: fc.oneof(fc.uint8Array({ maxLength: 200 }), fc.constant(EVENT)),
  lengthBits: fc.constantFrom<7 | 16 | 64>(7, 7, 16, 64),
});

test('bad frames by generation end as the specification says', async (t) => {
  await besiege(t, { minCases: 600 }, async (siege) => {
    const { server } = siege;
    // A failure prints the seed, and the path to its smallest case.
    const hold = async <T>(
      what: string,
      numRuns: number,
      inputs: fc.Arbitrary<T>,
      attack: (input: T) => Promise<void>,
    ) =>
      await fc.assert(
        fc.asyncProperty(inputs, async (input) => await siege.attempt(what, async () => await attack(input))),
        { numRuns, ...(process.env.CI === undefined ? {} : { seed: CI_SEED }) },
      );
    const sends = async (bytes: Uint8Array, expected: string) => assert.equal(await endOf(server, bytes), expected);

    await hold('any frame', 200, anyFrame, async (each) => await sends(frame(each), expectedEnd(each)));
    await hold('any bytes in a text', 75, fc.uint8Array({ maxLength: 100 }), async (payload) => {
      await sends(text(payload), expectedEnd({ payload }));
    });
    await hold('any bytes in a close', 75, fc.uint8Array({ maxLength: 20 }), async (payload) => {
      await sends(frame({ opcode: CLOSE, payload }), expectedClose(Buffer.from(payload)));
    });
    const anyText = fc.oneof(
      fc.json({ maxDepth: 5 }),
      fc
        .dictionary(fc.constantFrom('kind', 'id', 'type', 'payload', 'gameKey', '__proto__'), fc.jsonValue(), {
          maxKeys: 6,
        })
        .map((members) => JSON.stringify({ kind: 'request', id: '1', ...members })),
    );
    await hold('any JSON', 100, anyText, async (content) => await sends(text(content), expectedText(content)));
    await hold(
      'any pieces',
      75,
      fc.array(fc.uint8Array({ maxLength: 30 }), { minLength: 1, maxLength: 20 }),
      async (pieces) => {
        const frames = pieces.map((payload, index) =>
          frame({ opcode: index === 0 ? TEXT : 0, isFinal: index === pieces.length - 1, payload }),
        );
        await sends(all(...frames), expectedEnd({ payload: Buffer.concat(pieces) }));
      },
    );
    await hold('any bytes', 100, fc.uint8Array({ maxLength: 300 }), async (bytes) => {
      const player = await openPlayer(server);
      player.socket.end(bytes);
      const { end } = await player.ending;
      assert.match(end, /^(1002|1007|1009|4504|ended|no code|1000)$/);
    });

    for (const [what, whole] of Object.entries({
      event: text(EVENT),
      hello: helloFrame(server),
      upgrade: upgradeBytes(),
    })) {
      for (let length = 0; length < whole.length; length += 2) {
        await siege.attempt(`the first ${length} bytes of ${what}`, async () => {
          const begun = whole.slice(0, length);
          const { socket, ending } =
            what === 'event'
              ? await openPlayer(server)
              : openSocket(server, what === 'upgrade' ? { upgrade: begun } : {});
          if (what === 'upgrade') socket.end();
          else socket.end(begun);
          assert.match((await ending).end, /^(ended|HTTP 400)$/);
        });
      }
    }
  });
});

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { test } from 'node:test';
import { CreateStageCommand, GetStageCommand } from '@aws-sdk/client-gamesparks';
import { decodeClientFrame, encode, formatCloseReason, SUBPROTOCOL } from '@respark/protocol';
import { decodeJwt, SignJWT, UnsecuredJWT } from 'jose';
import { WebSocket } from 'ws';
import { systemClock } from '../../src/clock.ts';
import { closeOf, from, helloOf, leave, testBound, testBoundInTime } from '../support/bound.ts';
import { ManualClock } from '../support/manual-clock.ts';
import {
  assertNothingLeft,
  GAME,
  NO_SEND_LIMITS,
  startTestServer,
  type TestPlayer,
  type TestServer,
  until,
} from '../support/server.ts';

const HEARTBEAT = encode({ kind: 'heartbeat' });

/** A socket without a hello, and a way to have several messages arrive at once. */
async function openCorked(server: TestServer): Promise<{ ws: WebSocket; sendAtOnce: (texts: string[]) => void }> {
  const ws = new WebSocket(server.playerUrl, SUBPROTOCOL, from('198.51.100.77'));
  const opened = once(ws, 'open');
  const [{ socket }] = (await once(ws, 'upgrade')) as [IncomingMessage];
  await opened;
  return {
    ws,
    sendAtOnce(texts) {
      socket.cork();
      for (const each of texts) ws.send(each);
      socket.uncork();
    },
  };
}

async function beat(player: TestPlayer): Promise<void> {
  const answered = player.next((frame) => frame.kind === 'heartbeat');
  player.ws.send(HEARTBEAT);
  await answered;
}

testBoundInTime('who says no hello in time is closed', { authTimeoutMs: 5_000 }, async (server, clock) => {
  const mute = await server.open();
  const closed = closeOf(mute);
  clock.advance(4_999);
  assert.equal(server.counts().closing, 0);
  clock.advance(1);
  assert.deepEqual(await closed, { code: 4002, reason: 'no hello in time' });
});

testBound('what is no hello cannot come first', {}, async (server) => {
  const cases = [
    [HEARTBEAT, 'the first frame must be a hello'],
    [encode({ kind: 'request', id: '1', type: 'T', payload: {} }), 'the first frame must be a hello'],
    ['{"kind":"hello"}', 'gameKey must be a well-formed string of 1-44 characters, got nothing'],
    ['{"kind":"hallo"}', 'kind must be one of hello, request, event, heartbeat, got "hallo"'],
  ];
  for (const [first = '', reason] of cases) {
    const ws = await server.open();
    ws.send(first);
    assert.deepEqual(await closeOf(ws), { code: 4501, reason });
  }
});

testBound('between hello and welcome nothing may come, and a hello comes once', {}, async (server) => {
  const { ws, sendAtOnce } = await openCorked(server);
  sendAtOnce([helloOf(server), HEARTBEAT]);
  assert.deepEqual(await closeOf(ws), { code: 4504, reason: 'wait for the welcome' });

  const player = await server.connect();
  player.ws.send(helloOf(server));
  assert.deepEqual(await player.closed, { code: 4504, reason: 'a hello is sent once' });
});

testBound('an unknown game key is told so, with a token or without', {}, async (server) => {
  for (const token of [{}, { token: 'eyJ.a.b' }]) {
    const ws = await server.open();
    ws.send(encode({ kind: 'hello', gameKey: 'NoSuchKey', ...token }));
    assert.deepEqual(await closeOf(ws), { code: 4502, reason: 'No stage has this game key.' });
  }
});

test('[ws] a token that is damaged, forged, of another stage or expired is refused', async (t) => {
  const day = 86_400_000;
  let aheadMs = 0;
  const clock = { ...systemClock, now: () => Date.now() + aheadMs };
  const server = await startTestServer(t, { clock, settings: { playerTokenLifetimeMs: 30 * day } });
  const player = await server.connect();
  const token = await player.token();
  const [header = '', payload = '', signature = ''] = token.split('.');
  const claims = decodeJwt(token);
  const sub = { ...claims, sub: 'another-player' };
  const encoded = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const refused = {
    'without its signature': `${header}.${payload}.`,
    'with half of its signature': `${header}.${payload}.${signature.slice(0, 20)}`,
    'with another player': `${header}.${encoded(sub)}.${signature}`,
    'for ever': `${header}.${encoded({ ...claims, exp: undefined })}.${signature}`,
    'signed with another key': await new SignJWT(claims).setProtectedHeader({ alg: 'HS256' }).sign(Buffer.alloc(32)),
    'signed with the game key': await new SignJWT(claims)
      .setProtectedHeader({ alg: 'HS256' })
      .sign(Buffer.from(server.gameKey.padEnd(32))),
    'unsigned, and says so': new UnsecuredJWT(claims).encode(),
    'unsigned under a signature': `${encoded({ alg: 'none' })}.${payload}.${signature}`,
    'no token at all': 'token',
  };
  for (const [what, forged] of Object.entries(refused)) {
    await assert.rejects(server.connect({ token: forged }), /closed with 4503/, what);
  }

  const names = { GameName: GAME, StageName: 'Other' };
  await server.sdk().send(new CreateStageCommand({ ...names, Role: 'arn:aws:iam::000000000000:role/any' }));
  const { Stage } = await server.sdk().send(new GetStageCommand(names));
  const ws = await server.open();
  ws.send(encode({ kind: 'hello', gameKey: String(Stage?.GameKey), token }));
  const meaning = 'The token is expired, damaged or of another stage.';
  assert.deepEqual(await closeOf(ws), { code: 4503, reason: meaning });

  aheadMs = 30 * day - 60_000;
  const again = await server.connect({ token });
  assert.equal(again.playerId, player.playerId);
  aheadMs = 30 * day + 1_000;
  await assert.rejects(server.connect({ token }), /closed with 4503 The token is expired/);
  await leave(player, again);
  await assertNothingLeft(server);
});

testBound('a binary message and text that is not UTF-8 end the connection', {}, async (server) => {
  const binary = await server.connect();
  binary.ws.send(Buffer.from(HEARTBEAT), { binary: true });
  assert.deepEqual(await binary.closed, { code: 4504, reason: 'frames are text' });
  const garbled = await server.connect();
  garbled.ws.send(Buffer.from([0x22, 0xff, 0x22]), { binary: false });
  assert.equal((await garbled.closed).code, 1007);
});

testBound('a frame of the longest size is taken, a byte more is not', { maxFrameBytes: 1_024 }, async (server) => {
  // The character has two bytes: bytes of UTF-8 count.
  const frame = (bytes: number) => {
    const text = encode({ kind: 'event', type: 'T', payload: { padding: 'é' } });
    return text.replace('é', `é${'x'.repeat(bytes - Buffer.byteLength(text))}`);
  };
  const player = await server.connect();
  const answered = player.next((each) => each.kind === 'error');
  player.ws.send(frame(1_024));
  await answered;
  player.ws.send(frame(1_025));
  assert.equal((await player.closed).code, 1009);

  const inPieces = await server.connect();
  inPieces.ws.send(frame(1_025).slice(0, 1_000), { fin: false });
  inPieces.ws.send(frame(1_025).slice(1_000));
  assert.equal((await inPieces.closed).code, 1009);
});

testBound('a message in too many pieces ends the connection', {}, async (server) => {
  const player = await server.connect();
  for (let piece = 0; piece < 65; piece += 1) player.ws.send(' ', { fin: false });
  assert.deepEqual(await player.closed, { code: 1008, reason: 'a message came in too many pieces' });
});

for (const maxFrameBytes of [16_384, 131_072]) {
  testBound(`a message of ${maxFrameBytes} bytes may come in pieces of 1,016`, { maxFrameBytes }, async (server) => {
    const player = await server.connect();
    const message = Buffer.from(encode({ kind: 'event', type: 'T', payload: {} }).padEnd(maxFrameBytes));
    const answered = player.next((each) => each.kind === 'error');
    for (let at = 0; at < message.length; at += 1_016) {
      const isLast = at + 1_016 >= message.length;
      player.ws.send(message.subarray(at, at + 1_016), { binary: false, fin: isLast });
    }
    await answered;
    await leave(player);
  });
}

testBound(
  'who reads too slowly for the outbox is closed, and learns why if they read on',
  {
    maxOutboxBytes: 16_384,
    ...NO_SEND_LIMITS,
    maxRequestsInFlight: 10_000,
    closeFlushMs: 30_000,
    closeGraceMs: 60_000,
  },
  async (server) => {
    const player = await server.connect();
    player.ws.pause();
    // Each is answered with its type escaped twice: soon more than the kernel's buffers hold.
    const type = '\u0001'.repeat(128);
    for (let sent = 0; sent < 12_000; sent += 1) player.request(String(sent), type);
    await until(() => server.logged.some(({ close }) => close === 'slow_consumer'));
    player.ws.resume();
    assert.deepEqual(await player.closed, {
      code: 4001,
      reason: 'The client reads too slowly: its outbox is full.',
    });
    assert(player.frames.length < 12_000);
  },
);

const FLOODS = {
  frames: (ws: WebSocket) => ws.send(HEARTBEAT),
  pings: (ws: WebSocket) => ws.ping(),
  pongs: (ws: WebSocket) => ws.pong(),
} as const;

for (const [what, send] of Object.entries(FLOODS)) {
  testBoundInTime(
    `more ${what} than messagesPerSecond end the connection, short bursts aside`,
    { messagesPerSecond: 2, messagesBurst: 10 },
    async (server, clock) => {
      const player = await server.connect();
      // The hello was the first of ten.
      for (let sent = 0; sent < 8; sent += 1) send(player.ws);
      await beat(player);
      clock.advance(1_000);
      send(player.ws);
      await beat(player);
      send(player.ws);
      assert.deepEqual(await player.closed, {
        code: 4005,
        reason: 'The client sent more than messagesPerSecond.',
      });
    },
  );
}

test('[ws] who is silent for two heartbeat periods is closed, who beats stays', async (t) => {
  const clock = new ManualClock();
  const server = await startTestServer(t, { settings: { heartbeatMs: 1_000 }, clock });
  // Without answers to pings.
  const silent = await server.connect({}, { autoPong: false });
  clock.advance(400);
  const beating = await server.connect();
  clock.advance(1_599);
  assert.equal(server.counts().closing, 0);
  clock.advance(1);
  const meaning = 'Nothing arrived for two heartbeat periods, or no hello within its time limit.';
  assert.deepEqual(await silent.closed, { code: 4002, reason: meaning });
  for (let period = 0; period < 5; period += 1) {
    await beat(beating);
    clock.advance(1_000);
  }
  await beat(beating);
  await leave(beating);
  await assertNothingLeft(server);
});

test('[ws] who says nothing but answers pings stays, who does neither is closed', async (t) => {
  const server = await startTestServer(t, { settings: { heartbeatMs: 250 } });
  const [idle, mute] = await Promise.all([server.connect(), server.connect({}, { autoPong: false })]);
  const heard: ('idle' | 'mute')[] = [];
  idle.ws.on('ping', () => void heard.push('idle'));
  mute.ws.on('ping', () => void heard.push('mute'));
  const count = (player: 'idle' | 'mute') => heard.filter((each) => each === player).length;
  assert.equal((await mute.closed).code, 4002);
  assert.equal(count('mute'), 1);
  await until(() => count('idle') === 5 || idle.ws.readyState !== WebSocket.OPEN);
  assert.equal(idle.ws.readyState, WebSocket.OPEN);
  await leave(idle);
  await assertNothingLeft(server);
});

// The four come in one turn, which would end where one of them took long on a busy machine.
testBoundInTime(
  'more requests in flight than allowed are busy, and nothing else happens',
  { maxRequestsInFlight: 2 },
  async (server) => {
    const { ws, sendAtOnce } = await openCorked(server);
    const answers: unknown[] = [];
    ws.on('message', (data) => answers.push(JSON.parse(String(data))));
    ws.send(helloOf(server));
    await until(() => answers.length === 1);
    const requests = ['a', 'b', 'c', 'd'].map((id) =>
      encode({ kind: 'request', id, type: 'GameSparks.Identity.GetPlayerToken', payload: {} }),
    );
    sendAtOnce(requests);
    await until(() => answers.length === 5);
    const message = 'too many of your messages are still being handled';
    assert.deepEqual(answers.slice(1, 3), [
      { kind: 'error', id: 'c', code: 'busy', message },
      { kind: 'error', id: 'd', code: 'busy', message },
    ]);
    sendAtOnce(requests.slice(2));
    await until(() => answers.length === 7);
    const served = answers.slice(3) as { kind: string; id: string }[];
    assert.deepEqual(served.map(({ kind, id }) => `${kind} ${id}`).sort(), [
      'response a',
      'response b',
      'response c',
      'response d',
    ]);
    await leave(ws);
  },
);

interface Vector {
  readonly name: string;
  readonly direction: 'to-server' | 'to-client';
  readonly text: string;
  readonly frame?: { readonly kind: string };
}

// Seen from dist/test/wire.
const VECTORS = new URL('../../../../protocol/vectors/frames.json', import.meta.url);

testBound(
  'the golden frames are taken or refused as they say, first or after the welcome',
  { handshakesPerSecondPerAddress: 100_000, handshakesPerSecond: 100_000 },
  async (server) => {
    const vectors: Vector[] = JSON.parse(readFileSync(VECTORS, 'utf8'));
    const toServer = vectors.filter(({ direction }) => direction === 'to-server');
    assert(toServer.length > 50);
    for (const { name, text, frame } of toServer) {
      const decoded = decodeClientFrame(text);
      const fault = decoded.ok ? undefined : formatCloseReason(decoded.fault);

      const ws = await server.open();
      ws.send(text);
      const isHello = frame?.kind === 'hello';
      assert.deepEqual(
        await closeOf(ws),
        isHello
          ? { code: 4502, reason: 'No stage has this game key.' }
          : { code: 4501, reason: fault ?? 'the first frame must be a hello' },
        `first: ${name}`,
      );

      const player = await server.connect();
      player.ws.send(text);
      if (frame === undefined || isHello) {
        assert.deepEqual(await player.closed, { code: 4504, reason: fault ?? 'a hello is sent once' }, name);
      } else {
        await beat(player);
        await leave(player);
      }
    }
  },
);

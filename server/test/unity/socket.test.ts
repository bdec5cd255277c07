import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { type TestContext, test } from 'node:test';
import { decodeClientFrame, encode, SUBPROTOCOL } from '@respark/protocol';
import { type WebSocket, WebSocketServer } from 'ws';
import { compileCSharpPlayer, startCSharpPlayer } from '../support/csharp-player.ts';
import { createWorkplace } from '../support/process.ts';
import { until } from '../support/server.ts';
import { findUnityTools, MISSING_UNITY_TOOLS } from '../support/unity.ts';

const tools = findUnityTools();
const skip = tools === undefined ? MISSING_UNITY_TOOLS : false;

const WELCOME = encode({
  kind: 'welcome',
  playerId: 'player-1',
  connectionId: 'connection-1',
  heartbeatMs: 20_000,
  maxFrameBytes: 65_536,
  messagesPerSecond: 50,
  messagesBurst: 100,
  bytesPerSecond: 65_536,
  bytesBurst: 262_144,
  maxRequestsInFlight: 64,
  tokenLifetimeMs: 3_600_000,
});

/** What a server does with the next attempt of a client. */
type Turn = (attempt: { readonly socket: Duplex; accept(subprotocol?: string): Promise<WebSocket> }) => void;

/** A server that takes its turns one after the other. */
async function serve(t: TestContext, turns: Turn[]): Promise<string> {
  const server = createServer();
  server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    socket.on('error', () => {});
    const turn = turns.shift();
    if (turn === undefined) {
      socket.destroy();
      return;
    }
    turn({
      socket,
      accept: (subprotocol = SUBPROTOCOL) =>
        new Promise((resolve) => {
          const handleProtocols = () => subprotocol;
          const sockets = new WebSocketServer({ noServer: true, handleProtocols });
          sockets.handleUpgrade(request, socket, head, (ws) => {
            t.after(() => ws.terminate());
            ws.on('error', () => {});
            resolve(ws);
          });
        }),
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  return `ws://127.0.0.1:${(server.address() as AddressInfo).port}/connect`;
}

/** Welcomes the player, once the hello has come. */
async function welcome(ws: WebSocket): Promise<void> {
  const [data] = await once(ws, 'message');
  assert.equal(decodeClientFrame(String(data)).ok, true);
  ws.send(WELCOME);
}

test('[mono] the socket of .NET says how each attempt and each connection ends, and reads whatever a server may send', {
  skip,
}, async (t) => {
  const program = await compileCSharpPlayer(t);
  const text = 'é👋'.repeat(30_000);
  const url = await serve(t, [
    ({ socket }) => socket.end('HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n'),
    ({ socket }) => socket.destroy(),
    async ({ accept }) => {
      const ws = await accept();
      await welcome(ws);
      ws.send(Buffer.from([1, 2, 3]));
      // One message in many pieces, which end in the middle of characters, with a ping in between.
      const frame = Buffer.from(encode({ kind: 'notification', type: 'Custom.Game.Heard', payload: { Text: text } }));
      for (let at = 0; at < frame.length; at += 10_000) {
        ws.send(frame.subarray(at, at + 10_000), { binary: false, fin: at + 10_000 >= frame.length });
        if (at === 10_000) ws.ping();
      }
      await once(ws, 'pong');
      ws.close();
    },
    async ({ accept }) => {
      const ws = await accept();
      await welcome(ws);
      ws.close(4000, 'the node is draining; retryAfterMs=1');
    },
    async ({ accept }) => {
      const ws = await accept();
      await welcome(ws);
      ws.terminate();
    },
    async ({ accept }) => {
      const ws = await accept('another.v1');
      ws.on('message', () => assert.fail('nothing may be sent to a server that speaks something else'));
    },
    async ({ accept }) => {
      const ws = await accept();
      await welcome(ws);
      ws.close(4510, 'blocked; until=1700000000000; requestId=r-1');
    },
  ]);
  const player = startCSharpPlayer(createWorkplace(t), program, { url, gameKey: 'key' }, { longestWaitMs: 10 });
  // Mono says no more of an HTTP answer.
  const unable = /disconnect 1006 abnormal, Unable to connect to the remote server, request , comes back/;
  await player.next(unable);
  await player.next(unable);
  await player.next(/welcome player-1/);
  await player.next(/failed the server sent a bad frame: a frame must be text, got a binary message: /);
  const [, heard] = await player.next(/heard (.*) in the game's thread/);
  assert.ok(heard === text);
  await player.next(/disconnect 1005 no_status, no reason given, request , comes back/);
  await player.next(/welcome player-1/);
  await player.next(/disconnect 4000 draining, the node is draining, request , comes back/);
  await player.next(/welcome player-1/);
  await player.next(/disconnect 1006 abnormal, .*, request , comes back/);
  // .NET ends an attempt whose answer has a subprotocol that was not offered.
  await player.next(/disconnect 1006 abnormal, .*, request , comes back/);
  await player.next(/welcome player-1/);
  await player.next(/disconnect 4510 blocked, blocked, request r-1, stays away/);
  assert.equal(player.err(), '');
});

test('[mono] a game that goes on sending to a server that has gone still reads why it went', { skip }, async (t) => {
  const program = await compileCSharpPlayer(t);
  let connected: (ws: WebSocket) => void = () => {};
  const connection = new Promise<WebSocket>((resolve) => {
    connected = resolve;
  });
  const url = await serve(t, [
    async ({ accept }) => {
      const ws = await accept();
      await welcome(ws);
      connected(ws);
    },
  ]);
  const player = startCSharpPlayer(createWorkplace(t), program, { url, gameKey: 'key' });
  const ws = await connection;
  await player.next(/welcome player-1/);
  await player.do('pause', /paused/);
  // More than it reads while it is paused, so that the close frame lies unread.
  const noise = encode({ kind: 'notification', type: 'Custom.Game.Noise', payload: {} });
  for (let sent = 0; sent < 200; sent += 1) ws.send(noise);
  ws.close(4510, 'blocked; requestId=r-1');
  await until(() => ws.bufferedAmount === 0);
  ws.terminate();
  await player.do(`resume\n${'shout\n'.repeat(50)}pause`, /paused/);
  await player.do('resume', /disconnect 4510 blocked, blocked, request r-1, stays away/);
});

test('[mono] a game that is paused stops reading, so that what the server goes on to send does not fill its memory', {
  skip,
}, async (t) => {
  const program = await compileCSharpPlayer(t);
  let connected: (ws: WebSocket) => void = () => {};
  const connection = new Promise<WebSocket>((resolve) => {
    connected = resolve;
  });
  const url = await serve(t, [
    async ({ accept }) => {
      const ws = await accept();
      await welcome(ws);
      connected(ws);
    },
  ]);
  const player = startCSharpPlayer(createWorkplace(t), program, { url, gameKey: 'key' });
  const ws = await connection;
  await player.next(/welcome player-1/);
  await player.do('pause', /paused/);
  const noise = encode({ kind: 'notification', type: 'Custom.Game.Noise', payload: { Text: 'x'.repeat(16_000) } });
  for (let sent = 0; sent < 2_500; sent += 1) ws.send(noise);
  ws.send(encode({ kind: 'notification', type: 'Custom.Game.Heard', payload: { Text: 'the last' } }));
  let [left, since] = [ws.bufferedAmount, performance.now()];
  await until(() => {
    if (ws.bufferedAmount !== left) [left, since] = [ws.bufferedAmount, performance.now()];
    return performance.now() - since > 1_500;
  });
  assert.ok(left > 10_000_000, `${left} bytes are left`);
  await player.do('resume', /heard the last in the game's thread/);
  assert.equal(ws.bufferedAmount, 0);
});

test('[mono] long messages that a paused game does not read are bounded by their bytes, too', { skip }, async (t) => {
  const program = await compileCSharpPlayer(t);
  let connected: (ws: WebSocket) => void = () => {};
  const connection = new Promise<WebSocket>((resolve) => {
    connected = resolve;
  });
  const url = await serve(t, [
    async ({ accept }) => {
      const ws = await accept();
      await welcome(ws);
      connected(ws);
    },
  ]);
  const player = startCSharpPlayer(createWorkplace(t), program, { url, gameKey: 'key' });
  const ws = await connection;
  await player.next(/welcome player-1/);
  await player.do('pause', /paused/);
  const noise = (length: number) =>
    encode({ kind: 'notification', type: 'Custom.Game.Noise', payload: { Text: 'x'.repeat(length) } });
  // Fewer than may wait by their number.
  for (let sent = 0; sent < 20; sent += 1) ws.send(noise(3_000_000));
  // One that takes all the room there is.
  ws.send(noise(16_777_000));
  ws.send(encode({ kind: 'notification', type: 'Custom.Game.Heard', payload: { Text: 'the last' } }));
  let [left, since] = [ws.bufferedAmount, performance.now()];
  await until(() => {
    if (ws.bufferedAmount !== left) [left, since] = [ws.bufferedAmount, performance.now()];
    return performance.now() - since > 1_500;
  });
  assert.ok(left > 45_000_000, `${left} bytes are left`);
  await player.do('resume', /heard the last in the game's thread/);
  assert.equal(ws.bufferedAmount, 0);
});

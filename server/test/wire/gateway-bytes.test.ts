import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { encode, MAX_HELLO_BYTES } from '@respark/protocol';
import type { WebSocket } from 'ws';
import { openSocket, upgradeBytes } from '../fire/raw-websocket.ts';
import { helloOf, leave, testBound, testBoundInTime } from '../support/bound.ts';
import type { TestPlayer } from '../support/server.ts';

const HEARTBEAT = encode({ kind: 'heartbeat' });

async function beat(player: TestPlayer): Promise<void> {
  const answered = player.next((frame) => frame.kind === 'heartbeat');
  player.ws.send(HEARTBEAT);
  await answered;
}

testBoundInTime(
  'more bytes than bytesPerSecond end the connection, short bursts aside',
  { maxFrameBytes: 1_024, bytesPerSecond: 1_024, bytesBurst: 3_072 },
  async (server, clock) => {
    const player = await server.connect();
    const send = (bytes: number) => player.ws.send(HEARTBEAT.padEnd(bytes));
    send(1_024);
    send(1_024);
    await beat(player);
    clock.advance(1_000);
    send(1_024);
    await beat(player);
    send(1_024);
    assert.deepEqual(await player.closed, { code: 4005, reason: 'more than bytesPerSecond' });
  },
);

testBoundInTime(
  'the players of one address may send a number of bytes together, and those of others are not concerned',
  {
    ...{ trustedProxies: ['127.0.0.1'], maxFrameBytes: 1_024, bytesBurst: 8_192 },
    ...{ bytesPerSecondPerAddress: 1_024, bytesBurstPerAddress: 8_192 },
  },
  async (server) => {
    const connectFrom = (address: string) => server.connect({}, { headers: { 'X-Forwarded-For': address } });
    const [first, second, other] = [
      await connectFrom('203.0.113.1'),
      await connectFrom('203.0.113.1'),
      await connectFrom('203.0.113.2'),
    ];
    for (let sent = 0; sent < 5; sent += 1) first.ws.send(HEARTBEAT.padEnd(1_024));
    await beat(first);
    for (let sent = 0; sent < 3; sent += 1) second.ws.send(HEARTBEAT.padEnd(1_024));
    assert.deepEqual(await second.closed, { code: 4005, reason: 'your address sends too many bytes' });
    await beat(other);
    await Promise.all([leave(first), leave(other)]);
  },
);

/** A heartbeat that is sent in two pieces. */
const LONG_HEARTBEAT = HEARTBEAT.padEnd(1_600);

async function begin({ ws }: TestPlayer): Promise<void> {
  ws.send(LONG_HEARTBEAT.slice(0, 1_500), { fin: false });
  // A ping between the pieces is answered once the first piece has been read.
  ws.ping();
  await once(ws, 'pong');
}

async function goOn(player: TestPlayer): Promise<void> {
  const answered = player.next((frame) => frame.kind === 'heartbeat');
  player.ws.send(LONG_HEARTBEAT.slice(1_500));
  await answered;
}

const INBOXES_FULL = 'the server has too many messages that have not come whole; retryAfterMs=5000';

testBound(
  'the beginnings of messages take so many bytes together, and when there are more, that which came first gives way',
  { maxFrameBytes: 2_048, inboxMemoryBytes: 4_096 },
  async (server) => {
    const [first, second, third] = [await server.connect(), await server.connect(), await server.connect()];
    await begin(first);
    await begin(second);
    await goOn(first);
    await begin(first);
    await begin(third);
    assert.deepEqual(await second.closed, { code: 1013, reason: INBOXES_FULL });
    await goOn(third);
    await goOn(first);
    await Promise.all([leave(first), leave(third)]);
  },
);

testBound(
  'a message whose beginning comes together with the end of another one began when it came',
  { maxFrameBytes: 2_048, inboxMemoryBytes: 4_096 },
  async (server) => {
    const [first, second, third] = [await server.connect(), await server.connect(), await server.connect()];
    await begin(first);
    await begin(second);
    const socket: Socket = Reflect.get(first.ws, '_socket');
    socket.cork();
    const [answered, begun] = [goOn(first), begin(first)];
    socket.uncork();
    await Promise.all([answered, begun]);
    await begin(third);
    const endOf = async (player: TestPlayer) => await player.closed.then(() => player);
    assert.equal(await Promise.race([endOf(first), endOf(second)]), second);
    await goOn(first);
    await goOn(third);
    await Promise.all([leave(first), leave(third)]);
  },
);

testBoundInTime(
  'the players of one address may send a number of messages together, however many connections they come on',
  { trustedProxies: ['127.0.0.1'], messagesPerSecondPerAddress: 2, messagesBurstPerAddress: 10 },
  async (server, clock) => {
    const connectFrom = (address: string) => server.connect({}, { headers: { 'X-Forwarded-For': address } });
    // Each hello counts as a message, too.
    const [first, other] = [await connectFrom('203.0.113.1'), await connectFrom('203.0.113.2')];
    for (let sent = 0; sent < 8; sent += 1) await beat(first);
    const second = await connectFrom('203.0.113.1');
    clock.advance(1_000);
    await beat(second);
    await beat(first);
    second.ws.send(HEARTBEAT);
    assert.deepEqual(await second.closed, { code: 4005, reason: 'your address sends too many messages' });
    await beat(other);
    await Promise.all([leave(first), leave(other)]);
  },
);

testBound('a hello has a few kilobytes, in however many frames it comes', {}, async (server) => {
  const hello = helloOf(server).padEnd(MAX_HELLO_BYTES);
  const welcomed = await server.open();
  welcomed.send(hello);
  await once(welcomed, 'message');
  welcomed.close();
  for (const send of [
    (ws: WebSocket) => ws.send(hello.padEnd(16_384)),
    (ws: WebSocket) => ws.send('x'.repeat(15_000), { fin: false }),
    (ws: WebSocket) => {
      for (let sent = 0; sent < 60; sent += 1) ws.ping('x'.repeat(125));
    },
  ]) {
    const ws = await server.open();
    const closed = once(ws, 'close');
    send(ws);
    const [code, reason] = await closed;
    assert.deepEqual([code, String(reason)], [4501, `a hello has at most ${MAX_HELLO_BYTES} bytes`]);
  }
});

testBound('an upgrade that comes before the answers to earlier requests ends the socket', {}, async (server) => {
  const page = 'GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n';
  const { ending, texts } = openSocket(server, { upgrade: page + upgradeBytes() });
  const { end } = await ending;
  assert(['ended', 'HTTP 200'].includes(end), end);
  assert.deepEqual(texts, []);
});

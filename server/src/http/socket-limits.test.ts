import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import { WebSocket, WebSocketServer } from 'ws';
import { limitSockets } from './socket-limits.ts';

async function serve(t: TestContext, { isTrusted = false } = {}) {
  const server = createServer((_request, response) => response.end('ok'));
  const webSockets = new WebSocketServer({ noServer: true });
  server.on('upgrade', (request, socket, head) => webSockets.handleUpgrade(request, socket, head, () => {}));
  limitSockets(server, { settings: { maxHttpSockets: 5, maxHttpSocketsPerAddress: 2 }, isTrusted: () => isTrusted });
  server.listen(0, '0.0.0.0');
  await once(server, 'listening');
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  const open = (localAddress: string): Socket => {
    const socket = connect({ port, host: '127.0.0.1', localAddress });
    socket.on('error', () => {});
    t.after(() => socket.destroy());
    return socket;
  };
  return { port, open };
}

/** A socket that the server lets be answers a request; one that it does not is closed. */
async function isServed(socket: Socket): Promise<boolean> {
  socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
  return await Promise.race([once(socket, 'data').then(() => true), once(socket, 'close').then(() => false)]);
}

test('one address may have its share of silent sockets, others may have theirs, and all together the bound', async (t) => {
  const { open } = await serve(t);
  const served = [];
  for (const address of ['127.0.0.1', '127.0.0.1', '127.0.0.1', '127.0.0.2', '127.0.0.2', '127.0.0.3', '127.0.0.4']) {
    served.push(await isServed(open(address)));
  }
  assert.deepEqual(served, [true, true, false, true, true, true, false]);
});

test('a socket that ends, or becomes a WebSocket, makes room', async (t) => {
  const { open, port } = await serve(t);
  const first = open('127.0.0.1');
  assert(await isServed(first));
  for (let player = 0; player < 4; player += 1) {
    const ws = new WebSocket(`ws://127.0.0.1:${port}`);
    t.after(() => ws.terminate());
    await once(ws, 'open');
  }
  assert(await isServed(open('127.0.0.1')));
  first.destroy();
  await once(first, 'close');
  // The server hears of it a moment later.
  for (let isRoom = false; !isRoom; ) isRoom = await isServed(open('127.0.0.1'));
});

test('a trusted proxy stands for many addresses', async (t) => {
  const { open } = await serve(t, { isTrusted: true });
  const served = [];
  for (let socket = 0; socket < 6; socket += 1) served.push(await isServed(open('127.0.0.1')));
  assert.deepEqual(served, [true, true, true, true, true, false]);
});

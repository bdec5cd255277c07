import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer, type RequestListener, type Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { buffer, text } from 'node:stream/consumers';
import { describe, it, type TestContext } from 'node:test';
import { connect as connectTls } from 'node:tls';
import { tlsFiles } from '../../test/support/tls-files.ts';
import { createTurns } from '../turns.ts';
import { parseInTurns } from './socket-turns.ts';

const GET = 'GET / HTTP/1.1\r\nHost:\r\n\r\n';

/** A server on which each look at the clock takes a millisecond, so that its turns are soon over. */
async function serve(
  t: TestContext,
  {
    isTls = false,
    onRequest,
    mayParse = () => true,
  }: { isTls?: boolean; onRequest: RequestListener; mayParse?: () => boolean },
) {
  const { certFile, keyFile } = tlsFiles('first');
  const [cert, key] = [certFile, keyFile].map((file) => readFileSync(file));
  const server: Server = isTls ? createTlsServer({ cert, key }, onRequest) : createServer(onRequest);
  let now = 0;
  const turns = createTurns({
    clock: {
      monotonic: () => {
        now += 1;
        return now;
      },
    },
  });
  let received: Promise<string> | undefined;
  server.on('upgrade', (_request, socket: Socket, head: Buffer) => {
    socket.unshift(head);
    received = text(socket);
    socket.end('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n');
  });
  const sockets: Socket[] = [];
  server.on('connection', (socket: Socket) => sockets.push(socket));
  parseInTurns(server, turns, mayParse);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const open = () =>
    (isTls ? connectTls({ port, rejectUnauthorized: false }) : connect({ port })).on('error', () => {});
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return { open, turns, sockets, upgraded: () => received };
}

/** How many requests the server is given before the event loop turns. */
async function countPerTurn(t: TestContext, isTls: boolean) {
  let [requests, atLastTurn, most] = [0, 0, 0];
  const turn = () => {
    most = Math.max(most, requests - atLastTurn);
    atLastTurn = requests;
  };
  const { open } = await serve(t, {
    isTls,
    onRequest: (_request, response) => {
      if (requests === atLastTurn) setImmediate(turn);
      requests += 1;
      response.end('x');
    },
  });
  const socket = open();
  socket.write(GET.repeat(2_000));
  let answers = 0;
  for await (const chunk of socket) {
    answers += String(chunk).split('HTTP/1.1 200').length - 1;
    if (answers >= 2_000) break;
  }
  return { requests, most };
}

describe('a server that parses in turns', () => {
  for (const isTls of [false, true]) {
    it(`is given few requests at once${isTls ? ' over TLS' : ''}, and all of them in the end`, async (t) => {
      const { requests, most } = await countPerTurn(t, isTls);
      assert.equal(requests, 2_000);
      // A piece holds 1,024 / 26 = 40 requests, and a turn is over after two or three pieces.
      assert(most < 200, `${most} in one turn`);
    });
  }

  it('is given a long body whole and in order, and reads no more of it than its handler does', async (t) => {
    const body = Buffer.from(Array.from({ length: 1_000_000 }, (_, at) => at % 251));
    const { open, turns } = await serve(t, {
      onRequest: async (request, response) => {
        // The parser pauses the socket when nothing is read of the body for a while.
        await new Promise((resolve) => setTimeout(resolve, 50));
        response.end(String((await buffer(request)).equals(body)));
      },
    });
    const socket = open();
    socket.write(`POST / HTTP/1.1\r\nHost:\r\nConnection: close\r\nContent-Length: ${body.length}\r\n\r\n`);
    socket.write(body);
    assert.match(await text(socket), /true$/);
    assert.equal(turns.size, 0);
  });

  it('leaves what comes behind an upgrade to the handler of the upgrade, in order', async (t) => {
    const sent = Array.from({ length: 3_000 }, (_, at) => `${at},`).join('');
    const { open, upgraded } = await serve(t, { onRequest: (_request, response) => response.end() });
    const socket = open();
    socket.end(`GET / HTTP/1.1\r\nHost:\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n${sent}`);
    await text(socket);
    assert((await upgraded()) === sent);
  });

  it('destroys a socket that brings more and more although it is paused', async (t) => {
    const { open, sockets } = await serve(t, {
      onRequest: (_request, response) => response.end(),
      mayParse: () => false,
    });
    const client = open();
    await once(client, 'connect');
    while (sockets.length === 0) await new Promise((resolve) => setImmediate(resolve));
    const [socket] = sockets;
    assert(socket);
    const read = Buffer.alloc(65_536);
    for (let reads = 0; reads < 16; reads += 1) socket.emit('data', read);
    assert.deepEqual([socket.isPaused(), socket.destroyed], [true, false]);
    socket.emit('data', read);
    assert.equal(socket.destroyed, true);
  });

  it('forgets what a client has sent that is gone', async (t) => {
    const { open, turns } = await serve(t, { onRequest: ({ socket }) => void socket.destroy() });
    const socket = open();
    socket.write(GET.repeat(2_000));
    socket.resume();
    await once(socket, 'close');
    while (turns.size > 0) await new Promise((resolve) => setImmediate(resolve));
  });
});

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
import { type ParsingOrder, parseBodyInLane, parseInTurns, resumeParsing } from './socket-turns.ts';

const nextTurn = () => new Promise((resolve) => setImmediate(resolve));

/** A request that names its client, in place of what a proxy says of it. */
const requestOf = (client: string, headers = '') => `POST /${client} HTTP/1.1\r\nHost:\r\n${headers}\r\n`;
const clientOf = (bytes: Buffer) => /^POST \/([\w-]+)/.exec(String(bytes))?.[1] ?? 'none';

const GET = 'GET / HTTP/1.1\r\nHost:\r\n\r\n';

/** A server on which each look at the clock takes a millisecond, so that its turns are soon over. */
async function serve(
  t: TestContext,
  { isTls = false, onRequest, ...order }: { isTls?: boolean; onRequest: RequestListener } & Partial<ParsingOrder>,
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
  parseInTurns(server, turns, order);
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

  it('shares the turns out among the clients of a proxy, whichever sockets bring what they ask', async (t) => {
    const served: string[] = [];
    const { open, turns, sockets } = await serve(t, {
      laneFinderOf: () => clientOf,
      onRequest: ({ url = '', socket }, response) => {
        served.push(url.slice(1, 2));
        response.end();
        resumeParsing(socket);
      },
    });
    const clients = Array.from({ length: 101 }, () => open().resume());
    while (sockets.length < 101) await nextTurn();
    turns.wait('other', () => {});
    clients.forEach((socket, at) => void socket.write(requestOf(at === 100 ? 'b' : 'a')));
    while (served.length < 101) await nextTurn();
    assert(served.indexOf('b') < 20, `b was served behind ${served.indexOf('b')} of a`);
  });

  it('has a request wait in its lane from its first byte to its answer, whatever its body looks like', async (t) => {
    const { open, turns, sockets } = await serve(t, {
      laneFinderOf: () => clientOf,
      onRequest: async (request, response) => {
        if (request.url === '/b-named') parseBodyInLane(request.socket, 'named');
        await buffer(request);
        response.end('x');
        resumeParsing(request.socket);
      },
    });
    const client = open();
    await once(client, 'connect');
    while (sockets.length === 0) await nextTurn();
    const lanes: string[] = [];
    t.mock.method(turns, 'isOpen', (lane: string) => lanes.push(lane) > 0);
    const size = t.mock.getter(turns, 'size', () => 1);
    const send = async (...parts: string[]) => {
      lanes.length = 0;
      for (const part of parts) {
        const before = lanes.length;
        client.write(part);
        while (lanes.length === before) await nextTurn();
      }
      await once(client, 'data');
      return [...lanes];
    };
    const forged = requestOf('c');
    const length = `Content-Length: ${forged.length}\r\n`;
    assert.deepEqual(await send(requestOf('a')), ['a']);
    assert.deepEqual(await send(requestOf('b', length), forged), ['b', 'b']);
    assert.deepEqual(await send(requestOf('b-named', length), forged), ['b-named', 'named']);
    size.mock.restore();
    assert.deepEqual(await send(requestOf('a', length), forged), ['127.0.0.1', '127.0.0.1']);
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

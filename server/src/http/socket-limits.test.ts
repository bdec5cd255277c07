import assert from 'node:assert/strict';
import { EventEmitter, once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer, type Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import { connect as connectTls } from 'node:tls';
import { WebSocket, WebSocketServer } from 'ws';
import { tlsFiles } from '../../test/support/tls-files.ts';
import { systemClock } from '../clock.ts';
import { createTurns } from '../turns.ts';
import { shakeHandsInTurns } from './handshake-turns.ts';
import { limitSockets, noteCaller } from './socket-limits.ts';
import { parseInTurns } from './socket-turns.ts';

const NOBODY = { isTrusted: () => false, clock: systemClock };

/** Each socket brings a caller of its own. */
const callerOf = ({ req }: ServerResponse) => String(req.socket.remotePort);

async function serve(t: TestContext, { isTrusted = false } = {}) {
  let now = 0;
  const held: ServerResponse[] = [];
  const server = createServer((request, response) => {
    if (request.url !== '/held') noteCaller(response, request.url === '/known' ? callerOf(response) : undefined);
    if (request.url?.startsWith('/held')) held.push(response);
    else response.end('ok');
  });
  const webSockets = new WebSocketServer({ noServer: true });
  server.on('upgrade', (request, socket, head) => webSockets.handleUpgrade(request, socket, head, () => {}));
  limitSockets(server, {
    settings: { maxHttpSockets: 5, maxHttpSocketsPerAddress: 2 },
    isTrusted: () => isTrusted,
    clock: {
      monotonic() {
        now += 1;
        return now;
      },
    },
  });
  const closed: Promise<unknown>[] = [];
  server.on('connection', (socket) => closed.push(new Promise((resolve) => socket.once('close', resolve))));
  server.listen(0, '0.0.0.0');
  await once(server, 'listening');
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  const open = (localAddress: string, { host = '127.0.0.1', localPort = 0 } = {}): Socket => {
    const socket = connect({ port, host, localAddress, localPort });
    socket.on('error', () => {});
    t.after(() => socket.destroy());
    return socket;
  };
  /** Has the server know the callers of all requests that it holds. */
  const know = () => {
    for (const response of held) noteCaller(response, callerOf(response));
  };
  const pass = (ms: number) => {
    now += ms;
  };
  return { port, open, held, know, pass, allClosed: () => Promise.all(closed) };
}

/** True when the server answers on the socket, false when it closes the socket. */
async function isServed(socket: Socket, path = '/'): Promise<boolean> {
  socket.write(`GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`);
  return await Promise.race([once(socket, 'data').then(() => true), once(socket, 'close').then(() => false)]);
}

test('each address may have its share of silent sockets', async (t) => {
  const { open } = await serve(t);
  const served = [];
  for (const address of ['127.0.0.1', '127.0.0.1', '127.0.0.1', '127.0.0.2', '127.0.0.2', '127.0.0.3']) {
    served.push(await isServed(open(address)));
  }
  assert.deepEqual(served, [true, true, false, true, true, true]);
});

/** Opens sockets from different addresses; each is taken before the next is opened. */
async function openEach(open: (address: string) => Socket, count: number, path?: string): Promise<Socket[]> {
  const sockets: Socket[] = [];
  for (let number = 1; number <= count; number += 1) {
    const socket = open(`127.0.0.${number}`);
    sockets.push(socket);
    if (path === undefined) await once(socket, 'connect');
    else assert(await isServed(socket, path));
  }
  return sockets;
}

test('when all places are taken, a new socket takes that of the one which has said nothing for longest', async (t) => {
  const { open, pass } = await serve(t);
  const [spoken] = await openEach(open, 1, '/');
  const silent = [];
  for (let number = 2; number <= 5; number += 1) {
    const socket = open(`127.0.0.${number}`);
    await once(socket, 'connect');
    silent.push(socket);
  }
  pass(2_000);
  const [first, second, ...others] = silent;
  assert(spoken && first && second);
  const gone = Promise.all([once(first, 'close'), once(second, 'close')]);
  assert(await isServed(open('127.0.0.6')));
  assert(await isServed(open('127.0.0.7')));
  await gone;
  for (const socket of [spoken, ...others]) assert(await isServed(socket));
});

test('when all have spoken, the one whose last answer was longest ago gives way', async (t) => {
  const { open } = await serve(t);
  const [first, second, third] = await openEach(open, 5, '/');
  assert(first && second && third);
  assert(await isServed(first));
  const gone = once(second, 'close');
  assert(await isServed(open('127.0.0.6')));
  await gone;
  for (const socket of [first, third]) assert(await isServed(socket));
});

test('when all have a request under way, the one that has waited longest gives way, but no known caller', async (t) => {
  const { open, held } = await serve(t);
  const known = await openEach(open, 3, '/known');
  const busy = ['127.0.0.4', '127.0.0.5'].map((address) => open(address));
  const [first, second] = busy;
  assert(first && second);
  for (const [index, socket] of busy.entries()) {
    socket.write('GET /held HTTP/1.1\r\nHost: x\r\n\r\n');
    while (held.length <= index) await new Promise((resolve) => setImmediate(resolve));
  }
  const gone = once(first, 'close');
  assert(await isServed(open('127.0.0.6')));
  await gone;
  // The newcomer has had its answer, so it comes before the other that has not.
  assert(await isServed(open('127.0.0.7')));
  const answered = once(second, 'data');
  held[1]?.end('ok');
  await answered;
  for (const socket of known) assert(await isServed(socket));
});

test('a caller whom a request has made known meanwhile gives way only to others of the kind', async (t) => {
  const { open, held, know } = await serve(t);
  const busy = [];
  for (const address of ['127.0.0.1', '127.0.0.2', '127.0.0.3', '127.0.0.4']) {
    const socket = open(address);
    socket.write('GET /held HTTP/1.1\r\nHost: x\r\n\r\n');
    while (held.length <= busy.length) await new Promise((resolve) => setImmediate(resolve));
    busy.push(socket);
  }
  know();
  for (let count = 0; count < 3; count += 1) assert(await isServed(open('127.0.0.6')));
  for (const socket of busy) assert.equal(socket.destroyed, false);
});

test('a socket whose next request is no known caller’s loses what a known caller had', async (t) => {
  const { open } = await serve(t);
  const known = await openEach(open, 5, '/known');
  const [first] = known;
  assert(first);
  assert(await isServed(first, '/'));
  const gone = once(first, 'close');
  assert(await isServed(open('127.0.0.6')));
  await gone;
});

test('a socket that loses what a known caller had does not give way before others until it has its answer', async (t) => {
  const { open, held } = await serve(t);
  const [first, second] = await openEach(open, 4, '/known');
  assert(first && second);
  for (const [index, socket] of [first, second].entries()) {
    socket.write('GET /held-of-stranger HTTP/1.1\r\nHost: x\r\n\r\n');
    while (held.length <= index) await new Promise((resolve) => setImmediate(resolve));
  }
  const idle = open('127.0.0.5');
  assert(await isServed(idle));
  const closed = [first, idle].map(async (socket) => await once(socket, 'close').then(() => socket));
  assert(await isServed(open('127.0.0.6')));
  assert.equal(await Promise.race(closed), idle);
  const answered = once(second, 'data');
  held[1]?.end('ok');
  await answered;
  const gone = once(second, 'close');
  for (const address of ['127.0.0.7', '127.0.0.8']) assert(await isServed(open(address)));
  await gone;
});

test('a newcomer is not cut off by those who come after it from an address that has many', async (t) => {
  const { open, pass } = await serve(t, { isTrusted: true });
  for (let count = 0; count < 5; count += 1) assert(await isServed(open('127.0.0.1')));
  const newcomer = open('127.0.0.6');
  await once(newcomer, 'connect');
  for (let count = 0; count < 10; count += 1) {
    const stranger = open('127.0.0.1');
    await once(stranger, 'connect');
    pass(1_000);
  }
  assert(await isServed(newcomer));
});

test('a socket makes room when it ends or becomes a WebSocket', async (t) => {
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
  // The server learns of the end a moment later.
  for (let isRoom = false; !isRoom; ) isRoom = await isServed(open('127.0.0.1'));
});

test('sockets from one port to two of the server’s addresses count as two, and both make room at their end', async (t) => {
  const { open, allClosed } = await serve(t);
  const first = open('127.0.0.1');
  assert(await isServed(first));
  const second = open('127.0.0.1', { host: '127.0.0.2', localPort: first.localPort ?? 0 });
  assert(await isServed(second));
  assert.equal(second.localPort, first.localPort);
  first.destroy();
  second.destroy();
  await allClosed();
  assert.deepEqual([await isServed(open('127.0.0.1')), await isServed(open('127.0.0.1'))], [true, true]);
});

test('a socket is counted even before the end of an older one with the same ends is reported', () => {
  const server = createServer().removeAllListeners('connection');
  limitSockets(server, { settings: { maxHttpSockets: 9, maxHttpSocketsPerAddress: 2 }, ...NOBODY });
  const arrive = (remotePort: number) => {
    const ends = { remoteAddress: '192.0.2.7', remotePort, localAddress: '192.0.2.1' };
    const socket = Object.assign(new EventEmitter(), { ...ends, isRefused: false, destroy() {} });
    socket.destroy = () => {
      socket.isRefused = true;
    };
    server.emit('connection', socket);
    return socket;
  };
  const [old, successor] = [arrive(1), arrive(1)];
  assert(arrive(2).isRefused);
  old.emit('close');
  assert.equal(arrive(3).isRefused, false);
  assert(arrive(4).isRefused);
  successor.emit('close');
  assert.equal(arrive(5).isRefused, false);
  assert(arrive(6).isRefused);
});

test('a socket that has no address any more is destroyed, and takes no room', () => {
  const server = createServer().removeAllListeners('connection');
  limitSockets(server, { settings: { maxHttpSockets: 1, maxHttpSocketsPerAddress: 1 }, ...NOBODY });
  const arrive = (remoteAddress: string | undefined) => {
    const socket = Object.assign(new EventEmitter(), { remoteAddress, isDestroyed: false, destroy() {} });
    socket.destroy = () => {
      socket.isDestroyed = true;
    };
    server.emit('connection', socket);
    return socket.isDestroyed;
  };
  assert.deepEqual([undefined, undefined, '192.0.2.7'].map(arrive), [true, true, false]);
});

test('a trusted proxy may have more sockets than one address', async (t) => {
  const { open } = await serve(t, { isTrusted: true });
  const served = [];
  for (let socket = 0; socket < 5; socket += 1) served.push(await isServed(open('127.0.0.1')));
  assert.deepEqual(served, [true, true, true, true, true]);
});

/** A server that upgrades, with or without limits and turns, and how many listeners its first player's sockets have. */
async function listenersOfPlayer(t: TestContext, { isTls, isLimited }: { isTls: boolean; isLimited: boolean }) {
  const [cert, key] = Object.values(tlsFiles('first')).map((file) => readFileSync(file));
  const server: Server = isTls ? createTlsServer({ cert, key }) : createServer();
  const sockets: Socket[] = [];
  server.on('connection', (socket) => sockets.push(socket));
  server.on('request', (_request, response) => void response.end('ok'));
  server.on('upgrade', (_request, socket: Socket) => {
    sockets.push(socket);
    socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n');
  });
  if (isLimited) {
    limitSockets(server, { settings: { maxHttpSockets: 1, maxHttpSocketsPerAddress: 1 }, ...NOBODY });
    const turns = createTurns({ clock: systemClock });
    parseInTurns(server, turns);
    shakeHandsInTurns(server, { turns, ...NOBODY });
  }
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const open = () =>
    (isTls ? connectTls({ port, rejectUnauthorized: false }) : connect({ port })).on('error', () => {});
  const player = open();
  t.after(() => {
    for (const socket of [player, ...sockets]) socket.destroy();
    server.close();
  });
  player.write('GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n');
  await once(player, 'data');
  const counts = sockets
    .slice(0, 2)
    .map((socket) => socket.eventNames().map((name) => [name, socket.listenerCount(name)]));
  return { counts, player, open };
}

for (const isTls of [false, true]) {
  test(`an upgraded socket leaves its place to another, and no listener stays on it${isTls ? ', over TLS too' : ''}`, async (t) => {
    const { counts, player, open } = await listenersOfPlayer(t, { isTls, isLimited: true });
    const bare = await listenersOfPlayer(t, { isTls, isLimited: false });
    assert.deepEqual(counts, bare.counts);
    const other = open();
    t.after(() => other.destroy());
    assert(await isServed(other));
    assert.equal(player.destroyed, false);
  });
}

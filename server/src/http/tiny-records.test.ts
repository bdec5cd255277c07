import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { type AddressInfo, Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { type TestContext, test } from 'node:test';
import { tlsFiles } from '../../test/support/tls-files.ts';
import { openRecordClient } from '../../test/support/tls-records.ts';
import { systemClock } from '../clock.ts';
import { createTurns } from '../turns.ts';
import { parseInTurns } from './socket-turns.ts';
import { limitTinyRecords } from './tiny-records.ts';

function tlsServer(): Server {
  const [cert, key] = Object.values(tlsFiles('first')).map((file) => readFileSync(file));
  return createTlsServer({ cert, key });
}

/** A server whose event loop turns when the test says so. */
function limit({ messagesBurst = 100 } = {}) {
  const server = tlsServer().removeAllListeners('secureConnection');
  const logged: string[] = [];
  const tasks: (() => void)[] = [];
  limitTinyRecords(server, {
    settings: { messagesBurst },
    log: { debug: (_facts, message) => void logged.push(message) },
    later: (task) => tasks.push(task),
  });
  const open = ({ isRead = true } = {}) => {
    const socket = new Socket();
    if (isRead) socket.on('data', () => {});
    else socket.pause();
    server.emit('secureConnection', socket);
    return socket;
  };
  const turn = () => {
    for (const task of tasks.splice(0)) task();
  };
  return { open, turn, logged, pending: () => tasks.length };
}

/** Brings so many records to a socket, and gives how many it has taken. */
function bring(socket: Socket, count: number, bytes = 1): number {
  for (let brought = 0; brought < count; brought += 1) {
    socket.push(Buffer.alloc(bytes));
    if (socket.destroyed) return brought;
  }
  return count;
}

test('records of up to 511 bytes count', async () => {
  const { open } = limit();
  const socket = open();
  await once(socket, 'resume');
  assert.equal(bring(socket, 1_000, 511), 256);
});

test('a socket may bring 256 tiny records in each turn', async () => {
  const { open, turn, logged, pending } = limit();
  const socket = open();
  await once(socket, 'resume');
  for (let count = 0; count < 5; count += 1) {
    assert.equal(bring(socket, 256), 256);
    assert.equal(pending(), 1);
    turn();
  }
  assert.deepEqual([socket.destroyed, logged], [false, []]);
  assert.equal(bring(socket, 300), 256);
  assert.deepEqual(logged, ['a socket was destroyed that brought too many tiny TLS records']);
});

test('when all have brought many in a turn, those that bring more than a few are destroyed, and no others', async () => {
  const { open, turn } = limit();
  const sockets = Array.from({ length: 8 }, () => open());
  const [greedy, modest] = [open(), open()];
  await once(modest, 'resume');
  for (const socket of sockets) assert.equal(bring(socket, 250), 250);
  assert.equal(bring(modest, 32), 32);
  assert.equal(bring(greedy, 40), 32);
  turn();
  assert.equal(bring(modest, 100), 100);
  assert(sockets.every(({ destroyed }) => !destroyed));
});

test('a socket that is not read may hold 512 tiny records, in however many turns they come', () => {
  const { open, turn } = limit();
  const socket = open({ isRead: false });
  for (let count = 0; count < 4; count += 1) {
    assert.equal(bring(socket, 128), 128);
    turn();
  }
  assert.equal(bring(socket, 1), 0);
});

test('what a socket held counts no longer once it has been read', () => {
  const { open, turn } = limit();
  const socket = open({ isRead: false });
  for (let count = 0; count < 20; count += 1) {
    assert.equal(bring(socket, 128), 128);
    if (count % 4 === 3) assert.equal(socket.read()?.length, 512);
    turn();
  }
});

test('records that are not tiny, and the end, do not count', async () => {
  const { open, pending } = limit();
  const socket = open();
  await once(socket, 'resume');
  assert.equal(bring(socket, 10_000, 512), 10_000);
  socket.push(null);
  assert.equal(pending(), 0);
});

test('a player may bring as many messages at once as the settings allow, each in two records', async () => {
  const { open } = limit({ messagesBurst: 1_000 });
  const socket = open();
  await once(socket, 'resume');
  assert.equal(bring(socket, 3_000), 2_000);
});

test('sockets without TLS are left alone', () => {
  const server = createServer().removeAllListeners('connection');
  limitTinyRecords(server, { settings: { messagesBurst: 100 }, log: { debug() {} } });
  const socket = new Socket();
  for (const event of ['connection', 'secureConnection']) server.emit(event, socket);
  assert.equal(Object.hasOwn(socket, 'push'), false);
});

/** A server that says how long a body was, and reads on after an upgrade. */
async function serve(t: TestContext) {
  const server = tlsServer();
  const sockets: Socket[] = [];
  server.on('secureConnection', (socket: Socket) => sockets.push(socket));
  server.on('request', async (request, response) => {
    const body = await text(request).catch(() => '');
    response.end(`read ${body.length}`);
  });
  server.on('upgrade', (_request, socket: Socket) => {
    socket.resume().write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n');
  });
  parseInTurns(server, createTurns({ clock: systemClock }));
  limitTinyRecords(server, { settings: { messagesBurst: 100 }, log: { debug() {} } });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const open = async () => {
    const connected = once(server, 'secureConnection') as Promise<[Socket]>;
    const client = await openRecordClient({ port });
    t.after(() => client.tls.destroy());
    const [socket] = await connected;
    return { ...client, socket };
  };
  return { open };
}

const POST = 'POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 200\r\n\r\n';
const UPGRADE = 'GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n';

test('a body in 200 records of a byte is read', async (t) => {
  const { open } = await serve(t);
  const { tls, seal, send } = await open();
  send(seal([POST, ...'x'.repeat(200)]));
  assert.match(await text(tls), /^HTTP\/1.1 200 .*read 200$/s);
});

test('a client that sends thousands of records of a byte is cut off, before and after an upgrade', {
  timeout: 20_000,
}, async (t) => {
  const { open } = await serve(t);
  for (const first of [[], [POST], [UPGRADE]]) {
    const { tls, seal, send, socket } = await open();
    const ended = once(tls.resume(), 'close');
    if (first.length > 0) send(seal(first));
    if (first[0] === UPGRADE) await once(tls, 'data');
    send(seal('x'.repeat(2_700)));
    await ended;
    assert(socket.destroyed);
  }
});

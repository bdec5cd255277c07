import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer, request } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import { connect as connectTls } from 'node:tls';
import { ManualClock } from '../../test/support/manual-clock.ts';
import { tlsFiles } from '../../test/support/tls-files.ts';
import { captureHello } from '../../test/support/tls-hello.ts';
import { systemClock } from '../clock.ts';
import { createTurns, type Turns } from '../turns.ts';
import { shakeHandsInTurns } from './handshake-turns.ts';

const HANDSHAKE = 22;
const ALERT = 21;

/** Turns that come when the test says so. */
function heldTurns() {
  const work: (() => void)[] = [];
  const turns: Turns = {
    isOpen: () => false,
    wait: (_lane, each) => void work.push(each),
    prefer() {},
    noteArrival() {},
    get size() {
      return work.length;
    },
    backlogOf: () => ({ pieces: work.length, ms: 0 }),
  };
  return { turns, work };
}

async function listen(
  t: TestContext,
  {
    turns = createTurns({ clock: systemClock }),
    clock = new ManualClock(),
    isTrusted = (_address: string): boolean => false,
  } = {},
) {
  const [cert, key] = Object.values(tlsFiles('first')).map((file) => readFileSync(file));
  const server = createTlsServer({ cert, key, maxVersion: 'TLSv1.2' }, (_request, response) => response.end('ok'));
  server.on('tlsClientError', () => {});
  shakeHandsInTurns(server, { turns, clock, isTrusted });
  const sockets: Socket[] = [];
  server.on('connection', (socket: Socket) => sockets.push(socket));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  const open = (localAddress?: string): Socket => {
    const socket = connect({ port, host: '127.0.0.1', ...(localAddress !== undefined && { localAddress }) });
    socket.on('error', () => {});
    t.after(() => socket.destroy());
    return socket;
  };
  /** The type of the first record that the server sends. */
  const answer = async (socket: Socket) => ((await once(socket, 'data')) as [Buffer])[0][0];
  return { port, open, answer, sockets, clock, server };
}

/** Resolves when the condition holds, which is looked at in each turn of the event loop. */
async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setImmediate(resolve));
}

test('hellos that come at the same moment are answered one in each turn', async (t) => {
  const { turns, work } = heldTurns();
  const { open, answer } = await listen(t, { turns });
  const hello = await captureHello();
  const sockets = Array.from({ length: 5 }, () => open());
  const answered = new Set<number>();
  const answers = sockets.map(async (socket, index) => {
    socket.write(hello);
    assert.equal(await answer(socket), HANDSHAKE);
    answered.add(index);
  });
  for (let count = 1; count <= 5; count += 1) {
    await until(() => work.length === 1);
    assert.equal(answered.size, count - 1);
    work.shift()?.();
    await until(() => answered.size === count);
  }
  await Promise.all(answers);
});

test('a hello takes no turn before it has come whole', async (t) => {
  const { turns, work } = heldTurns();
  const { open, answer, sockets } = await listen(t, { turns });
  const hello = await captureHello();
  const socket = open();
  socket.setNoDelay().write(hello.subarray(0, -1));
  await until(() => sockets[0]?.bytesRead === hello.length - 1);
  assert.equal(work.length, 0);
  socket.write(hello.subarray(-1));
  await until(() => work.length === 1);
  work.shift()?.();
  assert.equal(await answer(socket), HANDSHAKE);
});

test('the handshakes of an address take three tenths of the time, and those of a trusted proxy what they take', async (t) => {
  const hello = await captureHello();
  for (const isProxy of [false, true]) {
    const { turns, work } = heldTurns();
    const { open, answer, clock } = await listen(t, { turns, isTrusted: () => isProxy });
    const next = async () => {
      const socket = open();
      socket.write(hello);
      return { answered: answer(socket), socket };
    };
    const first = await next();
    await until(() => work.length === 1);
    // Signing takes 19 ms, of which 10 may be taken at once.
    const begin = work.shift();
    begin?.();
    clock.advance(19);
    await first.answered;
    await next();
    if (!isProxy) {
      clock.advance(29);
      await new Promise((resolve) => setTimeout(resolve, 50));
      assert.equal(work.length, 0);
      clock.advance(1);
    }
    await until(() => work.length === 1);
  }
});

test('of an address 64 handshakes are under way at once, and the next waits for the end of one', async (t) => {
  const { open, answer } = await listen(t);
  const hello = await captureHello();
  const begun: Socket[] = [];
  for (let count = 0; count < 64; count += 1) {
    const socket = open();
    socket.write(hello);
    assert.equal(await answer(socket), HANDSHAKE);
    begun.push(socket);
  }
  const next = open();
  next.write(hello);
  let isAnswered = false;
  const answered = answer(next).then((type) => {
    isAnswered = true;
    assert.equal(type, HANDSHAKE);
  });
  const gone = open();
  gone.write('plain');
  await once(gone, 'close');
  assert.equal(isAnswered, false);
  begun[0]?.resetAndDestroy();
  await answered;
});

test('addresses share the handshakes that are under way, so that several have no more together than one', async (t) => {
  const { open, answer } = await listen(t);
  const hello = await captureHello();
  const begun: Socket[] = [];
  const begin = async (localAddress: string) => {
    const socket = open(localAddress);
    socket.write(hello);
    assert.equal(await answer(socket), HANDSHAKE);
    begun.push(socket);
  };
  for (let count = 0; count < 16; count += 1) for (let last = 1; last <= 4; last += 1) await begin(`127.0.0.${last}`);
  let isAnswered = false;
  const next = begin('127.0.0.1').then(() => {
    isAnswered = true;
  });
  for (let count = 0; count < 4; count += 1) await begin('127.0.0.9');
  assert.equal(isAnswered, false);
  for (const [index, socket] of begun.slice(0, 64).entries()) if (index % 4 > 0) socket.resetAndDestroy();
  await next;
  for (let count = 17; count < 32; count += 1) await begin('127.0.0.1');
});

test('handshakes that are done, or have failed, are under way no more, and nothing of them is kept', async (t) => {
  const { port, open, answer, sockets } = await listen(t);
  for (let count = 0; count < 70; count += 1) {
    const socket = open();
    socket.write('GET / HTTP/1.1\r\n\r\n');
    await once(socket, 'close');
  }
  for (let count = 0; count < 70; count += 1) {
    const client = connectTls({ port, host: '127.0.0.1', rejectUnauthorized: false });
    t.after(() => client.destroy());
    await once(client, 'secureConnect');
  }
  const socket = open();
  socket.write(await captureHello());
  assert.equal(await answer(socket), HANDSHAKE);
  const done = sockets[100];
  assert.deepEqual([done?.destroyed, done?.listenerCount('data')], [false, 0]);
});

test('what comes with a hello, and what comes later, is served', async (t) => {
  const { port } = await listen(t);
  const client = connectTls({ port, host: '127.0.0.1', rejectUnauthorized: false });
  t.after(() => client.destroy());
  for (let count = 0; count < 3; count += 1) {
    client.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
    assert.match(String(await once(client, 'data')), /^HTTP\/1\.1 200 /);
  }
});

test('what is no hello is cut off, and so is who takes more than ten seconds to say it', async (t) => {
  const { open, sockets, clock } = await listen(t);
  const hello = await captureHello();
  const warning = open();
  warning.write(Buffer.from([ALERT, 3, 1, 0, 2, 1, 90]));
  await once(warning, 'close');
  const slow = [Buffer.alloc(0), hello.subarray(0, 20)].map((bytes) => {
    const socket = open();
    socket.write(bytes);
    return socket;
  });
  await until(() => sockets.length === 3 && sockets.some(({ bytesRead }) => bytesRead === 20));
  clock.advance(9_999);
  assert.deepEqual(
    slow.map(({ destroyed }) => destroyed),
    [false, false],
  );
  const closed = slow.map((socket) => once(socket, 'close'));
  clock.advance(1);
  await Promise.all(closed);
});

test('what is no hello is cut off in its turn, so that hundreds at once hold nobody up', async (t) => {
  const { turns, work } = heldTurns();
  const { open, sockets } = await listen(t, { turns });
  const wrong = Array.from({ length: 3 }, () => open());
  for (const socket of wrong) socket.write('plain');
  await until(() => work.length === 3);
  const left = () => sockets.filter(({ destroyed }) => !destroyed).length;
  for (const count of [3, 2, 1]) {
    assert.equal(left(), count);
    work.shift()?.();
  }
  assert.equal(left(), 0);
});

test('a server without TLS goes on as it is', async (t) => {
  const server = createServer((_request, response) => response.end('ok'));
  const before = server.listeners('connection');
  shakeHandsInTurns(server, { turns: heldTurns().turns, clock: new ManualClock(), isTrusted: () => false });
  assert.deepEqual(server.listeners('connection'), before);
  server.listen(0, '127.0.0.1');
  t.after(() => server.close());
  await once(server, 'listening');
  const call = request({ port: (server.address() as AddressInfo).port, agent: false }).end();
  const [response] = await once(call, 'response');
  assert.equal(response.statusCode, 200);
  response.resume();
});

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { type ClientFrame, decodeClientFrame, encode, type ServerFrame, SUBPROTOCOL } from '@respark/protocol';
import { WebSocket, WebSocketServer } from 'ws';
import type { ClientOptions, Disconnect } from './client.ts';
import { ResparkClient } from './node.ts';
import { WELCOME } from './test/fakes.ts';

type Answer = (frame: ClientFrame, send: (frame: ServerFrame) => void, socket: WebSocket) => void;

/** A small server: it welcomes every player, hands out a token and echoes requests. */
const friendly: Answer = (frame, send) => {
  if (frame.kind === 'hello') send({ ...WELCOME, playerId: frame.token ?? 'guest' });
  if (frame.kind === 'heartbeat') send({ kind: 'heartbeat' });
  if (frame.kind === 'request') {
    const isToken = frame.type === 'GameSparks.Identity.GetPlayerToken';
    send({ kind: 'response', id: frame.id, payload: isToken ? { AuthenticationToken: 'player-7' } : frame.payload });
  }
};

async function serve(t: TestContext, answer: Answer) {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1', path: '/connect' });
  const paths: (string | undefined)[] = [];
  server.on('connection', (socket, request) => {
    paths.push(request.url);
    assert.equal(socket.protocol, SUBPROTOCOL);
    socket.on('message', (data, isBinary) => {
      assert.equal(isBinary, false);
      const decoded = decodeClientFrame(String(data));
      assert.ok(decoded.ok);
      answer(decoded.frame, (frame) => socket.send(encode(frame)), socket);
    });
  });
  await once(server, 'listening');
  t.after(() => {
    for (const socket of server.clients) socket.terminate();
    server.close();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, server, paths };
}

function connect(t: TestContext, options: Omit<ClientOptions, 'gameKey'>) {
  const client = new ResparkClient({ gameKey: 'key', reconnect: { baseMs: 1, capMs: 1 }, ...options });
  t.after(() => client.close());
  return client;
}

function next<T>(listen: (listener: (event: T) => void) => () => void): Promise<T> {
  return new Promise((resolve) => {
    const stop = listen((event) => {
      stop();
      resolve(event);
    });
  });
}

describe('over a real socket', () => {
  test('a player connects, sends a request, gets a notification, and leaves', async (t) => {
    const { url, paths, server } = await serve(t, (frame, send, socket) => {
      friendly(frame, send, socket);
      if (frame.kind === 'event') send({ kind: 'notification', type: `${frame.type}ed`, payload: frame.payload });
    });
    const client = connect(t, { url });
    assert.equal((await client.connect()).playerId, 'guest');
    assert.deepEqual(await client.request('Echo', { text: 'é 🎮', n: [1, null] }), { text: 'é 🎮', n: [1, null] });
    const notified = next<unknown>((listener) => client.on('notification', listener));
    client.event('Shout', { text: 'hey' });
    assert.deepEqual(await notified, { type: 'Shouted', payload: { text: 'hey' } });
    const [socket] = server.clients;
    assert.ok(socket !== undefined);
    const left = once(socket, 'close');
    await client.close();
    assert.equal((await left)[0], 1000);
    assert.deepEqual(paths, ['/connect']);
  });

  test('the token brings the same player back to a server that was restarted', async (t) => {
    const first = await serve(t, friendly);
    let stored: string | undefined;
    let tellSaved = () => {};
    const saved = new Promise<void>((resolve) => {
      tellSaved = resolve;
    });
    const storage = {
      load: () => stored,
      save(token: string | undefined) {
        stored = token;
        tellSaved();
      },
    };
    const client = connect(t, { url: first.url, storage });
    await client.connect();
    await saved;
    await client.close();
    const second = await serve(t, friendly);
    assert.equal((await connect(t, { url: second.url, storage }).connect()).playerId, 'player-7');
  });

  test('a drained client comes back, and a disconnected one does not', async (t) => {
    let hellos = 0;
    const { url } = await serve(t, (frame, send, socket) => {
      friendly(frame, send, socket);
      if (frame.kind !== 'hello') return;
      hellos += 1;
      if (hellos === 1) socket.close(4000, 'the node is draining; retryAfterMs=1');
      else socket.close(4500, 'disconnected by the operator; requestId=r-1');
    });
    const client = connect(t, { url });
    const closures: unknown[] = [];
    const stopped = next<unknown>((listener) =>
      client.on('disconnect', (event) => {
        closures.push([event.name, event.reason, event.requestId]);
        if (event.verdict === 'stop') listener(event);
      }),
    );
    await client.connect();
    await stopped;
    assert.deepEqual(closures, [
      ['draining', 'the node is draining', undefined],
      ['disconnected', 'disconnected by the operator', 'r-1'],
    ]);
    assert.equal(client.state, 'closed');
    assert.equal(hellos, 2);
  });

  test('what the server says in its close frame counts although the end of its stream gets lost', async (t) => {
    const frame = (opcode: number, payload: Buffer) =>
      Buffer.concat([Buffer.from([0x80 | opcode, 126, payload.length >> 8, payload.length & 0xff]), payload]);
    const reason = Buffer.concat([Buffer.from([4500 >> 8, 4500 & 0xff]), Buffer.from('out')]);
    const server = createServer().on('upgrade', ({ headers }, socket) => {
      const hash = createHash('sha1').update(`${headers['sec-websocket-key']}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`);
      const accepted = `Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Protocol: ${SUBPROTOCOL}`;
      socket.write(`HTTP/1.1 101 x\r\n${accepted}\r\nSec-WebSocket-Accept: ${hash.digest('base64')}\r\n\r\n`);
      socket.write(frame(1, Buffer.from(encode({ ...WELCOME, heartbeatMs: 50 }))));
      socket.write(Buffer.concat([Buffer.from([0x88, reason.length]), reason]));
      socket.on('error', () => {}).resume();
      t.after(() => socket.destroy());
    });
    await once(server.listen(0, '127.0.0.1'), 'listening');
    t.after(() => server.close());
    const { port } = server.address() as AddressInfo;
    const client = connect(t, { url: `ws://127.0.0.1:${port}`, WebSocket });
    const ended = next<Disconnect>((listener) => client.on('disconnect', listener));
    await client.connect();
    const { closeCode, reason: said, reconnectInMs } = await ended;
    assert.deepEqual([closeCode, said, reconnectInMs, client.state], [4500, 'out', undefined, 'closed']);
  });

  test('a connection that breaks under a request fails it and comes back', async (t) => {
    let isBroken = false;
    const { url } = await serve(t, (frame, send, socket) => {
      if (frame.kind === 'request' && frame.type === 'Break' && !isBroken) {
        isBroken = true;
        socket.terminate();
      } else friendly(frame, send, socket);
    });
    const client = connect(t, { url });
    await client.connect();
    await assert.rejects(client.request('Break'), { name: 'ConnectionClosedError', closeCode: 1006 });
    await client.connect();
    assert.deepEqual(await client.request('Break', { again: true }), { again: true });
  });

  test('an HTTP answer instead of an upgrade becomes the reason', async (t) => {
    const { url } = await serve(t, friendly);
    const client = connect(t, { url: `${url}/elsewhere`, reconnect: { maxRetries: 0 }, WebSocket });
    await assert.rejects(client.connect(), { closeCode: 1006, reason: 'Unexpected server response: 400' });
  });

  test('a refused connection becomes the reason', async () => {
    const server = new WebSocketServer({ port: 0, host: '127.0.0.1' });
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    await new Promise((resolve) => server.close(resolve));
    const client = new ResparkClient({
      url: `ws://127.0.0.1:${port}`,
      gameKey: 'key',
      reconnect: { maxRetries: 0 },
      WebSocket,
    });
    await assert.rejects(client.connect(), { reason: `connect ECONNREFUSED 127.0.0.1:${port}` });
  });

  test('the client leaves a server that goes silent', async (t) => {
    const { url } = await serve(t, (frame, send) => {
      if (frame.kind === 'hello') send({ ...WELCOME, heartbeatMs: 20 });
    });
    const client = connect(t, { url, reconnect: { maxRetries: 0 } });
    const ended = next<{ reason: string }>((listener) => client.on('disconnect', listener));
    await client.connect();
    // The second reason is that of a machine too busy to fire the timers in time.
    assert.match((await ended).reason, /^(nothing received for 40|no answer to a heartbeat within 20) ms$/);
  });

  test('a process ends by itself after close()', async (t) => {
    const { url } = await serve(t, friendly);
    const script = `
      import { ResparkClient } from ${JSON.stringify(new URL('./node.js', import.meta.url).href)};
      const client = new ResparkClient({ url: '${url}', gameKey: 'key' });
      await client.connect();
      await client.close();
      console.log(process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length);
    `;
    const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '--eval', script], {
      cwd: fileURLToPath(new URL('.', import.meta.url)),
      timeout: 10_000,
    });
    assert.equal(stdout, '0\n');
  });
});

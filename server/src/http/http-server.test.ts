import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import https from 'node:https';
import { syncBuiltinESMExports } from 'node:module';
import { connect, type Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import { type ConnectionOptions, connect as connectTls } from 'node:tls';
import { tlsFiles } from '../../test/support/tls-files.ts';
import { systemClock } from '../clock.ts';
import { createLog } from '../log.ts';
import { createTurns } from '../turns.ts';
import { openHttpServer } from './http-server.ts';
import { parseInTurns } from './socket-turns.ts';

const QUIET = createLog({ level: 'error', destination: { write: () => {} } });

async function open(t: TestContext, tlsHandshakeTimeoutMs?: number) {
  const { authority, close } = await openHttpServer({
    host: '127.0.0.1',
    port: 0,
    tls: tlsFiles('first'),
    log: QUIET,
    attach: (server) => server.on('request', (_, response) => response.end()),
    settingPrefix: 'RESPARK_',
    ...(tlsHandshakeTimeoutMs === undefined ? {} : { tlsHandshakeTimeoutMs }),
  });
  t.after(close);
  return {
    port: Number(new URL(`https://${authority}`).port),
    async status() {
      const call = https.get(`https://${authority}`, { agent: false, rejectUnauthorized: false });
      const [response] = (await once(call, 'response')) as [IncomingMessage];
      response.resume();
      return response.statusCode;
    },
  };
}

test('a handshake that does not finish in time is cut off, and other clients are served meanwhile', async (t) => {
  const timeoutMs = 500;
  const { port, status } = await open(t, timeoutMs);
  const startOfClientHello = Buffer.from('16030100c8010000c40303', 'hex');
  const startedAt = performance.now();
  const silent = [Buffer.alloc(0), startOfClientHello].map((bytes) => {
    const socket = connect(port, '127.0.0.1');
    t.after(() => socket.destroy());
    socket.on('error', () => {}).write(bytes);
    return once(socket, 'close');
  });
  assert.equal(await status(), 200);
  await Promise.all(silent);
  const tookMs = performance.now() - startedAt;
  assert.ok(tookMs > 0.9 * timeoutMs && tookMs < 9_000, `${tookMs} ms`);
  assert.equal(await status(), 200);
});

test('a handshake has ten seconds unless told otherwise; Node.js alone would wait for two minutes', async (t) => {
  const { mock } = t.mock.method(https, 'createServer');
  syncBuiltinESMExports();
  t.after(() => {
    mock.restore();
    syncBuiltinESMExports();
  });
  await open(t);
  const [options] = mock.calls[0]?.arguments ?? [];
  assert.equal((options as https.ServerOptions).handshakeTimeout, 10_000);
});

test('clients speak TLS 1.2, in which they cannot change their keys as often as they like', async (t) => {
  const { port } = await open(t);
  const clientOf = (versions: ConnectionOptions) => {
    const client = connectTls({ port, host: '127.0.0.1', rejectUnauthorized: false, ...versions });
    t.after(() => client.destroy());
    return client;
  };
  const client = clientOf({});
  await once(client, 'secureConnect');
  assert.equal(client.getProtocol(), 'TLSv1.2');
  await assert.rejects(once(clientOf({ minVersion: 'TLSv1.3' }), 'secureConnect'), /protocol version/);
});

test('a body that nobody reads yet stays with its client, however small its chunks are', async (t) => {
  let socket: Socket | undefined;
  let requests = 0;
  const { authority, close } = await openHttpServer({
    ...{ host: '127.0.0.1', port: 0, tls: undefined, log: QUIET, settingPrefix: 'RESPARK_' },
    attach(server) {
      server.on('connection', (opened: Socket) => {
        socket = opened;
      });
      server.on('request', () => {
        requests += 1;
      });
      parseInTurns(server, createTurns({ clock: systemClock }));
    },
  });
  t.after(() => close());
  const client = connect(Number(authority.split(':')[1]), '127.0.0.1').on('error', () => {});
  t.after(() => client.destroy());
  client.write('POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n');
  client.write('1\r\na\r\n'.repeat(1_000_000));
  while (requests === 0) await new Promise((resolve) => setImmediate(resolve));
  for (let turn = 0; turn < 200; turn += 1) await new Promise((resolve) => setImmediate(resolve));
  // One read of Node.js takes 64 KiB, and another may have been under way.
  assert(socket !== undefined && socket.bytesRead <= 262_144, `${socket?.bytesRead} bytes were read`);
});

test('a body that is read stays with its client while others have their turn', async (t) => {
  let socket: Socket | undefined;
  let now = 0;
  const turns = createTurns({
    clock: {
      monotonic() {
        now += 1;
        return now;
      },
    },
  });
  const { authority, close } = await openHttpServer({
    ...{ host: '127.0.0.1', port: 0, tls: undefined, log: QUIET, settingPrefix: 'RESPARK_' },
    attach(server) {
      server.on('connection', (opened: Socket) => {
        socket = opened;
      });
      server.on('request', (request) => request.on('data', () => {}));
      parseInTurns(server, turns);
    },
  });
  t.after(() => close());
  const client = connect(Number(authority.split(':')[1]), '127.0.0.1').on('error', () => {});
  t.after(() => client.destroy());
  client.write('POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n');
  client.write('1\r\na\r\n'.repeat(1_000_000));
  let parsed = 0;
  while ((socket?.bytesRead ?? 0) === 0) await new Promise((resolve) => setImmediate(resolve));
  // Each turn of the event loop parses a piece of 1,024 bytes or so.
  for (; parsed < 50; parsed += 1) await new Promise((resolve) => setImmediate(resolve));
  assert(socket !== undefined && socket.bytesRead <= 524_288, `${socket?.bytesRead} bytes were read`);
});

test('no client has a second handshake in its connection', async (t) => {
  const { port } = await open(t);
  const client = connectTls({ port, host: '127.0.0.1', rejectUnauthorized: false, maxVersion: 'TLSv1.2' });
  t.after(() => client.destroy());
  await once(client, 'secureConnect');
  const refused = once(client, 'error').then(([error]) => error.code);
  const begun = new Promise((resolve) => client.renegotiate({ rejectUnauthorized: false }, resolve));
  assert.equal(await Promise.race([refused, begun]), 'ERR_SSL_NO_RENEGOTIATION');
});

test('with an RSA key too, clients cannot choose a handshake that costs the server more than others', async (t) => {
  const { mock } = t.mock.method(https, 'createServer');
  syncBuiltinESMExports();
  t.after(() => {
    mock.restore();
    syncBuiltinESMExports();
  });
  await open(t);
  // Without ECDHE the server would decrypt with that key. Of the test's own key the curve could not be chosen.
  const { ciphers = '', ecdhCurve } = mock.calls[0]?.arguments[0] as https.ServerOptions;
  assert.equal(ecdhCurve, 'X25519:prime256v1');
  assert.deepEqual(
    ciphers.split(':').filter((name) => !name.startsWith('ECDHE-')),
    [],
  );
});

import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import https from 'node:https';
import { syncBuiltinESMExports } from 'node:module';
import { connect } from 'node:net';
import { type TestContext, test } from 'node:test';
import { tlsFiles } from '../../test/support/tls-files.ts';
import { createLog } from '../log.ts';
import { openHttpServer } from './http-server.ts';

async function open(t: TestContext, tlsHandshakeTimeoutMs?: number) {
  const { authority, close } = await openHttpServer({
    host: '127.0.0.1',
    port: 0,
    tls: tlsFiles('first'),
    log: createLog({ level: 'error', destination: { write: () => {} } }),
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

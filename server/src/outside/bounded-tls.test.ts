import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { Agent, createServer, get, type ServerOptions } from 'node:https';
import type { AddressInfo } from 'node:net';
import { type TestContext, test } from 'node:test';
import type { TLSSocket } from 'node:tls';
import { Worker } from 'node:worker_threads';
import { tlsFiles } from '../../test/support/tls-files.ts';
import { BoundedTlsAgent } from './bounded-tls.ts';
import { exchange } from './http-exchange.ts';

const TRUSTING = { rejectUnauthorized: false };

function filesOf(name: Parameters<typeof tlsFiles>[0]) {
  const { certFile, keyFile } = tlsFiles(name);
  return { cert: readFileSync(certFile, 'utf8'), key: readFileSync(keyFile, 'utf8') };
}

async function startServer(t: TestContext, options: ServerOptions) {
  const server = createServer({ ...filesOf('rsa'), ...options }, (_request, response) => response.end());
  server.on('tlsClientError', () => {});
  t.after(() => server.close().closeAllConnections());
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { server, port: (server.address() as AddressInfo).port };
}

/** The status of the answer to a request over a connection of its own. */
function ask(port: number, agent: Agent): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    get({ host: '127.0.0.1', port, agent }, (response) => {
      response.resume();
      resolve(response.statusCode);
    }).on('error', reject);
  });
}

test('no keys are exchanged in a group that the other end chooses', async (t) => {
  const { port } = await startServer(t, {
    ...{ ciphers: 'DHE-RSA-AES128-GCM-SHA256', maxVersion: 'TLSv1.2' },
    dhparam: 'auto',
  });
  assert.equal(await ask(port, new Agent(TRUSTING)), 200);
  await assert.rejects(ask(port, new BoundedTlsAgent(TRUSTING)), /handshake failure/);
});

test('in TLS 1.3 no keys are exchanged in such a group either', async (t) => {
  const { port } = await startServer(t, { ecdhCurve: 'ffdhe2048', minVersion: 'TLSv1.3' });
  assert.equal(await ask(port, new Agent(TRUSTING)), 200);
  await assert.rejects(ask(port, new BoundedTlsAgent(TRUSTING)), /handshake failure/);
});

test('keys are exchanged on each of the curves', async (t) => {
  for (const ecdhCurve of ['X25519', 'P-256', 'X448', 'P-521', 'P-384']) {
    for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
      const { port } = await startServer(t, { ecdhCurve, maxVersion });
      assert.equal(await ask(port, new BoundedTlsAgent(TRUSTING)), 200, `${ecdhCurve} in ${maxVersion}`);
    }
  }
});

test('a handshake is made once', async (t) => {
  const { server, port } = await startServer(t, { maxVersion: 'TLSv1.2' });
  const sockets = once(server, 'secureConnection');
  // The request is never answered.
  server.removeAllListeners('request');
  const asked = ask(port, new BoundedTlsAgent(TRUSTING));
  const refused = assert.rejects(asked);
  const [socket] = (await sockets) as [TLSSocket];
  const error = await new Promise<Error | null>((resolve) => {
    socket.on('error', resolve);
    socket.renegotiate({ requestCert: true }, resolve);
  });
  socket.destroy();
  assert.match(String(error), /no renegotiation/i);
  await refused;
});

/** A server whose answers, of so many bytes and so long after the requests, come while the thread of the test is busy. */
async function startServerElsewhere(t: TestContext, { bytes = 0, afterMs = 0 } = {}): Promise<number> {
  const source = `
    const { createServer } = require('node:https');
    const { parentPort, workerData: { bytes, afterMs, files } } = require('node:worker_threads');
    const answer = Buffer.alloc(bytes);
    const server = createServer(files, (request, response) => setTimeout(() => response.end(answer), afterMs));
    server.on('tlsClientError', () => {});
    server.listen(0, '127.0.0.1', () => parentPort.postMessage(server.address().port));
  `;
  const worker = new Worker(source, { eval: true, workerData: { bytes, afterMs, files: filesOf('first') } });
  t.after(() => worker.terminate());
  return (await once(worker, 'message'))[0] as number;
}

test('the handshakes of one owner let those of others through, whatever hosts they are with', async (t) => {
  const [many, other] = await Promise.all([startServerElsewhere(t), startServerElsewhere(t)]);
  const order: string[] = [];
  const agent = new BoundedTlsAgent({
    ca: filesOf('first').cert,
    checkServerIdentity(host) {
      order.push(host);
      // What certificates may take.
      const until = performance.now() + 20;
      while (performance.now() < until);
      return undefined;
    },
  });
  const addresses = [{ address: '127.0.0.1', family: 4 }];
  const limits = { signal: AbortSignal.timeout(30_000), maxBytes: 1_000 };
  const send = async (host: string, port: number, owner: string) => {
    const url = `https://${host}:${port}/`;
    await exchange({ url, method: 'GET', headers: {}, body: undefined, addresses, owner }, agent, limits);
  };
  const all = [
    ...Array.from({ length: 40 }, (_, at) => send(`many-${at}.example`, many, 'one')),
    send('other.example', other, 'another'),
  ];
  // The connections are made, and then the thread has something else to do until all servers have answered.
  await new Promise((resolve) => setTimeout(resolve, 1));
  await new Promise(setImmediate);
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1_000);
  await Promise.all(all);
  const place = order.indexOf('other.example');
  assert.ok(place >= 0 && place < 10, `it was the connection number ${place + 1} of 41`);
});

test('the answers to one owner let those to others through', async (t) => {
  const MANY = 40;
  const [long, short] = await Promise.all([
    startServerElsewhere(t, { bytes: 40_000, afterMs: 500 }),
    startServerElsewhere(t, { bytes: 1, afterMs: 1_500 }),
  ]);
  const agent = new BoundedTlsAgent(TRUSTING);
  const order: string[] = [];
  let open = 0;
  const send = (port: number, owner: string) =>
    new Promise<void>((resolve, reject) => {
      const request = get({ ...{ host: '127.0.0.1', port, agent }, ...{ owner } }, (response) => {
        response.on('data', () => {
          // What records of single bytes may take.
          const until = performance.now() + 3;
          while (performance.now() < until);
        });
        response.on('end', () => {
          order.push(owner);
          resolve();
        });
      });
      request.on('error', reject).on('socket', (socket) => {
        socket.on('secureConnect', () => {
          open += 1;
        });
      });
    });
  const all = [...Array.from({ length: MANY }, () => send(long, 'one')), send(short, 'another')];
  while (open < MANY + 1) await new Promise(setImmediate);
  await new Promise((resolve) => setTimeout(resolve, 50));
  // The thread has something else to do until all servers have answered.
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 2_000);
  await Promise.all(all);
  const place = order.indexOf('another');
  assert.ok(place >= 0 && place < 10, `it was answer number ${place + 1} of ${MANY + 1}`);
});

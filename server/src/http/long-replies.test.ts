import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { Server } from 'node:http';
import { type TestContext, test } from 'node:test';
import { connect, type TLSSocket } from 'node:tls';
import { recordedLog } from '../../test/support/domain.ts';
import { tlsFiles } from '../../test/support/tls-files.ts';
import { systemClock } from '../clock.ts';
import { createTurns } from '../turns.ts';
import { createClientAddress } from './client-address.ts';
import { openHttpServer } from './http-server.ts';
import { createHttpListener } from './listener.ts';
import { createHeadReader } from './request-head.ts';

/** More than the system takes for a client that does not read. */
const BODY = Buffer.alloc(16_000_000, 'a file that everybody may have, ');

/** A server with its own TLS, and a client of it that reads nothing until it is resumed. */
async function openAndConnect(t: TestContext, body: string | Uint8Array) {
  const clock = systemClock;
  const { log } = recordedLog();
  const listener = createHttpListener({
    sites: [async () => ({ status: 200, headers: {}, body })],
    readHead: createHeadReader({ clientAddress: createClientAddress({ trustedProxies: [], warn() {} }) }),
    turns: createTurns({ clock }),
    settings: {
      ...{ headersTimeoutMs: 10_000, requestTimeoutMs: 30_000, keepAliveTimeoutMs: 30_000 },
      ...{ maxBodyBytes: 1_024, longBodyMemoryBytes: 1_024 },
    },
    ...{ clock, log },
  });
  let server: Server | undefined;
  const { authority, close } = await openHttpServer({
    ...{ host: '127.0.0.1', port: 0, tls: tlsFiles('first'), log, settingPrefix: 'RESPARK_' },
    attach(http) {
      server = http;
      listener.attach(http);
    },
  });
  t.after(close);
  const secured = once(server as unknown as Server, 'secureConnection');
  const port = Number(new URL(`https://${authority}`).port);
  const client = connect({ host: '127.0.0.1', port, rejectUnauthorized: false, maxVersion: 'TLSv1.2' });
  t.after(() => client.destroy());
  await once(client, 'secureConnect');
  const [socket] = (await secured) as [TLSSocket];
  return { client, socket, listener };
}

async function readAll(client: TLSSocket): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of client) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

for (const [kind, body] of Object.entries({ 'bytes of a file': BODY, text: BODY.toString() })) {
  test(`over TLS, of a long reply (${kind}) little more waits for the client than it takes`, async (t) => {
    const { client, socket, listener } = await openAndConnect(t, body);
    client.write('GET /x HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n');
    let most = 0;
    let written = -1;
    // Until the system takes nothing more.
    while (socket.bytesWritten !== written || written === 0) {
      written = socket.bytesWritten;
      for (let turn = 0; turn < 20; turn += 1) {
        await new Promise((resolve) => setTimeout(resolve, 5));
        most = Math.max(most, socket.writableLength);
      }
    }
    assert(most > 0, 'the client has taken everything');
    assert(most < 64_000, `${most} bytes of the reply waited in the server`);
    assert.equal(listener.inFlight, 1);
    const reply = await readAll(client);
    const start = reply.indexOf('\r\n\r\n') + 4;
    assert.match(reply.subarray(0, start).toString(), /^HTTP\/1\.1 200 OK\r\ncontent-length: 16000000\r\n/);
    assert(reply.subarray(start).equals(BODY));
    while (listener.inFlight > 0) await new Promise((resolve) => setTimeout(resolve, 5));
  });
}

test('over TLS, a HEAD for a long reply is answered with its length, and the connection is kept', async (t) => {
  const { client } = await openAndConnect(t, BODY);
  const head = 'HEAD /x HTTP/1.1\r\nhost: x\r\n';
  client.write(`${head}\r\n`);
  const [first] = (await once(client, 'data')) as [Buffer];
  assert.match(first.toString(), /^HTTP\/1\.1 200 OK\r\ncontent-length: 16000000\r\n.*\r\n\r\n$/s);
  client.write(`${head}connection: close\r\n\r\n`);
  assert.match((await readAll(client)).toString(), /^HTTP\/1\.1 200 OK\r\n.*\r\n\r\n$/s);
});

test('over TLS, a client that goes away in the middle of a long reply leaves nothing behind', async (t) => {
  const { client, socket, listener } = await openAndConnect(t, BODY);
  client.write('GET /x HTTP/1.1\r\nhost: x\r\n\r\n');
  while (socket.writableLength === 0) await new Promise((resolve) => setImmediate(resolve));
  assert.equal(listener.inFlight, 1);
  client.destroy();
  while (listener.inFlight > 0) await new Promise((resolve) => setTimeout(resolve, 5));
});

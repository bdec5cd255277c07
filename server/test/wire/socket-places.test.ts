import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import { connect as connectTls } from 'node:tls';
import { requestBytes } from '../fire/raw-http.ts';
import { ROOT, startTestServer, type TestServer } from '../support/server.ts';
import { tlsFiles } from '../support/tls-files.ts';

/** Sends the bytes and resolves with the status of the answer, or with undefined when the socket closes instead. */
async function statusOf(socket: Socket, bytes: Uint8Array): Promise<number | undefined> {
  socket.write(bytes);
  const answered = once(socket, 'data').then(([data]) => Number(/^HTTP\/1\.1 (\d+)/.exec(String(data))?.[1]));
  return await Promise.race([answered, once(socket, 'close').then(() => undefined)]);
}

async function start(t: TestContext, isTls: boolean) {
  const { certFile, keyFile } = tlsFiles('first');
  const settings = { maxHttpSockets: 2, ...(isTls ? { tlsCertFile: certFile, tlsKeyFile: keyFile } : {}) };
  const server: TestServer = await startTestServer(t, { settings });
  const { hostname, port } = new URL(server.url);
  const open = () => {
    const options = { host: hostname, port: Number(port), rejectUnauthorized: false };
    const socket = isTls ? connectTls(options) : connect(options);
    t.after(() => socket.destroy());
    return socket.on('error', () => {});
  };
  return { open };
}

for (const isTls of [false, true]) {
  test(`a caller with a valid signature keeps its connection while others come${isTls ? ', over TLS too' : ''}`, async (t) => {
    const { open } = await start(t, isTls);
    const known = open();
    assert.equal(await statusOf(known, requestBytes({})), 200);
    const page = requestBytes({ path: '/healthz', isSigned: false });
    for (let client = 0; client < 5; client += 1) assert.equal(await statusOf(open(), page), 200);
    assert.equal(await statusOf(known, requestBytes({})), 200);
  });
}

test('a caller whose signature is wrong gives way', async (t) => {
  const { open } = await start(t, false);
  const wrong = open();
  const credentials = { ...ROOT, secretAccessKey: 'wrong' };
  assert.equal(await statusOf(wrong, requestBytes({ credentials })), 403);
  const gone = once(wrong, 'close');
  const page = requestBytes({ path: '/healthz', isSigned: false });
  for (let client = 0; client < 2; client += 1) assert.equal(await statusOf(open(), page), 200);
  await gone;
});

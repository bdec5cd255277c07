import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect as connectTls } from 'node:tls';
import type { Settings } from '../../src/config/config.ts';
import { requestBytes } from '../fire/raw-http.ts';
import { createKey } from '../support/administration.ts';
import { ROOT, startTestServer, type TestServer } from '../support/server.ts';
import { tlsFiles } from '../support/tls-files.ts';

/** Sends the bytes and resolves with the status of the answer, or with undefined when the socket closes instead. */
async function statusOf(socket: Socket, bytes: Uint8Array): Promise<number | undefined> {
  socket.write(bytes);
  const answered = once(socket, 'data').then(([data]) => Number(/^HTTP\/1\.1 (\d+)/.exec(String(data))?.[1]));
  return await Promise.race([answered, once(socket, 'close').then(() => undefined)]);
}

async function start(t: TestContext, isTls: boolean, limits: Partial<Settings> = { maxHttpSockets: 2 }) {
  const { certFile, keyFile } = tlsFiles('first');
  const settings = { ...limits, ...(isTls ? { tlsCertFile: certFile, tlsKeyFile: keyFile } : {}) };
  const server: TestServer = await startTestServer(t, { settings });
  const { hostname, port } = new URL(server.url);
  const open = (localAddress?: string) => {
    const options = { host: hostname, port: Number(port), localAddress, rejectUnauthorized: false };
    const socket = isTls ? connectTls(options) : connect(options);
    t.after(() => socket.destroy());
    return socket.on('error', () => {});
  };
  return { server, open };
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

test('a key that may call little cannot keep from everybody else the places that it takes from a few addresses', async (t) => {
  const { server, open } = await start(t, false, { maxHttpSockets: 40, maxHttpSocketsPerAddress: 4 });
  const seeing = { Effect: 'Allow', Action: 'respark:GetServerInfo', Resource: '*' };
  const asked = requestBytes({ path: '/respark/server', credentials: await createKey(server, [seeing]) });
  let isOver = false;
  let answered = 0;
  t.after(() => {
    isOver = true;
  });
  const attack = (address: string): void => {
    if (isOver) return;
    const socket = open(address);
    socket
      .on('close', () => setImmediate(attack, address))
      .on('data', () => {
        answered += 1;
      });
    socket.write(asked);
  };
  for (let at = 0; at < 40; at += 1) attack(`127.0.1.${1 + (at % 10)}`);
  while (answered < 40) await sleep(5);
  for (let newcomer = 1; newcomer <= 10; newcomer += 1) {
    const socket = open(`127.0.2.${newcomer}`);
    const closed = once(socket, 'close').then(() => undefined);
    // A network between takes its time, in which the attacker comes back.
    await sleep(20);
    const status = await Promise.race([statusOf(socket, requestBytes({})), closed]);
    assert.equal(status, 200, `newcomer ${newcomer}`);
    socket.destroy();
  }
});

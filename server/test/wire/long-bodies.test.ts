import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { toBasicIso } from '../../src/api/signature/sigv4.ts';
import { rawCall } from '../support/raw-call.ts';
import { GAME, ROOT, startTestServer } from '../support/server.ts';

const LENGTH = 1_900_000;
const PATH = `/game/${GAME}/configuration`;

/** A call of a key of which only the id is known, whose body goes on until the server gives it up. */
function begin(url: string, localAddress: string): Socket {
  const { hostname, port, host } = new URL(url);
  const at = toBasicIso(Date.now());
  const scope = `${at.slice(0, 8)}/us-east-1/gamesparks/aws4_request`;
  const socket = connect({ host: hostname, port: Number(port), localAddress });
  socket.on('error', () => {});
  socket.write(
    `PATCH ${PATH} HTTP/1.1\r\nHost: ${host}\r\nX-Amz-Date: ${at}\r\nContent-Length: ${LENGTH}\r\n` +
      `Authorization: AWS4-HMAC-SHA256 Credential=${ROOT.accessKeyId}/${scope}, SignedHeaders=host;x-amz-date, Signature=${'0'.repeat(64)}\r\n\r\n`,
  );
  socket.write(Buffer.alloc(LENGTH - 1, 0x20));
  return socket;
}

test('who knows no secret of a key cannot take the memory that the long bodies of others need', async (t) => {
  const server = await startTestServer(t, { settings: { longBodyMemoryBytes: 12_000_000 } });
  const sockets = Array.from({ length: 10 }, (_, at) => begin(server.url, `127.0.4.${1 + at}`));
  t.after(() => {
    for (const socket of sockets) socket.destroy();
  });
  const answers = sockets.map(async (socket) => String(await once(socket, 'data')));
  const refused = await Promise.race(answers);
  assert.match(refused, /^HTTP\/1\.1 429 /);
  await sleep(200);
  const document = JSON.stringify({ Document: { Type: 'Game', Sections: { 'a.b': { text: 'x'.repeat(900_000) } } } });
  const body = { ImportSource: { File: Buffer.from(document).toString('base64') } };
  for (const _ of ['once', 'again']) {
    const { status, message } = await rawCall(server, 'PUT', PATH, { body });
    assert.equal(status, 200, message);
  }
});

test('a long body whose head is signed with a wrong secret is not waited for', async (t) => {
  const server = await startTestServer(t);
  const credentials = { ...ROOT, secretAccessKey: 'wrong' };
  const { status, error } = await rawCall(server, 'PATCH', PATH, { body: 'x'.repeat(LENGTH), credentials });
  assert.deepEqual([status, error], [403, 'InvalidSignatureException']);
});

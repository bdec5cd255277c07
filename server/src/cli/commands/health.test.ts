import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer as createHttpServer, type RequestListener, type Server } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { describe, it, type TestContext } from 'node:test';
import { tlsFiles } from '../../../test/support/tls-files.ts';
import { createTestWorld } from '../../../test/support/world.ts';

const answer: RequestListener = ({ url }, response) => {
  if (url === '/healthz') response.writeHead(200).end('ok\n');
  else if (url === '/readyz') response.writeHead(503).end('not ready: draining\n');
};

async function authorityOf(t: TestContext, server: Server): Promise<string> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function health(url: string | undefined, ...args: string[]) {
  const world = createTestWorld({ local: url === undefined ? {} : { url } });
  const exitCode = await world.run('health', ...args);
  return { exitCode, out: world.out(), err: world.err() };
}

describe('health', () => {
  it('asks the running server whether it is alive, or ready', async (t) => {
    const url = `http://${await authorityOf(t, createHttpServer(answer))}`;
    assert.deepEqual(await health(url), { exitCode: 0, out: 'ok\n', err: '' });
    assert.deepEqual(await health(url, '--ready'), { exitCode: 1, out: '', err: 'not ready: draining\n' });
  });

  it('asks over TLS too, whatever the name in the certificate', async (t) => {
    const { certFile, keyFile } = tlsFiles('first');
    const tls = { cert: readFileSync(certFile), key: readFileSync(keyFile) };
    const url = `https://${await authorityOf(t, createHttpsServer(tls, answer))}`;
    assert.deepEqual(await health(url), { exitCode: 0, out: 'ok\n', err: '' });
  });

  it('fails when no server is there, or it does not answer', async (t) => {
    const missing = { exitCode: 1, out: '', err: 'no server is running on this data directory\n' };
    assert.deepEqual(await health(undefined), missing);
    const server = createHttpServer(answer);
    const url = `http://${await authorityOf(t, server)}`;
    await once(server.close(), 'close');
    const { exitCode, err } = await health(url);
    assert.equal(exitCode, 1);
    assert.match(err, new RegExp(`^${url} does not answer: connect ECONNREFUSED`));
  });
});

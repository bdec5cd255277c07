import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { HttpConnection } from './http.ts';

test('a request on a connection that the server has closed fails, instead of waiting for good', async (t) => {
  const server = createServer((_, response) => response.end('yes'));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  const http = new HttpConnection((server.address() as AddressInfo).port);
  const request = 'GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n';
  assert.deepEqual(await http.request(request), { status: 200, body: 'yes' });
  server.closeAllConnections();
  await http.closed;
  await assert.rejects(http.request(request), /the server closed an HTTP connection/);
});

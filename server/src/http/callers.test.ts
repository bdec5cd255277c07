import assert from 'node:assert/strict';
import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { it } from 'node:test';
import { createCallers } from './callers.ts';
import { createClientAddress } from './client-address.ts';
import { createHeadReader } from './request-head.ts';

const PROXY = '127.0.0.1';
const AUTHORIZATION = 'Authorization: AWS4-HMAC-SHA256 Credential=KEY/20260102/us-east-1/x\r\n';

function lanesOf(peer: string) {
  const readHead = createHeadReader({ clientAddress: createClientAddress({ trustedProxies: [PROXY], warn() {} }) });
  const callers = createCallers({ turns: { prefer() {} }, readHead });
  const socket = { remoteAddress: peer } as Socket;
  const find = callers.laneFinderOf(socket);
  const laneOf = (...lines: string[]) => find?.(Buffer.from(`GET / HTTP/1.1\r\nHost: x\r\n${lines.join('')}\r\n`));
  const know = (...rawHeaders: string[]) => {
    const head = readHead({ method: 'GET', url: '/', rawHeaders, socket });
    assert(head);
    callers.add({ req: { socket } } as unknown as ServerResponse, head);
  };
  return { find, laneOf, know };
}

it("tells the clients of a trusted proxy from each other before their requests are parsed, by the proxy's own word", () => {
  const { laneOf } = lanesOf(PROXY);
  assert.equal(laneOf('X-Forwarded-For: 192.0.2.1\r\n'), '192.0.2.1');
  assert.equal(laneOf('x-forwarded-for:192.0.2.1, 192.0.2.2 \r\n'), '192.0.2.2');
  assert.equal(laneOf('X-Forwarded-For: 192.0.2.1\r\n', 'X-Forwarded-For: 2001:db8:1:2:3::1\r\n'), '2001:db8:1:2::/64');
  assert.equal(laneOf('Other: X-Forwarded-For: 192.0.2.1\r\n'), PROXY);
  assert.equal(laneOf(), PROXY);
});

it('has what a known access key asks through a trusted proxy wait in the lane of that key and address', () => {
  const { laneOf, know } = lanesOf(PROXY);
  const forwarded = 'X-Forwarded-For: 192.0.2.1\r\n';
  assert.equal(laneOf(forwarded, AUTHORIZATION), '192.0.2.1');
  know('x-forwarded-for', '192.0.2.1', 'authorization', 'AWS4-HMAC-SHA256 Credential=KEY/20260102/us-east-1/x');
  assert.equal(laneOf(forwarded, AUTHORIZATION), '192.0.2.1 KEY');
  assert.equal(laneOf('X-Forwarded-For: 192.0.2.2\r\n', AUTHORIZATION), '192.0.2.2');
});

it('has a long head, and one that has not come whole, wait in the lane of their proxy', () => {
  const { find, laneOf } = lanesOf(PROXY);
  assert.equal(laneOf('X-Forwarded-For: 192.0.2.1\r\n', `a: ${'x'.repeat(5_000)}\r\n`), PROXY);
  assert.equal(find?.(Buffer.from('GET / HTTP/1.1\r\nX-Forwarded-For: 192.0.2.1\r\n')), PROXY);
});

it('looks for nothing in what comes from other peers', () => {
  assert.equal(lanesOf('192.0.2.9').find, undefined);
});

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { RequestHead } from '../../http/request-head.ts';
import { acceptance, findHandshakeFault, offeredSubprotocols } from './handshake.ts';

const HEADERS = {
  upgrade: ['websocket'],
  'sec-websocket-key': ['dGhlIHNhbXBsZSBub25jZQ=='],
  'sec-websocket-version': ['13'],
};

/** A request that asks for a WebSocket, with some headers replaced. */
function requestHead(headers: Readonly<Record<string, readonly string[]>> = {}, method = 'GET'): RequestHead {
  const all = Object.entries({ ...HEADERS, ...headers }).filter(([, values]) => values.length > 0);
  return {
    method,
    rawPath: '/connect',
    rawQuery: '',
    headers: new Map(all),
    remoteAddress: '127.0.0.1',
    peerAddress: '127.0.0.1',
    isSecure: false,
    isForwarded: false,
    mayBeProxied: false,
  };
}

describe('a request for a WebSocket', () => {
  test('is accepted with the key of the example in RFC 6455', () => {
    assert.equal(findHandshakeFault(requestHead()), undefined);
    assert.deepEqual(acceptance(requestHead(), 'chat').split('\r\n'), [
      'HTTP/1.1 101 Switching Protocols',
      'Upgrade: websocket',
      'Connection: Upgrade',
      'Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=',
      'Sec-WebSocket-Protocol: chat',
      '',
      '',
    ]);
  });

  test('is accepted however `websocket` is spelled, with extensions, and with subprotocols in one header or more', () => {
    for (const headers of [
      { upgrade: ['WebSocket'] },
      { 'sec-websocket-extensions': ['permessage-deflate; client_max_window_bits'] },
      { 'sec-websocket-protocol': ['a'] },
      { 'sec-websocket-protocol': ['a,b ,\tc'] },
      { 'sec-websocket-protocol': ['a', 'b, c'] },
      { 'sec-websocket-key': ['AAAAAAAAAAAAAAAAAAAAAA=='] },
    ]) {
      assert.equal(findHandshakeFault(requestHead(headers)), undefined, JSON.stringify(headers));
    }
  });

  test('is refused when it is not one', () => {
    const key = 'the Sec-WebSocket-Key header must be 16 bytes in base64';
    const upgrade = 'the Upgrade header must be "websocket"';
    const protocol = 'the Sec-WebSocket-Protocol header must list different names';
    for (const [headers, message] of [
      [{ upgrade: [] }, upgrade],
      [{ upgrade: ['h2c'] }, upgrade],
      [{ upgrade: ['websocket, h2c'] }, upgrade],
      [{ upgrade: ['websocket', 'websocket'] }, upgrade],
      [{ 'sec-websocket-key': [] }, key],
      [{ 'sec-websocket-key': [''] }, key],
      [{ 'sec-websocket-key': ['dGhlIHNhbXBsZSBub25jZQ='] }, key],
      [{ 'sec-websocket-key': ['dGhlIHNhbXBsZSBub25jZSE='] }, key],
      [{ 'sec-websocket-key': ['dGhlIHNhbXBsZSBub25jZQ==', 'dGhlIHNhbXBsZSBub25jZQ=='] }, key],
      [{ 'sec-websocket-key': ['dGhlIHNhbXBsZSBub25jZQ==\n'] }, key],
      [{ 'sec-websocket-protocol': [''] }, protocol],
      [{ 'sec-websocket-protocol': ['a,,b'] }, protocol],
      [{ 'sec-websocket-protocol': ['a, b, a'] }, protocol],
      [{ 'sec-websocket-protocol': ['a', 'a'] }, protocol],
      [{ 'sec-websocket-protocol': ['a b'] }, protocol],
      [{ 'sec-websocket-protocol': ['a/b'] }, protocol],
    ] as const) {
      assert.deepEqual(findHandshakeFault(requestHead(headers)), { status: 400, message }, JSON.stringify(headers));
    }
  });

  test('learns the method and the version that it must have', () => {
    assert.deepEqual(findHandshakeFault(requestHead({}, 'POST')), {
      status: 405,
      message: 'a WebSocket begins with GET',
      headers: { Allow: 'GET' },
    });
    for (const version of [[], ['8'], ['12'], ['13', '8'], ['013'], ['13, 8']]) {
      assert.deepEqual(findHandshakeFault(requestHead({ 'sec-websocket-version': version })), {
        status: 400,
        message: 'the Sec-WebSocket-Version header must be 13',
        headers: { 'Sec-WebSocket-Version': '13' },
      });
    }
  });
});

test('the subprotocols are those that the client offers, in its order', () => {
  assert.deepEqual(offeredSubprotocols(requestHead()), []);
  assert.deepEqual(offeredSubprotocols(requestHead({ 'sec-websocket-protocol': ['b, a', ' c'] })), ['b', 'a', 'c']);
});

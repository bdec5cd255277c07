import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type HttpRequest, textReply } from '../http/exchange.ts';
import { createCors } from './cors.ts';

const TOOLS = 'https://tools.example';

/** What a page gets for a request, by header, from sites of which the second knows every path but `/nothing`. */
async function repliesTo(method: string, headers: Record<string, string | string[]>, origins: string[] = [TOOLS]) {
  const cors = createCors({ origins, methods: new Set(['POST', 'GET']) });
  const site = cors(
    async () => undefined,
    async ({ rawPath }) => (rawPath === '/nothing' ? undefined : textReply(200, 'served')),
  );
  const request = (rawPath: string): HttpRequest => ({
    ...{
      method,
      rawPath,
      rawQuery: '',
      remoteAddress: '::1',
      isSecure: false,
      isForwarded: false,
      mayBeProxied: false,
      peerAddress: '127.0.0.1',
      callerIsKnown() {},
    },
    headers: new Map(Object.entries(headers).map(([name, value]) => [name, [value].flat()])),
    readBody: async () => new Uint8Array(),
  });
  if (method !== 'OPTIONS') assert.equal(await site(request('/nothing')), undefined);
  return await site(request('/game'));
}

test('a page of a listed origin may read replies, and caches keep them apart', async () => {
  const reply = await repliesTo('GET', { origin: TOOLS });
  assert.deepEqual(reply?.headers, {
    ...textReply(200, '').headers,
    'access-control-allow-origin': TOOLS,
    'access-control-expose-headers': 'content-disposition, date, retry-after, x-amzn-errortype, x-amzn-requestid',
    vary: 'Origin',
  });
});

test('a preflight of a listed origin is answered, without credentials', async () => {
  const asked = 'amz-sdk-request,authorization, x-amz-date';
  const headers = { origin: TOOLS, 'access-control-request-method': 'PATCH' };
  const reply = await repliesTo('OPTIONS', { ...headers, 'access-control-request-headers': asked });
  assert.deepEqual(reply, {
    status: 200,
    headers: {
      'access-control-allow-origin': TOOLS,
      'access-control-allow-methods': 'GET, POST',
      'access-control-allow-headers': asked,
      'access-control-max-age': '600',
      vary: 'Origin, Access-Control-Request-Headers',
    },
    body: '',
  });
  const odd = await repliesTo('OPTIONS', { ...headers, 'access-control-request-headers': 'a;b' });
  assert.equal(odd?.headers['access-control-allow-headers'], undefined);
});

test('other origins get what the site answers, with nothing that lets a page read it', async () => {
  const served = { ...textReply(200, 'served'), headers: { ...textReply(200, '').headers, vary: 'Origin' } };
  for (const origin of ['https://evil.example', 'null', '', 'https://TOOLS.example', `${TOOLS}:443`, [TOOLS, TOOLS]]) {
    assert.deepEqual(await repliesTo('GET', { origin }), served);
  }
  assert.deepEqual(await repliesTo('GET', {}), served);
});

test('preflights of other origins are no preflights to this server', async () => {
  const preflight = { origin: 'https://evil.example', 'access-control-request-method': 'GET' };
  assert.equal((await repliesTo('OPTIONS', preflight))?.body, 'served');
  assert.equal((await repliesTo('OPTIONS', { ...preflight, origin: TOOLS }, []))?.body, 'served');
  assert.equal((await repliesTo('OPTIONS', { origin: TOOLS }))?.body, 'served', 'no method is asked for');
});

test('without listed origins nothing is said of origins at all', async () => {
  assert.deepEqual(await repliesTo('GET', { origin: TOOLS }, []), textReply(200, 'served'));
});

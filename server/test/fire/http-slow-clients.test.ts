import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import type { TestServer } from '../support/server.ts';
import {
  type Bytes,
  CLOSE,
  DISCONNECT,
  exchange,
  open,
  outcomeOf,
  outcomesOf,
  plain,
  requestBytes,
  TAKEN,
} from './raw-http.ts';
import { besiege } from './siege.ts';

/**
 * Sends the parts one by one, with the wait `pace` after each, and returns what comes back. A part that is on its way
 * when the server has answered and closed brings a reset behind the answer.
 */
async function slowly(server: TestServer, parts: readonly Bytes[], pace: () => Promise<unknown>): Promise<string> {
  const socket = open(server);
  const ended = new Promise((resolve) => socket.once('end', resolve).once('close', resolve));
  let received = '';
  socket.setEncoding('latin1').on('data', (text: string) => {
    received += text;
  });
  try {
    for (const part of parts) {
      if (socket.destroyed || received !== '') break;
      socket.write(part);
      await Promise.race([pace(), ended]);
    }
    await ended;
    return received;
  } finally {
    socket.destroy();
  }
}

const nextTick = () => new Promise((resolve) => setImmediate(resolve));

/** Sends the requests in one go, and returns their outcomes. */
async function pipelined(server: TestServer, ...requests: readonly Buffer[]): Promise<string> {
  return outcomesOf(await exchange(server, Buffer.concat(requests), { expectReplies: requests.length }));
}

test('HTTP clients that are slow, gone or in a hurry harm no other client', async (t) => {
  await besiege(t, { minCases: 25 }, async (siege) => {
    const { server } = siege;
    const call = requestBytes({ method: 'POST', path: DISCONNECT, body: '{}' });
    const [head, body] = [call.subarray(0, -2), call.subarray(-2)];
    const late = /^HTTP\/1\.1 408 Request Timeout\r\n/;
    const lateBody = /^HTTP\/1\.1 408 .*x-amzn-errortype: RequestTimeoutException/is;
    const bytewise = (bytes: Uint8Array) => [...bytes].map((byte) => Uint8Array.of(byte));
    const idle = () => new Promise(() => {});
    await siege.attemptAll({
      'nothing at all': async () => assert.match(await slowly(server, [], idle), late),
      'half a request line': async () => assert.match(await slowly(server, ['GET /ga'], idle), late),
      'HTTP/0.9 that waits': async () => assert.match(await slowly(server, ['GET /game\r\n'], idle), late),
      'half a head': async () => assert.match(await slowly(server, [head.subarray(0, 100)], idle), late),
      'a head without an end': async () => {
        const drip = () => new Promise((resolve) => setTimeout(resolve, 50).unref());
        const lines = Array.from({ length: 100 }, () => 'X: a\r\n');
        assert.match(await slowly(server, ['GET /game HTTP/1.1\r\nHost: x\r\n', ...lines], drip), late);
      },
      'no body': async () => assert.match(await slowly(server, [head], idle), lateBody),
      'half a body': async () => assert.match(await slowly(server, [head, body.subarray(0, 1)], idle), lateBody),
      'a body that drips': async () => {
        const long = requestBytes({ method: 'POST', path: DISCONNECT, body: 'x'.repeat(1_000) });
        const drip = () => new Promise((resolve) => setTimeout(resolve, 20).unref());
        const parts = [long.subarray(0, -1_000), ...bytewise(long.subarray(-1_000))];
        assert.match(await slowly(server, parts, drip), lateBody);
      },
      'chunks without an end': async () => {
        const chunked = requestBytes({
          ...{ method: 'POST', path: DISCONNECT },
          rawHeaders: ['Transfer-Encoding: chunked'],
        });
        assert.match(await slowly(server, [chunked, '1\r\na\r\n'], idle), lateBody);
      },
      'a body that the server asked for': async () => {
        const expecting = requestBytes({
          ...{ method: 'POST', path: DISCONNECT, body: 'body' },
          rawHeaders: ['Expect: 100-continue'],
        });
        const socket = open(server);
        socket.write(expecting.subarray(0, -4));
        const [first] = await once(socket, 'data');
        assert.match(String(first), /^HTTP\/1\.1 100 Continue\r\n\r\n$/);
        const [second] = await once(socket, 'data');
        assert.match(String(second), lateBody);
        socket.destroy();
      },
    });

    await siege.attempt('a request byte by byte', async () => {
      const last = requestBytes({ rawHeaders: CLOSE });
      assert.match(await slowly(server, bytewise(last), nextTick), /^HTTP\/1\.1 200 /);
    });
    await siege.attempt('a body that the server did not ask for', async () => {
      const refused = plain({
        method: 'POST',
        path: '/game',
        body: '{}',
        rawHeaders: ['Expect: 100-continue', ...CLOSE],
      });
      assert.equal(outcomesOf(await exchange(server, refused)), '403 MissingAuthenticationTokenException');
    });
    await siege.attempt('requests in one go', async () => {
      const outcomes = await pipelined(server, ...Array.from({ length: 50 }, () => requestBytes({})));
      assert.equal(outcomes, Array(50).fill('200').join(', '));
    });
    await siege.attempt('requests in one go, each with another fault', async () => {
      const outcomes = await pipelined(
        server,
        plain({ rawHeaders: [] }),
        requestBytes({ path: '/nothing' }),
        requestBytes({ method: 'POST', path: '/game', body: 'x' }),
        requestBytes({ method: 'POST', path: '/game', body: TAKEN }),
      );
      const expected = ['403 MissingAuthenticationTokenException', '404 UnknownOperationException'];
      assert.equal(outcomes, [...expected, '400 SerializationException', '409 ConflictException'].join(', '));
    });
    await siege.attempt('garbage behind a request', async () => {
      const { replies } = await exchange(
        server,
        Buffer.concat([requestBytes({}), Buffer.from('\x00\x01\x02\r\n\r\n')]),
        {
          expectReplies: 2,
        },
      );
      // The garbage may arrive before or after the first request is answered.
      assert(['200, 400', '400', '200'].includes(replies.map(outcomeOf).join(', ')));
    });
    await siege.attempt('an upgrade to HTTP/2, and more on the same connection', async () => {
      const rawHeaders = ['Connection: Upgrade, HTTP2-Settings', 'Upgrade: h2c', 'HTTP2-Settings: AAMAAABk'];
      const upgrade = requestBytes({ rawHeaders });
      for (const bytes of [upgrade, Buffer.concat([upgrade, requestBytes({})])]) {
        const { replies, isClosed } = await exchange(server, bytes, { expectReplies: 2 });
        assert.deepEqual(replies.map(outcomeOf), ['200']);
        assert.equal(replies[0]?.headers.get('connection'), 'close');
        assert(isClosed);
      }
    });
    for (const [what, bytes] of Object.entries({ head, 'half a body': call.subarray(0, -1), call })) {
      await siege.attempt(`${what}, and the client says that this was all`, async () => {
        const outcome = outcomesOf(await exchange(server, bytes, { isLast: true }));
        assert(['200', '400', 'closed'].includes(outcome), outcome);
      });
      await siege.attempt(`${what}, and the client is gone`, async () => {
        const socket = open(server);
        await new Promise((resolve) => socket.write(bytes, resolve));
        socket.destroy();
      });
      await siege.attempt(`${what}, and a reset`, async () => {
        const socket = open(server);
        await new Promise((resolve) => socket.write(bytes, resolve));
        socket.resetAndDestroy();
      });
    }
    await siege.attempt('a hundred clients that come and go', async () => {
      for (let client = 0; client < 100; client += 1) open(server).destroy();
      await nextTick();
    });
    await siege.attempt('replies that the client does not read', async () => {
      const socket = open(server);
      socket.pause();
      for (let request = 0; request < 1_000; request += 1) socket.write(requestBytes({ path: '/game?MaxResults=50' }));
      await new Promise((resolve) => socket.write(requestBytes({}), resolve));
      socket.destroy();
    });
  });
});

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { type ClientRequest, type IncomingMessage, request } from 'node:http';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { describe, it, type TestContext } from 'node:test';
import { ListGamesCommand } from '@aws-sdk/client-gamesparks';
import { CLOSE_CODES, CONNECT_PATH, parseCloseReason } from '@respark/protocol';
import { signRequest } from '../../src/api/signature/sigv4.ts';
import { createWorkplace, type RunningServer } from '../support/process.ts';
import { connectRawPlayer } from '../support/raw-player.ts';

/** A CreateGame whose body is held back, so that it is in flight for as long as the test wants. */
async function startCall(t: TestContext, { url: base, credentials }: RunningServer) {
  const url = new URL('/game', base);
  const body = JSON.stringify({ GameName: 'Late' });
  const signed = signRequest({
    method: 'POST',
    url,
    body: Buffer.from(body),
    ...credentials,
    region: 'us-east-1',
    nowMs: Date.now(),
  });
  const headers = { ...signed, 'content-length': String(body.length), expect: '100-continue' };
  const call: ClientRequest = request(url, { method: 'POST', headers });
  t.after(() => call.destroy());
  call.flushHeaders();
  const responded = once(call, 'response') as Promise<[IncomingMessage]>;
  responded.catch(() => {});
  // The server asks for the body when the call is being served.
  await once(call, 'continue');
  return {
    async finish() {
      call.end(body);
      const [response] = await responded;
      return { status: response.statusCode, connection: response.headers.connection, body: await text(response) };
    },
    failed: () => assert.rejects(responded),
  };
}

/** A connection that is there before the drain, and asks for an upgrade only after it has begun. */
async function openEarly(t: TestContext, { url }: RunningServer): Promise<Socket> {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  t.after(() => socket.destroy());
  await once(socket, 'connect');
  return socket;
}

describe('a server that gets SIGTERM', () => {
  it('closes its players with a hint, takes no new ones, finishes the call in flight and exits with 0', async (t) => {
    const server = await createWorkplace(t).serve(['--demo']);
    const players = await Promise.all([server.connect(), server.connect(), server.connect()]);
    const early = await openEarly(t, server);
    const call = await startCall(t, server);
    const began = performance.now();
    server.child.kill('SIGTERM');
    await server.printed(/^SIGTERM: draining, at most 10000 ms; a second signal stops at once$/m);

    for (const { code, reason } of await Promise.all(players.map(({ closed }) => closed))) {
      assert.equal(code, CLOSE_CODES.draining.code);
      const { retryAfterMs } = parseCloseReason(reason);
      assert(retryAfterMs !== undefined && retryAfterMs >= 0 && retryAfterMs <= 5_000, reason);
    }
    const headers = 'Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n';
    const key = 'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Protocol: respark.v1\r\n';
    early.write(`GET ${CONNECT_PATH} HTTP/1.1\r\nHost: respark\r\n${headers}${key}\r\n`);
    assert.match(await text(early), /^(?:HTTP\/1\.1 503 .*Retry-After: \d+|$)/s);
    await assert.rejects(server.connect(), /ECONNREFUSED/);
    await assert.rejects(server.sdk({ maxAttempts: 1 }).send(new ListGamesCommand({})), /ECONNREFUSED/);
    assert.equal(server.child.exitCode, null, 'it waits for the call');

    const { status, connection, body } = await call.finish();
    assert.deepEqual([status, connection, JSON.parse(body).Game.Name], [200, 'close', 'Late']);
    assert.equal((await server.ended()).exitCode, 0);
    assert(performance.now() - began < 10_000);
    assert(!existsSync(join(server.dataDir, 'running.json')));
  });

  it('does the same at a SIGHUP, which the end of its terminal sends', async (t) => {
    const server = await createWorkplace(t).serve(['--demo']);
    const player = await server.connect();
    server.child.kill('SIGHUP');
    await server.printed(/^SIGHUP: draining, at most 10000 ms; a second signal stops at once$/m);
    assert.equal((await player.closed).code, CLOSE_CODES.draining.code);
    assert.equal((await server.ended()).exitCode, 0);
  });

  it('turns new players and calls away for a while, says so, and serves those who are there', async (t) => {
    const server = await createWorkplace(t).serve(['--demo', '--drain-delay-ms', '3600000']);
    const player = await server.connect();
    const call = await startCall(t, server);
    server.child.kill('SIGTERM');
    await server.printed(/^SIGTERM: refusing new players and calls for 3600000 ms; a second signal goes on at once$/m);

    const ready = await fetch(new URL('/readyz', server.url));
    assert.deepEqual([ready.status, await ready.text()], [503, 'not ready: draining\n']);
    assert.equal((await fetch(new URL('/healthz', server.url))).status, 200);
    await assert.rejects(server.connect(), /503/);
    const refused = await fetch(new URL('/game', server.url));
    assert.deepEqual([refused.status, refused.headers.get('retry-after')], [503, '5']);
    await assert.rejects(server.sdk({ maxAttempts: 1 }).send(new ListGamesCommand({})), {
      name: 'ServiceUnavailableException',
      message: 'This node is shutting down: try again',
    });
    await player.token();
    const { status, connection } = await call.finish();
    assert.deepEqual([status, connection], [200, 'close']);

    server.child.kill('SIGTERM');
    await server.printed(/^SIGTERM: draining, at most 10000 ms; another signal stops at once$/m);
    assert.equal((await player.closed).code, CLOSE_CODES.draining.code);
    assert.equal((await server.ended()).exitCode, 0);
  });

  it('drains by itself when that while is over', async (t) => {
    const server = await createWorkplace(t).serve(['--demo', '--drain-delay-ms', '500']);
    const player = await server.connect();
    const began = performance.now();
    server.child.kill('SIGTERM');
    assert.equal((await player.closed).code, CLOSE_CODES.draining.code);
    assert(performance.now() - began >= 450);
    assert.equal((await server.ended()).exitCode, 0);
  });

  it('is not held up by a player who never closes its socket', async (t) => {
    const server = await createWorkplace(t).serve(['--demo', '--close-grace-ms', '200']);
    const silent = await connectRawPlayer(t, server);
    server.child.kill('SIGTERM');
    assert.equal((await server.ended()).exitCode, 0);
    await silent.gone;
    assert.equal(silent.frames.at(-1), undefined, 'it was told before it was cut off');
  });

  it('cuts off what is not done when the time to drain is over, says so, and exits with 0', async (t) => {
    const server = await createWorkplace(t).serve(['--demo', '--drain-timeout-ms', '300', '--close-grace-ms', '60000']);
    const silent = await connectRawPlayer(t, server);
    const call = await startCall(t, server);
    const began = performance.now();
    server.child.kill('SIGTERM');
    const { exitCode, stderr } = await server.ended();
    assert.equal(exitCode, 0);
    const tookMs = performance.now() - began;
    assert(tookMs >= 300 && tookMs < 3_000, `${tookMs} ms`);
    await Promise.all([call.failed(), silent.gone]);
    assert.match(stderr, /"inFlight":1,"msg":"calls and handlers were cut off because the drain time was over"/);
    assert.match(stderr, /"left":1,"msg":"players did not leave in time and were cut off"/);
    assert(!existsSync(join(server.dataDir, 'running.json')));
  });

  for (const [signal, exitCode] of [
    ['SIGTERM', 143],
    ['SIGINT', 130],
  ] as const) {
    it(`ends at once on another signal: ${signal} ends it with ${exitCode}`, async (t) => {
      const place = createWorkplace(t);
      const server = await place.serve(['--demo', '--drain-timeout-ms', '3600000']);
      await startCall(t, server);
      server.child.kill('SIGINT');
      await server.printed(/^SIGINT: draining/m);
      server.child.kill(signal);
      assert.equal((await server.ended()).exitCode, exitCode);
      // What it has left behind keeps nobody from starting again.
      await place.serve(['--demo']);
    });
  }
});

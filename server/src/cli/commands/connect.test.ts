import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { type ClientFrame, decodeClientFrame, encode, GET_PLAYER_TOKEN, type ServerFrame } from '@respark/protocol';
import { type WebSocket, WebSocketServer } from 'ws';
import { createTestWorld, DEMO } from '../../../test/support/world.ts';

/** A gateway that welcomes everyone, echoes requests, and says what it saw. */
async function startGateway(t: TestContext) {
  const gateway = new WebSocketServer({ port: 0, host: '127.0.0.1', handleProtocols: () => 'respark.v1' });
  await once(gateway, 'listening');
  t.after(() => {
    for (const socket of gateway.clients) socket.terminate();
    gateway.close();
  });
  const frames: ClientFrame[] = [];
  const sockets: WebSocket[] = [];
  gateway.on('connection', (socket) => {
    sockets.push(socket);
    const send = (frame: ServerFrame) => socket.send(encode(frame));
    socket.on('message', (data: Buffer) => {
      const { frame } = decodeClientFrame(data.toString()) as { frame: ClientFrame };
      frames.push(frame);
      if (frame.kind === 'hello') {
        const rate = {
          messagesPerSecond: 50,
          messagesBurst: 100,
          maxRequestsInFlight: 64,
          bytesPerSecond: 65_536,
          bytesBurst: 262_144,
        };
        const limits = { heartbeatMs: 20_000, maxFrameBytes: 65_536, ...rate, tokenLifetimeMs: 600_000 };
        const playerId = frame.token === undefined ? 'guest-1' : 'demo-player';
        send({ kind: 'welcome', playerId, connectionId: 'c1', ...limits });
      } else if (frame.kind === 'request') {
        const payload = frame.type === GET_PLAYER_TOKEN ? { AuthenticationToken: 'renewed' } : frame.payload;
        send({ kind: 'response', id: frame.id, payload });
      }
    });
  });
  const url = `ws://127.0.0.1:${(gateway.address() as AddressInfo).port}/connect`;
  return { url, frames, sockets, send: (frame: ServerFrame) => sockets.at(-1)?.send(encode(frame)) };
}

/** A server that answers every handshake over HTTP. */
async function startRefusing(t: TestContext, status: number, text: string) {
  let requests = 0;
  const server = createServer().on('upgrade', (_, socket) => {
    requests += 1;
    const type = `Content-Type: text/${text.startsWith('<') ? 'html' : 'plain; charset=utf-8'}`;
    const head = [`HTTP/1.1 ${status} Whatever`, 'Connection: close', type, 'Location: /elsewhere', '', ''].join(
      '\r\n',
    );
    socket.end(`${head}${text}`);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  return { url: `ws://127.0.0.1:${(server.address() as AddressInfo).port}/connect`, requests: () => requests };
}

function createLocalWorld(playerUrl: string) {
  return createTestWorld({ local: { playerUrl, demo: DEMO } });
}

describe('connect', () => {
  it('connects as the demo player of the local server, and says how to disconnect it', async (t) => {
    const { url, frames } = await startGateway(t);
    const world = createLocalWorld(url);
    const exitCode = world.run('connect');
    await world.printed('to disconnect it');
    assert.match(world.out(), /^connected as demo-player, connection c1\n/);
    assert.match(world.out(), /npx --no respark disconnect --game Demo --stage Dev --player demo-player\n$/);
    assert.deepEqual(frames[0], { kind: 'hello', gameKey: 'demo-key', token: 'demo-token' });
    world.signal('SIGINT');
    assert.equal(await exitCode, 0);
    assert.match(world.out(), /player demo-player\nclosed: 1000 normal: closed by this client\n$/);
    assert.equal(world.handlers(), 0);
    assert.equal(world.err(), '');
  });

  it('says that the server cannot be reached, not that a connection was closed, and exits with 1', async (t) => {
    const { url } = await startGateway(t);
    const gone = url.replace(/\d+\/connect$/, '1/connect');
    const world = createLocalWorld(gone);
    assert.equal(await world.run('connect', '--once'), 1);
    assert.equal(world.out(), '');
    assert.match(
      world.err(),
      /^cannot reach ws:\/\/127\.0\.0\.1:1\/connect: .*ECONNREFUSED.*; is the server running \("respark serve"\)\?\n$/,
    );
  });

  it('does not show the password in the URL of a server that cannot be reached', async () => {
    const world = createTestWorld();
    const url = 'ws://me:pw@127.0.0.1:1';
    assert.equal(await world.run('connect', '--url', url, '--game-key', 'a-game-key', '--once'), 1);
    assert.match(world.err(), /^cannot reach ws:\/\/…@127\.0\.0\.1:1: /);
  });

  for (const [status, answer, told] of [
    [403, 'the proxy must say it\u001b[2J', '403 Forbidden: the proxy must say it\\u{1b}[2J'],
    [400, 'the subprotocol is missing', '400 Bad Request: the subprotocol is missing'],
    [404, 'players connect at /connect', '404 Not Found: players connect at /connect; /connect is added only to a URL'],
    [
      301,
      '',
      '301 Moved Permanently; /connect is added only to a URL without a path: does its path end with /connect?',
    ],
    [405, '<html>', '405 Method Not Allowed'],
  ] as const) {
    it(`tells how the server refused the handshake with ${status}, and does not try again`, async (t) => {
      const { url, requests } = await startRefusing(t, status, answer);
      const world = createLocalWorld(url);
      assert.equal(await world.run('connect'), 1);
      assert.equal(world.out(), '');
      const [line = '', ...more] = world.err().split('\n');
      assert(line.startsWith(`cannot connect to ${url}: ${told}`), line);
      assert.deepEqual(more, ['']);
      assert.doesNotMatch(line, /is the server running|<html>/);
      assert.equal(requests(), 1);
      const json = createLocalWorld(url);
      assert.equal(await json.run('connect', '--json'), 1);
      const { event, reason, reconnectInMs } = JSON.parse(json.out());
      assert.deepEqual([event, reconnectInMs], ['disconnect', undefined]);
      assert(line.includes(reason), reason);
    });
  }

  it('tries again when the server or a proxy refuses the handshake for now', async (t) => {
    for (const status of [429, 502, 503]) {
      const { url } = await startRefusing(t, status, 'not now');
      const world = createLocalWorld(url);
      const exitCode = world.run('connect');
      await world.printed(`not now\n  reconnecting in `);
      world.signal('SIGINT');
      assert.equal(await exitCode, 0);
      assert(world.out().startsWith(`cannot connect to ${url}: ${status} `), world.out());
    }
  });

  it('says why the server closed the connection, and exits with 1 when that is for good', async (t) => {
    const { url, sockets } = await startGateway(t);
    const world = createLocalWorld(url);
    const exitCode = world.run('connect');
    await world.printed('to disconnect it');
    sockets[0]?.close(4500, 'misbehaved; requestId=r-1');
    assert.equal(await exitCode, 1);
    assert.match(
      world.out(),
      /\nclosed: 4500 disconnected: The operator disconnected this player\.\n {2}reason: misbehaved\n {2}by the call with the request id r-1\n$/,
    );
    assert.equal(world.err(), 'the connection was closed for good (4500)\n');
  });

  for (const [told, text] of [
    ['as its message', 'Be fair'],
    ['in the farewell alone', 'The player is blocked.'],
  ] as const) {
    it(`says the code of the reason, and what the player is told ${told}`, async (t) => {
      const { url, sockets, send } = await startGateway(t);
      const world = createLocalWorld(url);
      const exitCode = world.run('connect');
      await world.printed('to disconnect it');
      send({ kind: 'notification', type: 'Respark.Farewell', payload: { reason: 'CHEATING', message: 'Be fair' } });
      sockets[0]?.close(4510, `${text}; requestId=r-1`);
      assert.equal(await exitCode, 1);
      assert.match(
        world.out(),
        /\nclosed: 4510 blocked: .*\n {2}reason: CHEATING\n {2}message: Be fair\n {2}by the call/,
      );
    });
  }

  it('says until when a block lasts, if that is a time', async (t) => {
    for (const [until, line] of [
      [Date.UTC(2030, 0, 2, 3, 4, 5), ' {2}until 2030-01-02T03:04:05\\.000Z\n'],
      [9_007_199_254_740_991, ''],
    ] as const) {
      const { url, sockets } = await startGateway(t);
      const world = createLocalWorld(url);
      const exitCode = world.run('connect');
      await world.printed('to disconnect it');
      sockets[0]?.close(4510, `See you; requestId=r-1; until=${until}`);
      assert.equal(await exitCode, 1);
      const expected = `\nclosed: 4510 blocked: .*\n {2}reason: See you\n${line} {2}by the call with the request id r-1\n$`;
      assert.match(world.out(), new RegExp(expected));
    }
  });

  it('prints nothing of an error that a terminal would act on', async (t) => {
    const { url, send } = await startGateway(t);
    const world = createTestWorld();
    const exit = world.run('connect', '--guest', '--game-key', 'k', '--url', url);
    await world.printed('connected as');
    send({ kind: 'error', code: '\u001b[2J', message: 'see\u001b]0;x\u0007' });
    await world.printed('see');
    world.signal('SIGINT');
    assert.equal(await exit, 0);
    assert.match(world.out(), /^error \\u\{1b\}\[2J: see\\u\{1b\}\]0;x\\u\{7\}$/m);
  });

  it('says how to go on when the token of the demo player is refused', async (t) => {
    const { url, sockets } = await startGateway(t);
    const world = createLocalWorld(url);
    const exitCode = world.run('connect');
    await world.printed('to disconnect it');
    sockets[0]?.close(4503, 'the token was revoked');
    assert.equal(await exitCode, 1);
    assert.match(
      world.err(),
      /closed for good \(4503\); "respark serve --demo" gives .* new token .*, and --guest connects/,
    );
  });

  it('says a long wait in seconds', async (t) => {
    const { url, sockets } = await startGateway(t);
    const world = createLocalWorld(url);
    const exitCode = world.run('connect');
    await world.printed('to disconnect it');
    sockets[0]?.close(4000, 'the stage is closed; retryAfterMs=600000');
    await world.printed('  reconnecting in ');
    assert.match(world.out(), /reconnecting in \d{3} s$/m);
    world.signal('SIGTERM');
    assert.equal(await exitCode, 0);
  });

  it('reconnects when the close allows it', async (t) => {
    const { url, sockets } = await startGateway(t);
    const world = createLocalWorld(url);
    const exitCode = world.run('connect');
    await world.printed('to disconnect it');
    sockets[0]?.close(4000, 'draining');
    await world.printed('  reconnecting in ');
    world.signal('SIGTERM');
    assert.equal(await exitCode, 0);
  });

  it('exits at the first close with --once', async (t) => {
    const { url, sockets } = await startGateway(t);
    const world = createLocalWorld(url);
    const exitCode = world.run('connect', '--once');
    await world.printed('to disconnect it');
    sockets[0]?.close(4000, 'The server sent the player away for now, connect again.');
    assert.equal(await exitCode, 1);
    assert.match(world.out(), /\nclosed: 4000 draining: The server sent the player away for now; connect again\.\n$/);
  });

  it('sends the messages typed on stdin and prints those that arrive', async (t) => {
    const { url, frames, send } = await startGateway(t);
    const world = createLocalWorld(url);
    const exitCode = world.run('connect');
    await world.printed('to disconnect it');
    send({ kind: 'notification', type: 'Custom.Game.Hello', payload: { from: '\u001b[2J' } });
    await world.printed('notification Custom.Game.Hello {"from":"\\u001b[2J"}\n');
    world.stdin.write('request Custom.Game.Echo {"n": 1}\n');
    await world.printed('response Custom.Game.Echo {"n":1}\n');
    for (const line of ['hello', 'request Custom.Game.Echo {', 'event Custom.Game.Echo []']) {
      world.stdin.write(`${line}\n`);
    }
    await world.printed('error usage: a line must be "request TYPE JSON" or "event TYPE JSON"\n');
    await world.printed('error usage: the payload must be a JSON object, such as {"n": 1}\n'.repeat(2));
    world.stdin.end('event Custom.Game.Jumped\n request Custom.Game.Last\n');
    await world.printed('response Custom.Game.Last {}\n');
    assert.ok(frames.some((frame) => frame.kind === 'event' && frame.type === 'Custom.Game.Jumped'));
    world.signal('SIGINT');
    assert.equal(await exitCode, 0);
  });

  it('prints one JSON object per line for scripts', async (t) => {
    const { url, sockets } = await startGateway(t);
    const world = createLocalWorld(url);
    const exitCode = world.run('connect', '--json');
    await world.printed('welcome');
    sockets[0]?.close(4500, 'gone');
    await exitCode;
    const [welcome, disconnect, ...more] = world
      .out()
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    assert.deepEqual(welcome, { event: 'welcome', playerId: 'demo-player', connectionId: 'c1' });
    assert.deepEqual(disconnect, {
      event: 'disconnect',
      closeCode: 4500,
      name: 'disconnected',
      reason: 'gone',
      verdict: 'stop',
    });
    assert.deepEqual(more, []);
  });

  it('prints JSON without characters that a terminal would act on, and that is the same', async (t) => {
    const { url, send } = await startGateway(t);
    const world = createLocalWorld(url);
    const exitCode = world.run('connect', '--json');
    await world.printed('welcome');
    const payload = { from: '\u009b2J\u202egpj\u2066\u2028' };
    send({ kind: 'notification', type: 'Custom.Game.Hello', payload });
    await world.printed('\n{"event":"notification"');
    world.signal('SIGINT');
    assert.equal(await exitCode, 0);
    const line = world.out().split('\n')[1] ?? '';
    assert.match(line, /"\\u009b2J\\u202egpj\\u2066\\u2028"/);
    assert.deepEqual(JSON.parse(line), { event: 'notification', type: 'Custom.Game.Hello', payload });
  });

  it('connects a guest to any stage, and keeps the token in a private file when one is named', async (t) => {
    const directory = mkdtempSync(join(tmpdir(), 'respark-connect-'));
    t.after(() => rmSync(directory, { recursive: true }));
    const path = join(directory, 'player');
    const { url, frames } = await startGateway(t);
    for (const [round, token] of [undefined, 'renewed'].entries()) {
      const world = createTestWorld();
      const exitCode = world.run('connect', '--url', url, '--game-key', 'other', '--token-file', path);
      await world.printed('--game GAME --stage STAGE');
      world.stdin.write('request Custom.Game.Echo\n');
      await world.printed('response');
      world.signal('SIGINT');
      assert.equal(await exitCode, 0);
      const hellos = frames.filter((frame) => frame.kind === 'hello');
      assert.deepEqual(hellos[round], { kind: 'hello', gameKey: 'other', ...(token === undefined ? {} : { token }) });
      assert.ok(existsSync(path));
    }
    assert.equal(readFileSync(path, 'utf8'), 'renewed\n');
    assert.equal(statSync(path).mode & 0o777, 0o600);
  });

  it('connects a guest to the demo game with --guest', async (t) => {
    const { url, frames } = await startGateway(t);
    const world = createLocalWorld(url);
    const exitCode = world.run('connect', '--guest');
    await world.printed('--player guest-1');
    assert.deepEqual(frames[0], { kind: 'hello', gameKey: 'demo-key' });
    world.signal('SIGINT');
    await exitCode;
  });

  it('shows the token of the local demo player to no other server', async (t) => {
    const { url, frames } = await startGateway(t);
    const elsewhere = createLocalWorld('ws://127.0.0.1:1/connect');
    assert.equal(await elsewhere.run('connect', '--url', url), 2);
    assert.match(elsewhere.err(), /^--url names a server other than the local one .*--game-key\n$/);
    for (const [playerUrl, token] of [
      ['ws://127.0.0.1:1/connect', undefined],
      [url, 'demo-token'],
    ] as const) {
      const world = createLocalWorld(playerUrl);
      const exitCode = world.run('connect', '--url', url, '--game-key', 'demo-key');
      await world.printed('to disconnect it');
      const hello = frames.findLast((frame) => frame.kind === 'hello');
      assert.deepEqual(hello, { kind: 'hello', gameKey: 'demo-key', ...(token === undefined ? {} : { token }) });
      world.signal('SIGINT');
      await exitCode;
    }
  });

  it('comes back to no other program that listens where its server was, but to the server', async (t) => {
    const { url, frames, sockets } = await startGateway(t);
    const local = { playerUrl: url, demo: DEMO };
    const world = createTestWorld({ local });
    const exitCode = world.run('connect');
    await world.printed('to disconnect it');
    local.playerUrl = 'ws://127.0.0.1:1/connect';
    sockets[0]?.terminate();
    await world.printed('the server is at ws://127.0.0.1:1/connect by now');
    assert.equal(frames.filter(({ kind }) => kind === 'hello').length, 1);
    local.playerUrl = url;
    while (world.out().split('connected as').length < 3) await new Promise(setImmediate);
    world.signal('SIGINT');
    assert.equal(await exitCode, 0);
  });

  it('says what to do without a demo game', async () => {
    const world = createTestWorld();
    assert.equal(await world.run('connect'), 1);
    const directory = resolve('respark-data');
    assert(world.err().startsWith(`there is no demo game in the data directory ${directory}; start a server there`));
  });

  it('says that a token file already makes a guest', async () => {
    const world = createTestWorld();
    assert.equal(await world.run('connect', '--guest', '--token-file', 'me'), 2);
    assert.match(world.err(), /^--token-file alone already makes a new guest the first time, .*leave --guest out\n$/);
  });

  it('refuses an address that is not a URL of a WebSocket, with 2', async () => {
    const world = createTestWorld();
    assert.equal(await world.run('connect', '--url', 'ftp://x', '--game-key', 'k'), 2);
    assert.match(world.err(), /url must begin with ws/);
  });
});

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { SignJWT } from 'jose';
import { WebSocket, WebSocketServer } from 'ws';
import { checkBar } from './bar.ts';
import { runBench } from './bench.ts';
import { findMissingBackend } from './cluster/backends.ts';
import { CONTESTANT_NAMES, CONTESTANTS } from './contestants.ts';
import { LoadGenerator } from './load/generator.ts';
import { majorOf, OWN_NODE } from './node-binary.ts';
import { report } from './report.ts';
import { ownServer, temporaryDirectory } from './running-contestant.ts';
import { QUICK } from './scenarios/scenario.ts';
import { startServerProcess } from './server-process.ts';
import { median, quantile } from './statistics.ts';

/** Seen from bench/dist/src. In CI their absence is a failure. */
const hasPeers = ['../../node_modules', './peers'].every((path) => existsSync(new URL(path, import.meta.url)));
const skip = !hasPeers && process.env.CI !== 'true' && 'the peers are not there: npm run bench -- --quick';

test('every contestant closes only the sockets of the player that a call names', { skip }, async () => {
  const results = await runBench({
    scenarios: ['disconnect'],
    scale: { ...QUICK, warmUpConnections: 30, connections: 60, calls: 10 },
    isQuick: true,
    rounds: 1,
    nodes: [OWN_NODE],
    onProgress: () => {},
  });
  assert.deepEqual(
    results.measurements.map(({ contestant }) => contestant),
    // Colyseus 0.18 needs a newer Node.js than we do.
    CONTESTANT_NAMES.filter((name) => name !== 'colyseus-018' || majorOf(OWN_NODE) >= 22).filter(
      (name) => !['fewer-threads', 'fresh'].includes(CONTESTANTS[name].kind),
    ),
  );
  for (const { figures } of results.measurements) {
    assert.equal(Object.keys(figures).length, 24);
    for (const [figure, value] of Object.entries(figures)) assert(Number.isFinite(value), `${figure} is ${value}`);
  }
  assert.equal(checkBar(results, process.version).filter(({ value }) => value !== undefined).length, 8);
  assert.match(report(results), /\| 200 calls\/s: call p50, ms \|( [\d.,]+ \|){8,9}( [\d.]+x \|){3}\n/);
});

const noCluster = skip || ((await findMissingBackend()) ?? false);

test('every cluster closes the sockets of a player who is on another node than the one that is called', {
  skip: noCluster,
}, async () => {
  const results = await runBench({
    scenarios: ['cluster-disconnect'],
    scale: { ...QUICK, warmUpConnections: 30, clusterCalls: 10, clusterSizes: [2] },
    isQuick: true,
    rounds: 1,
    nodes: [OWN_NODE],
    onProgress: () => {},
  });
  const commands = Object.fromEntries(
    results.measurements.map(({ contestant, figures }) => [contestant, figures['2 nodes: commands to Redis a call']]),
  );
  assert.deepEqual(
    Object.keys(commands),
    CONTESTANT_NAMES.filter((name) => 'startCluster' in CONTESTANTS[name]),
  );
  // A list, a request, one end of all three connections, and an acknowledgement; renewals may come between them.
  assert.equal(Math.floor(commands.respark ?? 0), 4);
  assert.equal(Math.floor(commands['socket.io'] ?? 0), 1);
  for (const { figures } of results.measurements) {
    for (const [figure, value] of Object.entries(figures)) assert(Number.isFinite(value), `${figure} is ${value}`);
  }
  assert.match(report(results), /\| 2 nodes, one at a time: last socket closed p50, to the better bare peer \|/);
});

for (const peer of ['socket-io', 'colyseus']) {
  test(`guarded, ${peer} records what a caller with a token does, and refuses others`, { skip }, async (t) => {
    const directory = temporaryDirectory();
    const auditFile = join(directory.path, 'audit.jsonl');
    const secret = 'what-only-the-server-and-the-callers-know';
    const options = { ...ownServer(OWN_NODE, `peers/${peer}`), args: [auditFile, secret], release: directory.remove };
    const server = await startServerProcess(options);
    t.after(() => server.stop());
    const disconnect = async (key: string, audience: string, lifetime: string) => {
      const claims = new SignJWT().setProtectedHeader({ alg: 'HS256' }).setSubject('me').setAudience(audience);
      const token = await claims.setExpirationTime(lifetime).sign(new TextEncoder().encode(key));
      const url = `http://127.0.0.1:${server.port}/player/a`;
      return await fetch(url, { method: 'POST', headers: { authorization: `Bearer ${token}` } });
    };
    assert.equal((await disconnect('a-secret-that-somebody-has-guessed', 'disconnect', '1 hour')).status, 401);
    assert.equal((await disconnect(secret, 'another', '1 hour')).status, 401);
    assert.equal((await disconnect(secret, 'disconnect', '-1 hour')).status, 401);
    assert.equal(readFileSync(auditFile, 'utf8'), '');

    const response = await disconnect(secret, 'disconnect', '1 hour');
    assert.deepEqual(await response.json(), { DisconnectSuccesses: [], DisconnectFailures: [] });
    const records = readFileSync(auditFile, 'utf8')
      .trimEnd()
      .split('\n')
      .map((line) => ({ ...JSON.parse(line), at: undefined }));
    const call = { at: undefined, caller: 'me', operation: 'disconnect', playerId: 'a' };
    assert.deepEqual(records, [call, { ...call, disconnected: [] }]);
  });
}

test('[ws] the floor with an own codec speaks the protocol of WebSockets', async (t) => {
  const server = await startServerProcess(ownServer(OWN_NODE, 'servers/floor-own-codec'));
  t.after(() => server.stop());
  const client = new WebSocket(`ws://127.0.0.1:${server.port}/?player=a`);
  await once(client, 'open');
  for (const text of ['short', 'x'.repeat(300), 'y'.repeat(65_535)]) {
    client.send(text);
    assert.equal(String((await once(client, 'message'))[0]), text);
  }
  client.ping('alive');
  assert.equal(String((await once(client, 'pong'))[0]), 'alive');
  const response = await fetch(`http://127.0.0.1:${server.port}/player/a`, { method: 'POST' });
  assert.equal(((await response.json()) as { DisconnectSuccesses: string[] }).DisconnectSuccesses.length, 1);
  const [code, reason] = await once(client, 'close');
  assert.deepEqual([code, String(reason)], [4500, 'disconnected']);
});

/** A server that speaks the floor's dialect, and does what the test says when it is to disconnect a player. */
async function startServer(
  t: TestContext,
  disconnect: (asked: WebSocket[], others: WebSocket[]) => string[],
  { isConfirmed = true } = {},
) {
  const sockets: { playerId: string; ws: WebSocket }[] = [];
  const server = createServer((request, response) => {
    const isAsked = ({ playerId }: { playerId: string }) => request.url === `/player/${playerId}`;
    const asked = sockets.filter(isAsked).map(({ ws }) => ws);
    const others = sockets.filter((socket) => !isAsked(socket)).map(({ ws }) => ws);
    const body = JSON.stringify({ DisconnectSuccesses: disconnect(asked, others), DisconnectFailures: [] });
    response.writeHead(200, { 'content-length': body.length }).end(body);
  });
  new WebSocketServer({ server }).on('connection', (ws, request) => {
    sockets.push({ playerId: (request.url ?? '').slice('/?player='.length), ws });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  let connections = 0;
  server.on('connection', () => {
    connections += 1;
  });
  const generator = new LoadGenerator({ port, dialect: 'floor', isConfirmed });
  t.after(async () => {
    await generator.leave();
    server.closeAllConnections();
    server.close();
  });
  const seeds = ['a', 'b'].map((playerId) => ({ playerId, hello: '' }));
  await generator.connect({ seeds, perPlayer: 2, atOnce: 4 });
  const request = `POST /player/a HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nContent-Length: 0\r\n\r\n`;
  return {
    call: () => generator.disconnect({ calls: [{ playerId: 'a', request }], pacing: { atOnce: 1 } }),
    openCallers: (count: number) =>
      generator.openCallers({ count, request: request.replace('/player/a', '/player/nobody') }),
    connections: () => connections,
  };
}

function closed(sockets: readonly WebSocket[], code = 4500): string[] {
  for (const ws of sockets) ws.close(code);
  return sockets.map((_, index) => String(index));
}

test('an honest server is measured', async (t) => {
  const { call } = await startServer(t, (asked) => closed(asked));
  const { callMs, closedMs } = await call();
  assert.equal(callMs.length, 1);
  assert.equal(closedMs.length, 1);
});

test('where answers confirm nothing, a server may close sockets after its answer, but only those of the player', async (t) => {
  const later = (sockets: WebSocket[]) => {
    setImmediate(() => closed(sockets));
    return [];
  };
  const { call } = await startServer(t, later, { isConfirmed: false });
  const { callMs, closedMs } = await call();
  assert.equal(callMs.length, 1);
  assert.equal(closedMs.length, 1);

  const liar = await startServer(t, (asked, others) => later([...asked, ...others]), { isConfirmed: false });
  await assert.rejects(liar.call, { message: /0 sockets are open, but 2 should be/ });
});

test('a call that is measured finds its connection open', async (t) => {
  const { call, openCallers, connections } = await startServer(t, (asked) => closed(asked));
  const webSockets = connections();
  await openCallers(3);
  assert.equal(connections() - webSockets, 3);
  await call();
  assert.equal(connections() - webSockets, 3);
});

for (const { lie, disconnect, complaint } of [
  {
    lie: 'closes fewer sockets than it says',
    disconnect: (asked: WebSocket[]) => [...closed(asked.slice(1)), 'another'],
    complaint: /1 sockets of a were not closed/,
  },
  {
    lie: 'names fewer sockets than it closes',
    disconnect: (asked: WebSocket[]) => closed(asked).slice(1),
    complaint: /was answered with 200/,
  },
  {
    lie: 'also closes the sockets of another player',
    disconnect: (asked: WebSocket[], others: WebSocket[]) => {
      closed(others);
      return closed(asked);
    },
    complaint: /0 sockets are open, but 2 should be/,
  },
  {
    lie: 'closes with another code',
    disconnect: (asked: WebSocket[]) => closed(asked, 1000),
    complaint: /closed with 1000, not 4500/,
  },
]) {
  test(`a server that ${lie} is not measured`, async (t) => {
    const { call } = await startServer(t, disconnect);
    await assert.rejects(call, { message: complaint });
  });
}

test('a quantile is one of the values, and a median lies in the middle', () => {
  assert.equal(quantile([5, 1, 4, 2, 3], 0.5), 3);
  assert.equal(quantile([5, 1, 4, 2, 3], 0.99), 5);
  assert.equal(median([4, 1, 2, 3]), 2.5);
  assert.equal(median([3, 1, 2]), 2);
  assert.throws(() => median([]), RangeError);
});

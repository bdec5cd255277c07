import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { type IncomingMessage, type OutgoingHttpHeaders, request } from 'node:http';
import { connect as connectTcp } from 'node:net';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { CONNECT_PATH, parseCloseReason, SUBPROTOCOL } from '@respark/protocol';
import { WebSocket } from 'ws';
import { closeOf, from, helloOf, leave, testBound, testBoundInTime } from '../support/bound.ts';
import { assertNothingLeft, startTestServer, type TestServer, until } from '../support/server.ts';

const PAGE = 'https://game.example';

interface Refused {
  readonly status: number | undefined;
  readonly retryAfter: string | undefined;
  readonly says: string;
}

/** What the server answers instead of an upgrade. */
async function refusalOf(
  server: TestServer,
  {
    path = CONNECT_PATH,
    headers,
    ...options
  }: { path?: string; headers?: OutgoingHttpHeaders; localAddress?: string } = {},
): Promise<Refused> {
  const call = request(new URL(path, server.playerUrl.replace(/^ws/, 'http')), {
    ...options,
    headers: {
      connection: 'Upgrade',
      upgrade: 'websocket',
      'sec-websocket-version': '13',
      'sec-websocket-key': randomBytes(16).toString('base64'),
      'sec-websocket-protocol': SUBPROTOCOL,
      ...from('198.51.100.77').headers,
      ...headers,
    },
  });
  call.end();
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    call.once('response', resolve).once('error', reject);
    call.once('upgrade', (_, socket) => {
      socket.destroy();
      reject(new Error('it was let in'));
    });
  });
  return {
    status: response.statusCode,
    retryAfter: response.headers['retry-after'],
    says: await text(response),
  };
}

async function assertLeaves(server: TestServer, count: number): Promise<void> {
  await until(
    () => server.counts().sockets === count,
    () => server.counts(),
  );
}

testBound('an upgrade that is not for players is refused over HTTP', {}, async (server) => {
  const elsewhere = await refusalOf(server, { path: '/elsewhere' });
  assert.deepEqual(elsewhere, { status: 404, retryAfter: undefined, says: 'players connect at /connect' });
  for (const offered of ['', 'respark.v2', 'Respark.V1']) {
    const { status, says } = await refusalOf(server, { headers: { 'sec-websocket-protocol': offered } });
    assert.deepEqual({ status, says }, { status: 400, says: 'the subprotocol respark.v1 is missing' });
  }
  for (const headers of [
    { 'sec-websocket-version': '7' },
    { 'sec-websocket-key': 'short' },
    { 'sec-websocket-protocol': `${SUBPROTOCOL}, ,` },
  ]) {
    assert.equal((await refusalOf(server, { headers })).status, 400, JSON.stringify(headers));
  }
  assert.equal((await refusalOf(server, { headers: { upgrade: 'h2c' } })).status, 426);
  const ws = new WebSocket(server.playerUrl, ['respark.v2', SUBPROTOCOL], from('198.51.100.77'));
  await once(ws, 'open');
  assert.equal(ws.protocol, SUBPROTOCOL);
  await leave(ws);
});

test('[ws] /connect without an upgrade says what is needed, on a listener for players alone too', async (t) => {
  for (const settings of [{}, { playerPort: 0 }]) {
    const server = await startTestServer(t, { settings });
    const url = new URL(server.playerUrl.replace(/^ws/, 'http'));
    const response = await fetch(url);
    assert.equal(response.status, 426);
    assert.equal(response.headers.get('upgrade'), 'websocket');
    assert.match(await response.text(), /WebSocket/);
    assert.notEqual((await fetch(new URL('/elsewhere', url))).status, 426);
  }
});

test('[ws] a node that is draining refuses with 503 who was on the way', async (t) => {
  const server = await startTestServer(t);
  const { hostname, port } = new URL(server.playerUrl);
  const socket = connectTcp({ host: hostname, port: Number(port) });
  t.after(() => socket.destroy());
  const host = `Host: ${hostname}\r\n`;
  // The answer to the first request shows that the beginning of the second one has arrived.
  socket.write(`GET / HTTP/1.1\r\n${host}\r\nGET ${CONNECT_PATH} HTTP/1.1\r\n${host}`);
  await once(socket, 'data');
  await server.drain();
  let answer = '';
  socket.on('data', (chunk) => {
    answer += String(chunk);
  });
  socket.write(`Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Protocol: ${SUBPROTOCOL}\r\n\r\n`);
  await once(socket, 'end');
  assert.match(answer, /HTTP\/1\.1 503 Service Unavailable\r\n/);
  assert.match(answer, /\r\nRetry-After: 5\r\n\r\nthis node is shutting down$/);
});

testBound(
  'a player with all their connections gets no other until one ends',
  { maxConnectionsPerPlayer: 2 },
  async (server) => {
    const first = await server.connect();
    const token = await first.token();
    const second = await server.connect({ token });
    await assert.rejects(server.connect({ token }), /closed with 4506 The player has too many connections\./);
    await leave(second);
    await until(() => server.counts().directory === 2);
    const third = await server.connect({ token });
    await leave(first, third);
  },
);

testBound(
  'an address with all its connections gets no other until one ends',
  { maxConnectionsPerAddress: 2 },
  async (server) => {
    const address = from('198.51.100.1');
    const players = [await server.connect({}, address), await server.connect({}, address)];
    const [first, second] = players;
    assert(first && second);
    const { code, reason } = await closeOf(await server.open(address));
    assert.equal(code, 4004);
    const text = 'this address has reached its connection limit';
    assert.deepEqual(parseCloseReason(reason), { text, retryAfterMs: 5_000 });
    const elsewhere = await server.connect({}, from('198.51.100.2'));
    await leave(second);
    await assertLeaves(server, 3);
    const third = await server.connect({}, address);
    await leave(first, third, elsewhere);
  },
);

testBound('a node with all its connections takes no other until one ends', { maxConnections: 3 }, async (server) => {
  const players = [await server.connect(), await server.connect()];
  const { code, reason } = await closeOf(await server.open(from('198.51.100.2')));
  assert.equal(code, 4004);
  const text = 'this node has reached its connection limit';
  assert.deepEqual(parseCloseReason(reason), { text, retryAfterMs: 5_000 });
  await leave(...players);
  await assertLeaves(server, 1);
  await leave(await server.connect());
});

testBound(
  'sockets without a welcome are few, from an address and in all',
  { maxUnauthenticatedPerAddress: 2, maxUnauthenticated: 3 },
  async (server) => {
    const greedy = from('198.51.100.1');
    const first = await server.open(greedy);
    const second = await server.open(greedy);
    for (let more = 0; more < 10; more += 1) {
      const refusal = await refusalOf(server, greedy);
      const says = 'this address has too many sockets that have not been welcomed yet';
      assert.deepEqual(refusal, { status: 429, retryAfter: '5', says });
    }
    // Everybody else gets in.
    const other = await server.connect({}, from('198.51.100.2'));
    const waiting = await server.open(from('198.51.100.3'));
    // One more takes the place of the one that has waited longest.
    const gone = closeOf(first);
    const newest = await server.open(from('198.51.100.4'));
    assert.equal((await gone).code, 1013);
    for (const ws of [second, waiting, newest]) {
      const welcomed = once(ws, 'message');
      ws.send(helloOf(server));
      await welcomed;
    }
    await leave(second, other, waiting, newest);
  },
);

testBoundInTime(
  'handshakes are slowed down, for an address and in all',
  { handshakesPerSecondPerAddress: 2, handshakesPerSecond: 6 },
  async (server, clock) => {
    const greedy = from('198.51.100.1');
    // The node has one less, for the bystander.
    const players = [await server.connect({}, greedy), await server.connect({}, greedy)];
    for (let more = 0; more < 10; more += 1) {
      const refusal = await refusalOf(server, greedy);
      assert.deepEqual(refusal, { status: 429, retryAfter: '1', says: 'this address has too many handshakes at once' });
    }
    for (let other = 2; other <= 4; other += 1) players.push(await server.connect({}, from(`198.51.100.${other}`)));
    const refusal = await refusalOf(server, from('198.51.100.5'));
    assert.deepEqual(refusal, { status: 503, retryAfter: '1', says: 'this node has too many handshakes at once' });
    clock.advance(500);
    players.push(await server.connect({}, greedy));
    await leave(...players);
  },
);

test('[ws] one address cannot use up the node', { skip: process.platform !== 'linux' }, async (t) => {
  const server = await startTestServer(t, {
    settings: {
      maxConnectionsPerAddress: 3,
      maxConnections: 6,
      maxUnauthenticatedPerAddress: 2,
      maxUnauthenticated: 4,
    },
  });
  const greedy = { localAddress: '127.0.0.2' };
  const held = [await server.open(greedy), await server.open(greedy)];
  for (let more = 0; more < 10; more += 1) assert.equal((await refusalOf(server, greedy)).status, 429);
  const players = [];
  for (const localAddress of ['127.0.0.3', '127.0.0.4', '127.0.0.5']) {
    players.push(await server.connect({}, { localAddress }));
  }
  await leave(...held, ...players);
  await assertNothingLeft(server);
});

testBound('all of an IPv6 /64 is one address', { maxConnectionsPerAddress: 1 }, async (server) => {
  const player = await server.connect({}, from('2001:db8:1:2::1'));
  await assert.rejects(server.connect({}, from('2001:db8:1:2:ffff::2')), /closed with 4004 this address/);
  const neighbour = await server.connect({}, from('2001:db8:1:3::1'));
  await leave(player, neighbour);
});

testBound(
  'an IPv6 /56 has twice and a /48 four times the connections of an address',
  { maxConnectionsPerAddress: 1 },
  async (server) => {
    const players = [];
    for (const subnet of ['2', '3', '100', '200']) {
      players.push(await server.connect({}, from(`2001:db8:1:${subnet}::1`)));
      if (subnet !== '3') continue;
      await assert.rejects(server.connect({}, from('2001:db8:1:4::1')), /closed with 4004 this address/);
    }
    await assert.rejects(server.connect({}, from('2001:db8:1:300::1')), /closed with 4004 this address/);
    players.push(await server.connect({}, from('2001:db8:2:1::1')));
    await leave(...players);
  },
);

testBoundInTime(
  'an IPv6 /56 has twice and a /48 four times the handshakes of an address',
  { handshakesPerSecondPerAddress: 1 },
  async (server) => {
    const statuses: unknown[] = [];
    const players = [];
    for (const subnet of ['2', '2', '3', '4', '100', '200', '300']) {
      const address = from(`2001:db8:1:${subnet}::1`);
      const refused = await refusalOf(server, address).catch(() => undefined);
      statuses.push(refused?.status);
    }
    assert.deepEqual(statuses, [undefined, 429, undefined, 429, undefined, undefined, 429]);
    players.push(await server.connect({}, from('2001:db8:2:1::1')));
    await leave(...players);
  },
);

testBound('the last places of a node are for players with a token', { maxConnections: 20 }, async (server) => {
  const first = await server.connect({}, from('198.51.100.1'));
  const token = await first.token();
  const players = [first];
  // The bystander has one of the nineteen for everybody.
  for (let more = 2; more <= 18; more += 1) players.push(await server.connect({}, from(`198.51.100.${more}`)));
  const guest = server.connect({}, from('198.51.100.50'));
  await assert.rejects(guest, /closed with 4004 the last places of this node are for players with a token/);
  await assertLeaves(server, 19);
  players.push(await server.connect({ token }, from('198.51.100.51')));
  await leave(...players);
});

testBound('a full node lets one more in instead of one without a hello', { maxConnections: 3 }, async (server) => {
  const player = await server.connect();
  const silent = await server.open(from('198.51.100.2'));
  const gone = closeOf(silent);
  // An upgrade that takes no place leaves the silent one its own.
  assert.equal((await refusalOf(server, { headers: { 'sec-websocket-key': 'short' } })).status, 400);
  const page = await server.open({ headers: { origin: PAGE, 'x-forwarded-for': '198.51.100.5' } });
  assert.equal((await closeOf(page)).code, 4508);
  assert.equal(silent.readyState, WebSocket.OPEN);
  const newest = await server.connect({}, from('198.51.100.3'));
  const { code, reason } = await gone;
  assert.equal(code, 1013);
  assert.equal(parseCloseReason(reason).retryAfterMs, 5_000);
  assert.equal((await closeOf(await server.open(from('198.51.100.4')))).code, 4004);
  await leave(player, newest);
});

testBound(
  'X-Forwarded-For of a trusted proxy counts, as far as the proxy wrote it',
  { maxConnectionsPerAddress: 1 },
  async (server) => {
    const player = await server.connect({}, from('192.0.2.1, 198.51.100.1'));
    await assert.rejects(server.connect({}, from('192.0.2.2, 198.51.100.1')), /closed with 4004 this address/);
    await leave(player);
  },
);

test('[ws] X-Forwarded-For of anybody else does not count', async (t) => {
  const server = await startTestServer(t, { settings: { maxConnectionsPerAddress: 1 } });
  const player = await server.connect({}, from('198.51.100.1'));
  await assert.rejects(server.connect({}, from('198.51.100.2')), /closed with 4004 this address/);
  await leave(player);
  await assertNothingLeft(server);
});

const ORIGINS = [
  { allowed: [], taken: [undefined], refused: [PAGE, 'null', 'http://localhost'] },
  {
    allowed: [PAGE],
    taken: [undefined, PAGE, 'HTTPS://Game.Example'],
    refused: ['http://game.example', `${PAGE}:8443`, `${PAGE}.evil.example`, 'https://evil.example', 'null', ''],
  },
  {
    allowed: ['https://*.itch.zone'],
    taken: [undefined, 'https://html.itch.zone'],
    refused: ['https://itch.zone', 'https://evilitch.zone'],
  },
  { allowed: ['*'], taken: [undefined, PAGE, 'http://localhost:3000'], refused: ['null'] },
  { allowed: ['null'], taken: [undefined, 'null'], refused: [PAGE] },
  { allowed: ['*', 'null'], taken: [undefined, PAGE, 'null'], refused: [] },
];

for (const { allowed, taken, refused } of ORIGINS) {
  const title = `pages of ${allowed.join(' and ') || 'nobody'} may connect, others are told so`;
  testBound(title, { allowedOrigins: allowed }, async (server) => {
    for (const origin of taken) {
      await leave(await server.connect({}, origin === undefined ? {} : { headers: { origin } }));
    }
    for (const origin of refused) {
      const closed = await closeOf(await server.open({ headers: { origin } }));
      assert.deepEqual(closed, { code: 4508, reason: 'this origin is not allowed' }, `origin ${origin}`);
    }
  });
}

test('[ws] an app that sends the server’s own origin gets in, as React Native does', async (t) => {
  const server = await startTestServer(t);
  const { host, port } = new URL(server.playerUrl);
  await leave(await server.connect({}, { headers: { origin: `http://${host}` } }));
  const headers = { host: `evil.example:${port}`, origin: `http://evil.example:${port}` };
  assert.equal((await closeOf(await server.open({ headers }))).code, 4508);
});

test('[ws] the log says once which origin was refused, and what would let it in', async (t) => {
  const server = await startTestServer(t);
  for (let more = 0; more < 3; more += 1) {
    for (const origin of [PAGE, `https://${'x'.repeat(5_000)}`]) {
      assert.equal((await closeOf(await server.open({ headers: { origin } }))).code, 4508);
    }
  }
  const warnings = server.logged.filter(({ level }) => Number(level) > 30);
  assert.deepEqual(
    warnings.map(({ origin }) => String(origin).length),
    [PAGE.length, 128],
  );
  assert.equal(warnings[0]?.origin, PAGE);
  assert.match(String(warnings[0]?.msg), /add it to RESPARK_ALLOWED_ORIGINS/);
});

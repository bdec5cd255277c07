import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, it, type TestContext } from 'node:test';
import { type FakeReply, startFakeService } from '../../test/support/fake-service.ts';
import { createTestWorld, ROOT } from '../../test/support/world.ts';

const PLAYER = ['--game', 'Demo', '--stage', 'Dev', '--player', 'p1'];

const serveReply = (t: TestContext, reply: FakeReply) => startFakeService(t, () => reply);

describe('disconnect', () => {
  it('signs the call with the local root key and answers in words', async (t) => {
    const { world, requests } = await serveReply(t, {
      body: { DisconnectSuccesses: ['c1', 'c2', 'c3'], DisconnectFailures: [] },
    });
    assert.equal(await world.run('disconnect', ...PLAYER), 0);
    assert.equal(world.out(), 'closed 3 of 3 connections of player p1\n  closed  c1\n  closed  c2\n  closed  c3\n');
    const [request] = requests;
    assert.equal(`${request?.method} ${request?.url}`, 'POST /runtime/game/Demo/stage/Dev/player/p1/disconnect');
    assert.match(
      request?.headers.authorization ?? '',
      /^AWS4-HMAC-SHA256 Credential=AKIAROOT\/\d{8}\/us-east-1\/gamesparks\/aws4_request, /,
    );
  });

  it('exits with 1 when a connection could not be proven closed', async (t) => {
    const { world } = await serveReply(t, { body: { DisconnectSuccesses: ['c1'], DisconnectFailures: ['c2'] } });
    assert.equal(await world.run('disconnect', ...PLAYER), 1);
    assert.equal(world.out(), 'closed 1 of 2 connections of player p1\n  closed  c1\n  failed  c2\n');
    assert.match(world.err(), /^1 connection could not be proven closed/);
  });

  it('exits with 0 when there is no connection', async (t) => {
    const { world } = await serveReply(t, { body: { DisconnectSuccesses: [], DisconnectFailures: [] } });
    assert.equal(await world.run('disconnect', ...PLAYER), 0);
    assert.equal(world.out(), 'player p1 has no connections\n');
  });

  it('prints the reply itself as JSON', async (t) => {
    const body = { DisconnectSuccesses: ['c1'], DisconnectFailures: [] };
    const { world } = await serveReply(t, { body });
    await world.run('disconnect', ...PLAYER, '--json');
    assert.deepEqual(JSON.parse(world.out()), body);
  });

  it('refuses impossible names with 2, before it calls', async (t) => {
    const { world, requests } = await serveReply(t, { body: {} });
    assert.equal(await world.run('disconnect', '--game', 'a/b', '--stage', 'Dev', '--player', '..'), 2);
    const [heading, ...faults] = world.err().split('\n');
    assert.match(heading ?? '', /^DisconnectPlayer cannot be called with this input/);
    assert.match(faults.join(), /'a\/b' at 'gameName' failed to satisfy constraint: .*'\.\.' at 'playerId'/);
    assert.deepEqual(requests, []);
  });

  it('repeats the server’s message when it refuses', async (t) => {
    const { world } = await serveReply(t, {
      status: 404,
      headers: { 'x-amzn-errortype': 'ResourceNotFoundException', 'x-amzn-requestid': 'r-1' },
      body: { Message: 'there is no stage Dev in game Demo' },
    });
    assert.equal(await world.run('disconnect', ...PLAYER), 1);
    assert.equal(
      world.err(),
      'ResourceNotFoundException: there is no stage Dev in game Demo (status 404, request id r-1)\n',
    );
    assert.equal(world.out(), '');
  });

  it('lets no reply control the terminal', async (t) => {
    const hostile = '\u001b[2J\u009b\u202e\u2066\n';
    const shown = '\\u{1b}[2J\\u{9b}\\u{202e}\\u{2066}\\u{a}';
    const refusal = await serveReply(t, {
      status: 400,
      headers: { 'x-amzn-errortype': 'ValidationException\u009b', 'x-amzn-requestid': 'r-1' },
      body: { Message: hostile },
    });
    assert.equal(await refusal.world.run('disconnect', ...PLAYER), 1);
    assert.equal(refusal.world.err(), `ValidationException\\u{9b}: ${shown} (status 400, request id r-1)\n`);

    const answer = await serveReply(t, {
      body: { DisconnectSuccesses: [hostile], DisconnectFailures: [], Connections: [{ Id: hostile, Created: 'now' }] },
    });
    assert.equal(await answer.world.run('disconnect', ...PLAYER), 0);
    assert.equal(await answer.world.run('connections', ...PLAYER), 0);
    assert.equal(answer.world.out().split(shown).length, 3);
    assert.doesNotMatch(answer.world.out(), /(?!\n)[\p{Cc}\p{Cf}]/u);
  });

  for (const [what, reply] of [
    ['another service', { status: 502, body: '<html>Bad Gateway</html>' }],
    ['a reply without the lists', { body: {} }],
    ['a reply that is not an object', { body: 'null' }],
  ] as const) {
    it(`treats ${what} as a failure, never as an empty success`, async (t) => {
      const { world } = await serveReply(t, reply);
      assert.equal(await world.run('disconnect', ...PLAYER), 1);
      assert.equal(world.out(), '');
      assert.match(world.err(), /Respark server/);
    });
  }

  it('says that the server may not be running when the connection is refused', async () => {
    const gone = createServer().listen(0, '127.0.0.1');
    await once(gone, 'listening');
    const url = `http://127.0.0.1:${(gone.address() as AddressInfo).port}`;
    gone.close();
    await once(gone, 'close');
    const world = createTestWorld({ env: { AWS_ACCESS_KEY_ID: 'A', AWS_SECRET_ACCESS_KEY: 'S' } });
    assert.equal(await world.run('disconnect', ...PLAYER, '--endpoint-url', url), 1);
    assert.match(world.err(), /^cannot reach http:\S+: connection refused; is the server running/);
  });

  it('says that a server speaks no TLS instead of what OpenSSL says', async (t) => {
    const plain = createServer((_, response) => response.end()).listen(0, '127.0.0.1');
    t.after(() => plain.close());
    await once(plain, 'listening');
    const url = `https://127.0.0.1:${(plain.address() as AddressInfo).port}`;
    const world = createTestWorld({ env: { AWS_ACCESS_KEY_ID: 'A', AWS_SECRET_ACCESS_KEY: 'S' } });
    assert.equal(await world.run('disconnect', ...PLAYER, '--endpoint-url', url), 1);
    assert.equal(world.err(), `cannot reach ${url}: what answers there speaks no TLS: call it by http or ws\n`);
  });

  for (const [set, missing] of [
    ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY'],
    ['AWS_SECRET_ACCESS_KEY', 'AWS_ACCESS_KEY_ID'],
  ] as const) {
    it(`does not act as the root key where ${set} is set alone`, async (t) => {
      const { url, requests } = await startFakeService(t, () => ({ body: {} }));
      const settings = { RESPARK_ROOT_ACCESS_KEY_ID: 'AKIAROOT', RESPARK_ROOT_SECRET_ACCESS_KEY: 'x'.repeat(40) };
      const world = createTestWorld({ env: { ...settings, AWS_ENDPOINT_URL: url, [set]: 'MINE' } });
      assert.equal(await world.run('disconnect', ...PLAYER), 2);
      assert.equal(
        world.err(),
        `${set} is set, and ${missing} is not: set both, or unset ${set} to use the root key of the data directory\n`,
      );
      assert.equal(requests.length, 0);
    });
  }

  it('calls nobody with the root key of the settings while no server runs on the data directory', async () => {
    const settings = { RESPARK_ROOT_ACCESS_KEY_ID: 'AKIAROOT', RESPARK_ROOT_SECRET_ACCESS_KEY: 'x'.repeat(40) };
    const world = createTestWorld({ env: settings });
    assert.equal(await world.run('disconnect', ...PLAYER), 1);
    assert.match(world.err(), /^no server is running on the data directory \S+: start one with "respark serve"/);
  });

  for (const [what, url, fault] of [
    ['has ended', undefined, /no server is running on the data directory/],
    ['is elsewhere', 'http://127.0.0.1:1', /the server is at http:\/\/127.0.0.1:1 by now, no longer at /],
  ] as const) {
    it(`makes no more calls once the server ${what} that was found by its data directory`, async (t) => {
      const service = await startFakeService(t, () => {
        Object.assign(local, { url });
        return { body: { Stage: {} } };
      });
      const local = { root: ROOT, url: service.url };
      const world = createTestWorld({ local });
      assert.equal(await world.run('deploy', '--game', 'Demo', '--stage', 'Dev', '--timeout', '1'), 1);
      assert.match(world.err(), fault);
      assert.equal(service.requests.length, 1);
    });
  }

  it('refuses an endpoint that is not a URL, with 2', async () => {
    const world = createTestWorld({ env: { AWS_ACCESS_KEY_ID: 'A', AWS_SECRET_ACCESS_KEY: 'S' } });
    assert.equal(await world.run('disconnect', ...PLAYER, '--endpoint-url', 'localhost:8080'), 2);
    assert.match(world.err(), /must be an http or https URL, got "localhost:8080"/);
  });

  it('says where credentials could come from when there are none', async () => {
    const world = createTestWorld();
    assert.equal(await world.run('disconnect', ...PLAYER), 1);
    assert.match(world.err(), /no root key in the data directory \/.*\/respark-data; start a server there/);
  });
});

describe('kick', () => {
  const connections = (...outcomes: readonly string[]) =>
    outcomes.map((Outcome, index) => ({ Id: `c${index}`, Outcome, Created: '2026-01-02T03:04:05.000Z' }));
  const replyOf = (...outcomes: readonly string[]) => ({
    ...{ DisconnectSuccesses: [], DisconnectFailures: [], OperationId: 'op' },
    Connections: connections(...outcomes),
  });

  it('sends what it was told, and asks for the outcomes', async (t) => {
    const { world, requests } = await serveReply(t, {
      body: { ...replyOf('CLOSED'), Features: ['disconnect-orders'] },
    });
    const words = ['--reason', 'AFK', '--message', 'Bye', '--evidence', 'seen'];
    assert.equal(
      await world.run('kick', ...PLAYER, ...words, '--connection', 'a', '--connection', 'b', '--dry-run'),
      0,
    );
    assert.equal(requests[0]?.url, '/respark/server');
    const { body = '' } = requests[1] ?? {};
    assert.deepEqual(JSON.parse(body), {
      ...{ Reason: 'AFK', Message: 'Bye', Evidence: 'seen', ConnectionIds: ['a', 'b'], DryRun: true, Details: true },
    });
  });

  it('exits with 1, after it has told everything, when a connection could not be proven closed', async (t) => {
    const { world } = await serveReply(t, { body: replyOf('UNPROVEN', 'CLOSED') });
    assert.equal(await world.run('kick', ...PLAYER), 1);
    const since = 'since 2026-01-02T03:04:05.000Z';
    assert.equal(
      world.out(),
      `player p1: 2 connections (on record as op)\n  unproven  c0  ${since}\n  closed    c1  ${since}\n`,
    );
    assert.match(world.err(), /^1 connection could not be proven closed/);
  });

  it('exits with 1 when there is no receipt to write, and says how to get it later', async (t) => {
    const { world, requests } = await serveReply(t, { body: { ...replyOf('CLOSED'), ReceiptMissing: 'Try again.' } });
    assert.equal(await world.run('kick', ...PLAYER, '--receipt', '/nowhere/receipt.jws'), 1);
    assert.equal(JSON.parse(requests[0]?.body ?? '').Receipt, true);
    assert.match(world.out(), /closed {2}c0/);
    assert.match(world.err(), /call is done, but its receipt is not there yet: Try again\. \(respark receipt get op\)/);
  });

  it('does not ask a server that would close what it must not', async (t) => {
    for (const option of [['--dry-run'], ['--connection', 'a'], ['--except', 'a'], ['--block', '2h']]) {
      const { world, requests } = await serveReply(t, { body: { Features: ['audit-records'] } });
      assert.equal(await world.run('kick', ...PLAYER, ...option), 1);
      assert.match(world.err(), /an earlier version, which would close all connections/);
      assert.equal(requests.length, 1);
    }
  });

  it('says so when an earlier version has told the player nothing', async (t) => {
    const { world } = await serveReply(t, { body: { DisconnectSuccesses: ['c1'], DisconnectFailures: [] } });
    assert.equal(await world.run('kick', ...PLAYER, '--reason', 'AFK'), 1);
    assert.match(world.err(), /earlier version: it has closed all connections of the player, and has told nobody why/);
  });
});

describe('connections', () => {
  it('lists ids and when each connection was created', async (t) => {
    const { world, requests } = await serveReply(t, {
      body: { Connections: [{ Id: 'c1', Created: '2030-01-02T03:04:05.678Z' }] },
    });
    assert.equal(await world.run('connections', ...PLAYER), 0);
    assert.equal(world.out(), 'ID  CREATED\nc1  2030-01-02T03:04:05.678Z\n');
    assert.equal(`${requests[0]?.method} ${requests[0]?.url}`, 'GET /runtime/game/Demo/stage/Dev/player/p1/connection');
  });

  it('says when there is none', async (t) => {
    const { world } = await serveReply(t, { body: { Connections: [] } });
    assert.equal(await world.run('connections', ...PLAYER), 0);
    assert.equal(world.out(), 'player p1 has no connections\n');
  });

  it('prefers the credentials and the endpoint of the environment to the local ones', async (t) => {
    const { url, requests } = await serveReply(t, { body: { Connections: [] } });
    const env = { AWS_ACCESS_KEY_ID: 'AKIAOTHER', AWS_SECRET_ACCESS_KEY: 'other', AWS_ENDPOINT_URL: url };
    const world = createTestWorld({ env });
    assert.equal(await world.run('connections', ...PLAYER), 0);
    assert.match(requests[0]?.headers.authorization ?? '', /Credential=AKIAOTHER\//);
  });
});

import assert from 'node:assert/strict';
import { describe, type TestContext, test } from 'node:test';
import { CLOSE_CODES } from '@respark/protocol';
import { startCluster, type TestCluster, TIMES, until, whyNoCluster } from '../support/cluster.ts';
import { usePostgres } from '../support/postgres.ts';
import type { RunningServer } from '../support/process.ts';
import type { TestPlayer } from '../support/server.ts';

const postgres = usePostgres();

const UNAVAILABLE = { name: 'InternalServerException' };

describe('servers that share a Redis', { skip: whyNoCluster }, () => {
  test('a player is disconnected from any node, and each node sees the same', async (t) => {
    const { one, other, players, disconnect, status } = await open(t);
    const [alice] = players;
    assert.deepEqual((await status(other, alice.playerId)).sort(), players.map(idOf).sort());
    const { successes, failures } = await disconnect(other, alice.playerId);
    assert.deepEqual([successes.sort(), failures], [players.map(idOf).sort(), []]);
    for (const player of players) assert.equal((await player.closed).code, CLOSE_CODES.disconnected.code);
    assert.deepEqual(await status(one, alice.playerId), []);
    assert.deepEqual(await disconnect(one, alice.playerId), { successes: [], failures: [] });
  });

  test('the connections of a killed node are failures until its lease is over, and then gone', async (t) => {
    const { one, other, players, disconnect, status } = await open(t);
    const [alice, elsewhere] = players;
    one.child.kill('SIGKILL');
    await one.ended();
    const startedAt = performance.now();
    const { successes, failures } = await disconnect(other, alice.playerId);
    assert(performance.now() - startedAt < TIMES.deadlineMs + 500, 'the call answers within its deadline');
    assert.deepEqual([successes, failures], [[idOf(elsewhere)], [idOf(alice)]]);
    assert.deepEqual(await status(other, alice.playerId), [idOf(alice)]);
    await until(async () => (await status(other, alice.playerId)).length === 0);
    assert.deepEqual(await disconnect(other, alice.playerId), { successes: [], failures: [] });
  });

  test('any node lists all of them, and has another send its players away and end', async (t) => {
    const { one, other, players, status, list, run } = await open(t);
    const [alice, elsewhere] = players;
    const nodes = await list(other);
    assert.deepEqual(
      nodes.map(({ State, Connections }) => [State, Connections]),
      Array(2).fill(['SERVING', 1]),
    );
    const idOfNode = ({ url }: RunningServer) => nodes.find(({ Url }) => Url === url)?.Id ?? '';
    assert.equal((await run(other, 'drain', idOfNode(one))).exitCode, 0);
    assert.equal((await alice.closed).code, CLOSE_CODES.draining.code);
    assert.equal((await one.ended()).exitCode, 0);
    assert.deepEqual(
      (await list(other)).map(({ Id }) => Id),
      [idOfNode(other)],
    );
    assert.deepEqual(await status(other, alice.playerId), [idOf(elsewhere)]);
    assert.equal(elsewhere.ws.readyState, elsewhere.ws.OPEN);
  });

  test('a killed node is listed as silent until its lease is over, and cannot be asked to drain', async (t) => {
    const { one, other, list, run } = await open(t);
    const [killed] = (await list(other)).filter(({ Url }) => Url === one.url);
    one.child.kill('SIGKILL');
    await one.ended();
    const [silent] = (await list(other)).filter(({ State }) => State === 'SILENT');
    assert.deepEqual([silent?.Id, silent?.Connections], [killed?.Id, undefined]);
    const { exitCode, stderr } = await run(other, 'drain', killed?.Id ?? '');
    assert.equal(exitCode, 1);
    assert.match(stderr, /InternalServerException/);
    await until(async () => (await list(other)).length === 1);
  });

  test('a node that was held up past its lease closes its players before it takes a message of them', async (t) => {
    const { one, other, players, token, disconnect, status } = await open(t);
    const [alice] = players;
    const bob = await one.connect();
    one.child.kill('SIGSTOP');
    const sending = setInterval(() => {
      for (const player of [alice, bob]) player.request(`${performance.now()}`, 'GameSparks.Identity.GetPlayerToken');
    }, 2);
    t.after(() => clearInterval(sending));
    const { failures } = await disconnect(other, alice.playerId);
    assert.deepEqual(failures, [idOf(alice)]);
    await until(async () => (await status(other, alice.playerId)).length === 0);
    one.child.kill('SIGCONT');
    assert.equal((await bob.closed).code, CLOSE_CODES.node_fenced.code);
    // The request of the call may have waited for the process, too.
    const codes: readonly number[] = [CLOSE_CODES.node_fenced.code, CLOSE_CODES.disconnected.code];
    assert(codes.includes((await alice.closed).code));
    for (const { frames } of [alice, bob]) {
      const answered = frames.filter((frame) => frame.kind === 'response' && frame.id !== 'token');
      assert.deepEqual(answered, [], 'nothing was answered after the pause');
    }
    // The node goes on as another incarnation.
    const back = await one.connect({ token: token });
    await until(async () => (await status(other, alice.playerId)).includes(back.connectionId));
    assert.deepEqual((await disconnect(other, alice.playerId)).successes, [back.connectionId]);
  });

  for (const kind of ['empty', 'from an old snapshot'] as const) {
    test(`when Redis is restarted ${kind}, calls answer 500 until the directory is whole again`, async (t) => {
      const { redis, one, other, players, token, disconnect, status, untilReady } = await open(t);
      const [alice, elsewhere] = players;
      redis.command('SAVE');
      // What the snapshot has and is no longer true, and what is true and not in it.
      const gone = await one.connect({ token: token });
      gone.ws.close(1000);
      await gone.closed;
      const late = await other.connect({ token: token });
      await redis.kill();
      await assert.rejects(disconnect(other, alice.playerId), UNAVAILABLE);
      if (kind === 'empty') redis.forget();
      await redis.start();
      await assert.rejects(disconnect(other, alice.playerId), UNAVAILABLE);
      await untilReady();
      const everybody = [idOf(alice), idOf(elsewhere), idOf(late)].sort();
      assert.deepEqual((await status(one, alice.playerId)).sort(), everybody);
      const { successes, failures } = await disconnect(one, alice.playerId);
      assert.deepEqual([successes.sort(), failures], [everybody, []]);
    });
  }

  test('players stay connected through an outage that is shorter than the lease', async (t) => {
    const { redis, one, other, players, disconnect, untilReady } = await open(t);
    const [alice, elsewhere] = players;
    redis.pause();
    await assert.rejects(disconnect(one, alice.playerId), UNAVAILABLE);
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    redis.resume();
    await untilReady();
    const { successes, failures } = await disconnect(other, alice.playerId);
    assert.deepEqual([successes.sort(), failures], [[idOf(alice), idOf(elsewhere)].sort(), []]);
    assert.equal((await alice.closed).code, CLOSE_CODES.disconnected.code);
  });
});

/** Two nodes, and a player who is connected to each. */
async function open(t: TestContext): Promise<
  TestCluster & {
    one: RunningServer;
    other: RunningServer;
    players: readonly [TestPlayer, TestPlayer];
    token: string;
  }
> {
  const cluster = await startCluster(t, postgres, 2);
  const [one, other] = cluster.nodes as [RunningServer, RunningServer];
  await cluster.untilReady();
  const alice = await one.connect();
  const token = await alice.token();
  const elsewhere = await other.connect({ token });
  return { ...cluster, one, other, players: [alice, elsewhere], token };
}

function idOf({ connectionId }: TestPlayer): string {
  return connectionId;
}

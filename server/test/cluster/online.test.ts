import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { startCluster, until, whyNoCluster } from '../support/cluster.ts';
import { usePostgres } from '../support/postgres.ts';
import type { RunningServer } from '../support/process.ts';
import { rawCall } from '../support/raw-call.ts';

const postgres = usePostgres();

const PLACE = ['--game', 'Demo', '--stage', 'Dev'];

type Listed = Readonly<Record<'PlayerId' | 'Id' | 'Node' | 'AddressGroup', string>>;

describe('who is online on servers that share a Redis', { skip: whyNoCluster }, () => {
  test('any node lists and counts the players of all, and says so while it cannot', async (t) => {
    const cluster = await startCluster(t, postgres, 3, { RESPARK_REDIS_PARTITIONS: '4' });
    const [one, other, third] = cluster.nodes as [RunningServer, RunningServer, RunningServer];
    await cluster.untilReady();
    const players = await Promise.all([one, one, other, other, third, third].map((node) => node.connect()));
    const [first] = players as [(typeof players)[number]];
    const again = await other.connect({ token: await first.token() });
    const inOrder = players.map(({ playerId }) => playerId).sort();
    const ids = [...players, again].map(({ connectionId }) => connectionId).sort();
    const json = async (node: RunningServer, ...args: string[]) => {
      const { stdout, stderr } = await cluster.run(node, ...args, '--json');
      assert.notEqual(stdout, '', stderr);
      return JSON.parse(stdout) as Record<string, Listed[]> & { Players: Listed[]; Connections: Listed[] };
    };
    // A command takes seconds to start on a busy machine, and a lease ends meanwhile.
    const read = (node: RunningServer, list: string) =>
      rawCall(node, 'GET', `/respark/game/Demo/stage/Dev/${list}`, { credentials: node.credentials });
    for (const node of [one, other, third]) {
      // A node is ready with one partition of the directory, and lists once all have recovered.
      await until(async () => (await read(node, 'player')).status === 200);
      const { Players } = await json(node, 'players', ...PLACE);
      assert.deepEqual(
        Players.map(({ PlayerId }) => PlayerId),
        inOrder,
      );
    }
    const { Connections } = await json(third, 'connections', ...PLACE, '--address', '127.0.0.0/8');
    assert.deepEqual(Connections.map(({ Id }) => Id).sort(), ids);
    assert(Connections.every(({ AddressGroup }) => AddressGroup === '127.0.0.1'));
    const nodeOf = new Map(Connections.map(({ Id, Node }) => [Id, Node]));
    const here = nodeOf.get(first.connectionId) ?? '';
    assert.equal(new Set(nodeOf.values()).size, 3);
    const counts = await json(third, 'players', ...PLACE, '--count');
    assert.deepEqual([counts.Players, counts.Connections], [6, 7]);
    const byNode = (counts.Nodes as unknown as { Node: string; Connections: number }[]).map(
      ({ Node, Connections }) => [Node, Connections] as const,
    );
    assert.deepEqual(
      Object.fromEntries(byNode),
      Object.fromEntries(
        [...new Set(nodeOf.values())].map((node) => [node, node === nodeOf.get(again.connectionId) ? 3 : 2]),
      ),
    );

    // Page by page, through another node each time.
    const found: string[] = [];
    let query = 'MaxResults=2';
    for (let page = 0; query !== ''; page += 1) {
      const node = cluster.nodes[page % 3] as RunningServer;
      const reply = await read(node, `connection?${query}`);
      assert.equal(reply.status, 200, reply.message);
      found.push(...(reply.json.Connections as Listed[]).map(({ Id }) => Id));
      const token = reply.json.NextToken;
      query = token === undefined ? '' : `MaxResults=2&NextToken=${encodeURIComponent(String(token))}`;
    }
    assert.deepEqual(
      found,
      Connections.map(({ Id }) => Id),
    );

    // The directory lists a killed node's connections until its lease has ended; what only the node knew is missing.
    one.child.kill('SIGKILL');
    await one.ended();
    const [left, ranged] = await Promise.all(
      ['connection', 'player?Address=127.0.0.0%2F8'].map((list) => read(third, list)),
    );
    const connections = left?.json.Connections as Listed[];
    const ofDead = connections.filter(({ Node }) => Node === here);
    assert.deepEqual([connections.length, ofDead.length], [7, 2]);
    assert(ofDead.every(({ AddressGroup }) => AddressGroup === undefined));
    assert.match(`${ranged?.status} ${ranged?.message}`, /^500 The node \S+ is not available/);
    let alive: Listed[] | undefined;
    await until(async () => {
      const listed = await json(third, 'players', ...PLACE, '--address', '127.0.0.0/8').catch(() => undefined);
      alive = listed?.Players;
      return alive !== undefined;
    });
    assert.deepEqual(
      alive?.map(({ PlayerId }) => PlayerId),
      [...players.slice(2), again].map(({ playerId }) => playerId).sort(),
    );

    await cluster.redis.kill();
    await cluster.redis.start();
    const away = await read(other, 'player');
    assert.match(`${away.status} ${away.message}`, /^500 The directory of connections is not/);
    await cluster.untilReady([other, third]);
    await until(async () => (await read(other, 'connection')).status === 200);
    const recovered = await json(other, 'connections', ...PLACE);
    assert.equal(recovered.Connections.length, 5);
  });
});

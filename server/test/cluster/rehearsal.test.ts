import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ResparkClient } from '@respark/client';
import { WebSocket } from 'ws';
import { startCluster, whyNoCluster } from '../support/cluster.ts';
import { usePostgres } from '../support/postgres.ts';

const postgres = usePostgres();

/** What takes minutes by default. */
const SHORT = ['--settle', '0', '--window', '4', '--json'];

describe('three servers that share a Redis', { skip: whyNoCluster }, () => {
  test('a client is rehearsed with through a node that it is not connected to, and may come back to any', async (t) => {
    const cluster = await startCluster(t, postgres, 3, { RESPARK_HEARTBEAT_MS: '1000' });
    await cluster.untilReady();
    const [one, two, three] = cluster.nodes;
    assert.ok(one !== undefined && two !== undefined && three !== undefined);
    const client = new ResparkClient({
      ...{ url: one.playerUrl, gameKey: one.gameKey, WebSocket: WebSocket as never, reconnect: { capMs: 500 } },
    });
    t.after(() => client.close());
    const { playerId } = await client.connect();
    const words = ['--game', 'Demo', '--stage', 'Dev', '--player', playerId, ...SHORT];
    const rehearse = async (node: typeof one, only: string) => {
      const { exitCode, stdout, stderr } = await cluster.run(node, 'rehearse', ...words, '--only', only);
      assert.notEqual(stdout, '', stderr);
      const outcomes = JSON.parse(stdout).Results.map(({ Outcome }: { Outcome: string }) => Outcome);
      return { exitCode, outcomes };
    };
    const passed = { exitCode: 0, outcomes: ['PASSED', 'PASSED', 'PASSED'] };
    assert.deepEqual(await rehearse(two, 'draining,silent-network,kicked'), passed);

    // A client that ignores the verdict, and comes back through another node.
    await client.connect();
    const token = String((await client.request('GameSparks.Identity.GetPlayerToken')).AuthenticationToken);
    client.on('disconnect', () => void three.connect({ token }));
    assert.deepEqual(await rehearse(two, 'kicked'), { exitCode: 1, outcomes: ['FAILED'] });
  });
});

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { DisconnectPlayerCommand } from '@aws-sdk/client-gamesparks';
import { readReceipt, readReceiptKey } from '../../src/domain/audit/receipt-verification.ts';
import { startCluster, until, whyNoCluster } from '../support/cluster.ts';
import { usePostgres } from '../support/postgres.ts';
import { rawCall } from '../support/raw-call.ts';

const postgres = usePostgres();

describe('three servers that share a Redis', { skip: whyNoCluster }, () => {
  test('[aws-sdk] any node gives the receipt for a call that another took, with the same key, and verifies all chains', async (t) => {
    const cluster = await startCluster(t, postgres, 3);
    await cluster.untilReady();
    const [one, two, three] = cluster.nodes;
    assert.ok(one !== undefined && two !== undefined && three !== undefined);
    const { credentials } = one;
    const get = (node: typeof one, path: string) => rawCall(node, 'GET', path, { credentials });
    const requestIds: string[] = [];
    for (const node of cluster.nodes) {
      const player = await one.connect();
      const call = new DisconnectPlayerCommand({ GameName: 'Demo', StageName: 'Dev', PlayerId: player.playerId });
      requestIds.push(String((await node.sdk().send(call)).$metadata.requestId));
    }
    const keys = await Promise.all(cluster.nodes.map((node) => get(node, '/respark/receipt-key')));
    assert.equal(new Set(keys.map(({ json }) => json.KeyId)).size, 1);
    const key = readReceiptKey(JSON.stringify(keys[0]?.json));
    const writers = new Set<string>();
    for (const [index, requestId] of requestIds.entries()) {
      const texts = new Set<unknown>();
      for (const node of cluster.nodes) {
        // The node that took the call has the receipt at once, others within a second.
        const ask = () => get(node, `/respark/receipt/${requestId}`);
        const isWhole = ({ status, json }: Awaited<ReturnType<typeof ask>>) =>
          status === 200 && readReceipt(String(json.Receipt), key).outcome !== null;
        if (node !== cluster.nodes[index]) await until(async () => isWhole(await ask()));
        const answer = await ask();
        assert.ok(isWhole(answer));
        texts.add(answer.json.Receipt);
      }
      assert.equal(texts.size, 1);
      const { requestId: said, outcome, chain } = readReceipt(String([...texts][0]), key);
      assert.deepEqual([said, outcome?.result, outcome?.successes?.length], [requestId, 'done', 1]);
      writers.add(chain.writer);
    }
    assert.equal(writers.size, 3, 'each node has a chain of its own');

    const verified = await cluster.run(two, 'audit', 'verify', '--json');
    assert.equal(verified.exitCode, 0, verified.stdout + verified.stderr);
    assert.ok(JSON.parse(verified.stdout).chains.length >= 3);
    const { status, error } = await get(three, '/respark/receipt/018bcfe5-6800-7000-8000-000000000000');
    assert.deepEqual([status, error], [404, 'ResourceNotFoundException']);
  });
});

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { isDeepStrictEqual } from 'node:util';
import { EVERY_OPERATION } from '../../src/api/every-operation.ts';
import { ManagementClient } from '../../src/cli/management-client.ts';
import { startCluster, until, whyNoCluster } from '../support/cluster.ts';
import { usePostgres } from '../support/postgres.ts';
import type { RunningServer } from '../support/process.ts';
import { rawCall } from '../support/raw-call.ts';
import { startReceiver } from '../support/webhook-receiver.ts';

interface Delivery {
  readonly EventId: string;
  readonly Outcome: string;
}

interface Listed {
  readonly Deliveries: readonly Delivery[];
  readonly Waiting?: number;
}

const postgres = usePostgres();

async function call({ url, credentials }: RunningServer, name: string, input: object): Promise<unknown> {
  const operation = EVERY_OPERATION.find((row) => row.name === name);
  assert(operation);
  const client = new ManagementClient({ endpoint: url, credentials, region: 'us-east-1' });
  return await client.call(operation, { GameName: 'Demo', ...input });
}

describe('a webhook in a cluster of three', { skip: whyNoCluster }, () => {
  test('one node delivers it, another goes on when that is killed, and connections of the dead node end', async (t) => {
    const receiver = await startReceiver(t);
    const cluster = await startCluster(t, postgres, 3, { RESPARK_WEBHOOK_PRIVATE_HOSTS: '127.0.0.1' });
    await cluster.untilReady();
    const [first, second, third] = cluster.nodes as [RunningServer, RunningServer, RunningServer];
    // The node that takes the call takes the cursor too, unless another has looked at that very moment.
    const made = (await call(first, 'CreateWebhook', { Url: receiver.url })) as {
      Secret: string;
      Webhook: { Id: string };
    };
    receiver.trust(made.Secret);
    /** What all these nodes say alike, once nothing waits. */
    async function sameFrom(nodes: readonly RunningServer[]): Promise<readonly Delivery[]> {
      let answers: Listed[] = [];
      await until(async () => {
        const asked = nodes.map((node) => call(node, 'ListWebhookDeliveries', { WebhookId: made.Webhook.Id }));
        answers = (await Promise.all(asked)) as Listed[];
        return answers.every((answer) => answer.Waiting === 0 && isDeepStrictEqual(answer, answers[0]));
      });
      return answers[0]?.Deliveries ?? [];
    }
    const opened = (connectionId: string) =>
      receiver.events.some(({ type, data }) => type === 'connection.opened' && data.connectionId === connectionId);
    // On the other nodes the webhook counts within a second.
    for (const node of cluster.nodes) {
      const tried: string[] = [];
      await until(async () => {
        const player = await node.connect();
        tried.push(player.connectionId);
        player.ws.close();
        await player.closed;
        return tried.some(opened);
      });
    }
    const orphan = await first.connect();
    const alice = await second.connect();
    const token = await alice.token();
    await receiver.until(() => opened(orphan.connectionId) && opened(alice.connectionId));
    const told = await sameFrom(cluster.nodes);
    const welcome = receiver.events.find(({ data }) => data.connectionId === alice.connectionId);
    assert.equal(told.find(({ EventId }) => EventId === welcome?.id)?.Outcome, 'DELIVERED');
    first.child.kill('SIGKILL');
    await first.ended();
    // Until another has taken it over, only the dead node could tell.
    const path = `/respark/game/Demo/webhook/${made.Webhook.Id}/delivery`;
    const untold = await rawCall(second, 'GET', path, { credentials: second.credentials });
    assert.deepEqual([untold.status, untold.error], [500, 'InternalServerException']);
    assert.match(untold.message ?? '', /which delivers it, is not available. Try again/);
    // She goes from node to node, and each hears of it in order.
    await cluster.disconnect(third, alice.playerId);
    const again = await third.connect({ token });
    await cluster.disconnect(second, alice.playerId);
    await receiver.until(
      (events) =>
        events.some(({ data }) => data.connectionId === orphan.connectionId && data.close === 'node_ended') &&
        events.filter(({ type, player }) => type === 'connection.closed' && player === alice.playerId).length === 2,
    );
    const hers = receiver.events.filter(
      ({ player, type }) => player === alice.playerId && type.startsWith('connection'),
    );
    assert.deepEqual(
      hers.map(({ type, data }) => [type, data.connectionId]),
      [alice, again].flatMap(({ connectionId }) => [
        ['connection.opened', connectionId],
        ['connection.closed', connectionId],
      ]),
    );
    const ends = receiver.events.filter(
      ({ type, data }) => type === 'connection.closed' && data.connectionId === orphan.connectionId,
    );
    assert.equal(ends.length, 1);
    assert.equal(ends[0]?.data.code, 1006);
    assert.deepEqual(receiver.forged, []);
    const ofSurvivors = await sameFrom([second, third]);
    assert.ok(ofSurvivors.some(({ EventId }) => EventId === ends[0]?.id));
    const known = new Set(receiver.events.map(({ id }) => id));
    assert.ok(ofSurvivors.every(({ EventId }) => known.has(EventId)));
  });
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eventually } from '../support/operations-desk.ts';
import { rawCall } from '../support/raw-call.ts';
import { GAME, startTestServer } from '../support/server.ts';
import { startReceiver } from '../support/webhook-receiver.ts';

interface Delivery {
  readonly Attempt: number;
  readonly DurationMillis: number;
  readonly Error?: string;
  readonly EventId: string;
  readonly NextAttempt?: string;
  readonly Outcome: string;
  readonly Status?: number;
  readonly Time: string;
}

interface Listed {
  readonly Deliveries: readonly Delivery[];
  readonly Waiting?: number;
}

test('the deliveries of a webhook say what was refused and why, what was accepted then, and what waits', async (t) => {
  const server = await startTestServer(t, { settings: { webhookPrivateHosts: ['127.0.0.1'] } });
  const receiver = await startReceiver(t);
  receiver.answer(503);
  const webhooks = `/respark/game/${GAME}/webhook`;
  const made = await rawCall(server, 'POST', webhooks, { body: { Url: receiver.url } });
  const path = `${webhooks}/${(made.json.Webhook as { Id: string }).Id}`;
  const list = async () => (await rawCall(server, 'GET', `${path}/delivery`)).json as unknown as Listed;
  assert.deepEqual(await list(), { Deliveries: [], Waiting: 0 });

  const player = await server.connect();
  const refused = await eventually(list, ({ Deliveries }) => Deliveries.length > 0);
  assert.equal(refused.Waiting, 1);
  const { Time, DurationMillis, NextAttempt, EventId, ...first } = refused.Deliveries.at(-1) as Delivery;
  assert.deepEqual(first, {
    ...{ Attempt: 1, EventType: 'connection.opened', Position: 1, Status: 503, Outcome: 'TO_BE_RETRIED' },
    Error: 'the receiver answers with the status 503',
  });
  assert.ok(Date.parse(NextAttempt ?? '') > Date.parse(Time));
  assert.ok(Number.isInteger(DurationMillis));

  receiver.answer(0);
  const silent = await eventually(list, ({ Deliveries: [latest] }) => latest?.Status === undefined);
  assert.match(silent.Deliveries[0]?.Error ?? '', /\w/);

  receiver.answer(204);
  const done = await eventually(list, ({ Waiting }) => Waiting === 0);
  const [accepted, ...earlier] = done.Deliveries as [Delivery, ...Delivery[]];
  assert.deepEqual([accepted.Outcome, accepted.Status, accepted.EventId], ['DELIVERED', 204, EventId]);
  assert.deepEqual(
    [accepted.Error, accepted.NextAttempt, accepted.Attempt],
    [undefined, undefined, earlier.length + 1],
  );
  assert.deepEqual(
    receiver.events.map(({ id, data }) => [id, data.connectionId]),
    [[EventId, player.connectionId]],
  );

  await rawCall(server, 'PATCH', path, { body: { IsEnabled: false } });
  const afterwards = await list();
  assert.equal(afterwards.Waiting, undefined, 'nobody delivers it');
  assert.deepEqual(afterwards.Deliveries, done.Deliveries, 'what is known is still shown');
  await rawCall(server, 'DELETE', path);
  assert.equal((await rawCall(server, 'GET', `${path}/delivery`)).status, 404);
});

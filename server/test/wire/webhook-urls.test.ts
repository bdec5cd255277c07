import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createKey } from '../support/administration.ts';
import { rawCall } from '../support/raw-call.ts';
import { GAME, startTestServer } from '../support/server.ts';

const WEBHOOKS = `/respark/game/${GAME}/webhook`;
const ARN = `arn:aws:gamesparks:*:*:game/${GAME}`;
const SEEING = { Effect: 'Allow', Action: ['respark:GetWebhook', 'respark:ListWebhooks'], Resource: ARN };
const CHANGING = { Effect: 'Allow', Action: 'respark:UpdateWebhook', Resource: ARN };

interface Webhook {
  readonly Id: string;
  readonly Url: string;
}

test('who may not change a webhook sees where it leads, and not what may be a secret of the receiver', async (t) => {
  const server = await startTestServer(t);
  const plain = 'https://plain.example/';
  const secret = ['https://hooks.example/services/T0/B0/hunter2', 'https://hooks.example:8443/?token=hunter2'];
  for (const Url of [...secret, plain]) {
    assert.equal((await rawCall(server, 'POST', WEBHOOKS, { body: { Url } })).status, 200);
  }
  const urlsFor = async (...statements: readonly object[]) => {
    const credentials = await createKey(server, statements);
    const { json } = await rawCall(server, 'GET', WEBHOOKS, { credentials });
    const listed = json.Webhooks as unknown as readonly Webhook[];
    for (const one of listed) {
      const found = await rawCall(server, 'GET', `${WEBHOOKS}/${one.Id}`, { credentials });
      assert.deepEqual(found.json.Webhook, one);
    }
    return listed.map(({ Url }) => Url);
  };
  const shown = ['https://hooks.example/…', 'https://hooks.example:8443/…', plain];
  assert.deepEqual(await urlsFor(SEEING), shown);
  assert.deepEqual(await urlsFor(SEEING, { ...CHANGING, Resource: `${ARN}2` }), shown);
  assert.deepEqual(await urlsFor(SEEING, CHANGING, { ...CHANGING, Effect: 'Deny' }), shown);
  assert.deepEqual(await urlsFor(SEEING, CHANGING), [...secret, plain]);
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isConflict, type OpenStore, OTHER, openZoo, ZOO } from './store-samples.ts';
import type { WebhookRecord } from './webhooks.ts';

function sampleWebhook(id: string, { id: gameId, name: gameName } = ZOO): WebhookRecord {
  return {
    ...{ id, gameId, gameName, url: 'https://hooks.example/', description: 'ünï "quoted"' },
    ...{ stages: ['Dev', 'Live'], types: [], state: 'ENABLED', reason: '' },
    ...{ sealedSecret: Buffer.of(0, 1, 0xff), sealedFormerSecret: undefined, formerUntil: undefined },
    ...{ createdAt: 1_700_000_000_001, updatedAt: 1_700_000_000_002 },
  };
}

/** Holds one implementation to the promises about webhooks. */
export function testWebhooks(open: OpenStore): void {
  test('webhooks are found in their game as they were inserted, and listed in order of id', async (t) => {
    const { webhooks } = await openZoo(open, t);
    const [a, b, other] = [sampleWebhook('a'), sampleWebhook('b'), sampleWebhook('c', OTHER)];
    for (const webhook of [b, other, a]) await webhooks.insert(webhook);
    assert.deepEqual(await webhooks.find(ZOO.id, 'a'), a);
    assert.equal(await webhooks.find(OTHER.id, 'a'), undefined);
    assert.deepEqual(await webhooks.list(ZOO.id), [a, b]);
    assert.deepEqual(await webhooks.listAll(), [a, b, other]);
    await assert.rejects(webhooks.insert(sampleWebhook('a', OTHER)), isConflict);
  });

  test('very many webhooks are listed with turns for others in between', async (t) => {
    const { webhooks, transaction } = await openZoo(open, t);
    const ids = Array.from({ length: 250 }, (_, index) => `w${index + 100}`);
    await transaction(async (store) => {
      for (const id of ids) await store.webhooks.insert(sampleWebhook(id));
    });
    let turns = 0;
    let isListed = false;
    const listed = webhooks.listAll().finally(() => {
      isListed = true;
    });
    for (; !isListed; turns += 1) await new Promise((resolve) => setImmediate(resolve));
    assert.deepEqual(
      (await listed).map(({ id }) => id),
      ids,
    );
    assert.ok(turns > 2, `${turns} turns`);
  });

  test('an update of a webhook changes what it names and nothing else', async (t) => {
    const { webhooks } = await openZoo(open, t);
    const [a, b] = [sampleWebhook('a'), sampleWebhook('b')];
    for (const webhook of [a, b]) await webhooks.insert(webhook);
    const former = { sealedFormerSecret: Buffer.of(5), formerUntil: 1_700_000_000_009 };
    await webhooks.update('a', { ...former, sealedSecret: Buffer.of(6), updatedAt: 3 });
    const changed = { ...a, ...former, sealedSecret: Buffer.of(6), updatedAt: 3 };
    assert.deepEqual(await webhooks.find(ZOO.id, 'a'), changed);
    const off = { state: 'DISABLED', reason: 'gone', url: 'https://x.example/', stages: [], types: ['a'] } as const;
    await webhooks.update('a', { ...off, updatedAt: 4 });
    assert.deepEqual(await webhooks.find(ZOO.id, 'a'), { ...changed, ...off, updatedAt: 4 });
    await webhooks.update('a', { sealedFormerSecret: undefined, formerUntil: undefined, updatedAt: 5 });
    assert.equal((await webhooks.find(ZOO.id, 'a'))?.sealedFormerSecret, undefined);
    await webhooks.update('unknown', { updatedAt: 6 });
    assert.deepEqual(await webhooks.find(ZOO.id, 'b'), b);
  });

  test('a webhook is removed by itself or with its game', async (t) => {
    const { webhooks, games } = await openZoo(open, t);
    for (const webhook of [sampleWebhook('a'), sampleWebhook('b'), sampleWebhook('c', OTHER)])
      await webhooks.insert(webhook);
    await webhooks.remove('a');
    assert.deepEqual(
      (await webhooks.list(ZOO.id)).map(({ id }) => id),
      ['b'],
    );
    await games.remove(ZOO.id);
    assert.deepEqual(
      (await webhooks.listAll()).map(({ id }) => id),
      ['c'],
    );
  });
}

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { recordedLog } from '../../../test/support/domain.ts';
import { ManualClock } from '../../../test/support/manual-clock.ts';
import { NO_METRICS } from '../../../test/support/metrics.ts';
import type { EventLog } from '../../store/events/event-log.ts';
import type { Store } from '../../store/store.ts';
import type { WebhookRecord, WebhookTable } from '../../store/webhooks.ts';
import { type ClaimedWebhooksParts, createClaimedWebhooks } from './claimed-webhooks.ts';
import { createPostPace } from './post-pace.ts';

const WEBHOOKS = Array.from(
  { length: 10 },
  (_, number): WebhookRecord => ({
    ...{ id: `w${number}`, gameId: 'g1', gameName: 'Demo', url: 'https://hooks.example/', description: '' },
    ...{ stages: [], types: [], state: 'ENABLED', reason: '', sealedSecret: new Uint8Array(32) },
    ...{ sealedFormerSecret: undefined, formerUntil: undefined, createdAt: 0, updatedAt: 0 },
  }),
);

/** Lets everything run that waits for nothing but turns of the loop. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 20; turn += 1) await setImmediate();
}

/** One event for each webhook, and receivers that do not answer before they are told to. */
function open(stored: WebhookRecord[] = [...WEBHOOKS]) {
  const clock = new ManualClock();
  const event = { id: 'e1', type: 'connection.opened', at: clock.now(), game: 'Demo', node: 'n1', data: {} };
  const released: string[] = [];
  /** Whether the cursors are still this node's. */
  const cursors = { areOwn: true };
  const sent: { readonly url: string; readonly answer: (status: number) => void }[] = [];
  const webhooks = {
    find: async (_, id) => stored.find((webhook) => webhook.id === id),
    async update(id, change) {
      const at = stored.findIndex((webhook) => webhook.id === id);
      stored[at] = { ...stored[at], ...change } as WebhookRecord;
    },
  } as WebhookTable;
  const eventLog: Partial<EventLog> = {
    read: async (_, { after }) => ({
      ...{ events: after < 1 ? [{ position: 1, event }] : [], missed: 0, cursor: 1, isEnd: true },
    }),
    onMoved: () => () => {},
    ends: async () => ({ first: 1, last: 1 }),
    cursors: async () => [],
    claim: async () => ({ position: 0, failingSince: undefined }),
    save: async () => cursors.areOwn,
    release: async (receiver) => void released.push(receiver),
  };
  const parts: Partial<ClaimedWebhooksParts> = {
    ...{ clock, log: recordedLog().log, metrics: NO_METRICS, random: () => new Uint8Array(16), holdMs: 0 },
    eventLog: eventLog as EventLog,
    cluster: { node: 'n1', isAlive: async () => true },
    sealer: { open: () => new Uint8Array(32) } as unknown as ClaimedWebhooksParts['sealer'],
    pace: createPostPace({ postsPerSecond: 1_000, clock }),
    settings: { webhookMaxParallel: 1, webhookDisableAfterHours: 1 },
    store: { webhooks, transaction: (work) => work({ webhooks } as Store) },
    post: {
      post: ({ url }) =>
        new Promise((resolve) => {
          sent.push({ url, answer: (status) => resolve({ status, retryAfterMs: undefined }) });
        }),
    },
  };
  const claimed = createClaimedWebhooks(parts as ClaimedWebhooksParts);
  /** Lets some time pass, so that what can be sent is sent. */
  const pass = async () => {
    for (let step = 0; step < 20; step += 1) {
      await settle();
      clock.advance(10);
    }
  };
  return { claimed, clock, cursors, released, sent, pass };
}

test('webhooks that hang are given up together, in the time of one', async () => {
  const { claimed, clock, released, sent, pass } = open();
  await claimed.reconcile(WEBHOOKS);
  await pass();
  assert.equal(sent.length, 10);
  let isOver = false;
  await claimed.reconcile([]);
  const over = Promise.all(WEBHOOKS.map(({ id }) => claimed.ended(id))).then(() => {
    isOver = true;
  });
  await settle();
  assert.equal(isOver, false, 'the answers to what was sent are waited for');
  clock.advance(1_000);
  await settle();
  assert.equal(isOver, true);
  await over;
  assert.deepEqual(
    released.sort(),
    WEBHOOKS.map(({ id }) => id),
  );
});

test('webhooks that hang are given up together, too, when their cursors were taken away, as replays do', async () => {
  const { claimed, clock, cursors, sent, pass } = open();
  await claimed.reconcile(WEBHOOKS);
  await pass();
  assert.equal(sent.length, 10);
  cursors.areOwn = false;
  let isOver = false;
  await claimed.reconcile(WEBHOOKS);
  const over = Promise.all(WEBHOOKS.map(({ id }) => claimed.ended(id))).then(() => {
    isOver = true;
  });
  await settle();
  assert.equal(isOver, false, 'the answers to what was sent are waited for');
  clock.advance(1_000);
  await settle();
  assert.equal(isOver, true);
  await over;
});

test('a webhook is taken up while another hangs that is given up, and that one again once its delivery has ended', async () => {
  const [hanging = assert.fail(), other = assert.fail()] = WEBHOOKS;
  const { claimed, clock, sent, pass } = open();
  await claimed.reconcile([hanging]);
  await pass();
  assert.equal(sent.length, 1);
  await claimed.reconcile([other]);
  await pass();
  assert.equal(sent.length, 2, 'the other one was not held up');
  await claimed.reconcile([hanging, other]);
  await pass();
  assert.equal(sent.length, 2, 'nothing is sent a second time while the answer to the first may come');
  clock.advance(1_000);
  await claimed.ended(hanging.id);
  await claimed.reconcile([hanging, other]);
  await pass();
  assert.equal(sent.length, 3);
});

test('a webhook is switched off for what the URL that it has answers, and not for an answer of the one before', async () => {
  for (const isMoved of [false, true]) {
    const stored = WEBHOOKS.slice(0, 1);
    const { claimed, sent, pass } = open(stored);
    await claimed.reconcile(stored);
    await pass();
    // The node has not heard of it yet.
    if (isMoved) stored[0] = { ...(stored[0] ?? assert.fail()), url: 'https://elsewhere.example/' };
    sent[0]?.answer(410);
    await pass();
    assert.equal(stored[0]?.state, isMoved ? 'ENABLED' : 'DISABLED');
    await claimed.reconcile(stored);
    await pass();
    assert.deepEqual(
      sent.map(({ url }) => url),
      ['https://hooks.example/', ...(isMoved ? ['https://elsewhere.example/'] : [])],
    );
  }
});

test('what was sent to a webhook is remembered while it is switched off, and not when it is gone', async () => {
  const { claimed, sent, pass } = open();
  await claimed.reconcile(WEBHOOKS);
  await pass();
  for (const { answer } of sent) answer(204);
  await pass();
  const counts = async () =>
    await Promise.all(WEBHOOKS.map(async ({ id }) => (await claimed.deliveriesOf(id)).attempts.length));
  assert.deepEqual(await counts(), Array(10).fill(1));
  const [off = assert.fail(), ...others] = WEBHOOKS;
  await claimed.reconcile([{ ...off, state: 'DISABLED' }, ...others.slice(1)]);
  assert.deepEqual(await counts(), [1, 0, ...Array(8).fill(1)]);
});

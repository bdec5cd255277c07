import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { recordedLog } from '../../../test/support/domain.ts';
import { ManualClock } from '../../../test/support/manual-clock.ts';
import { NO_METRICS } from '../../../test/support/metrics.ts';
import type { EventLog } from '../../store/events/event-log.ts';
import type { WebhookRecord } from '../../store/webhooks.ts';
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

/** One event for each webhook, and receivers that never answer. */
function open() {
  const clock = new ManualClock();
  const event = { id: 'e1', type: 'connection.opened', at: clock.now(), game: 'Demo', node: 'n1', data: {} };
  const released: string[] = [];
  let posts = 0;
  const eventLog: Partial<EventLog> = {
    read: async (_, { after }) => ({
      ...{ events: after < 1 ? [{ position: 1, event }] : [], missed: 0, cursor: 1, isEnd: true },
    }),
    onMoved: () => () => {},
    ends: async () => ({ first: 1, last: 1 }),
    cursors: async () => [],
    claim: async () => ({ position: 0, failingSince: undefined }),
    save: async () => true,
    release: async (receiver) => void released.push(receiver),
  };
  const parts: Partial<ClaimedWebhooksParts> = {
    ...{ clock, log: recordedLog().log, metrics: NO_METRICS, random: () => new Uint8Array(16), holdMs: 0 },
    eventLog: eventLog as EventLog,
    cluster: { node: 'n1', isAlive: async () => true },
    sealer: { open: () => new Uint8Array(32) } as unknown as ClaimedWebhooksParts['sealer'],
    pace: createPostPace({ postsPerSecond: 1_000, clock }),
    settings: { webhookMaxParallel: 1, webhookDisableAfterHours: 1 },
    post: {
      post() {
        posts += 1;
        return new Promise(() => {});
      },
    },
  };
  const claimed = createClaimedWebhooks(parts as ClaimedWebhooksParts);
  return { claimed, clock, released, posts: () => posts };
}

test('webhooks that hang are given up together, in the time of one', async () => {
  const { claimed, clock, released, posts } = open();
  await claimed.reconcile(WEBHOOKS);
  for (let step = 0; step < 20; step += 1) {
    await settle();
    clock.advance(10);
  }
  assert.equal(posts(), 10);
  let isOver = false;
  const over = claimed.reconcile([]).then(() => {
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

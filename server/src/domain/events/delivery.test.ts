import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { recordedLog } from '../../../test/support/domain.ts';
import { ManualClock } from '../../../test/support/manual-clock.ts';
import { NO_METRICS } from '../../../test/support/metrics.ts';
import type { EventCursor, LoggedEvent } from '../../store/events/event-log.ts';
import { Delivery } from './delivery.ts';
import { createPostPace } from './post-pace.ts';
import type { WebhookAnswer } from './post-webhook.ts';
import { createRecentAttempts } from './recent-attempts.ts';

interface Sent {
  readonly id: string;
  answer(status: number, retryAfterMs?: number): Promise<void>;
  fail(): Promise<void>;
}

const NOW = new ManualClock().now();

const event = (id: string, player: string, change: Partial<LoggedEvent> = {}): LoggedEvent => ({
  ...{ id, type: 'connection.opened', at: NOW, game: 'Demo', stage: 'Dev', player, node: 'n1', data: {} },
  ...change,
});

/** Lets everything run that waits for nothing but turns of the loop. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 10; turn += 1) await setImmediate();
}

/** A delivery of these events, whose requests the test answers. */
async function open(
  t: TestContext,
  events: LoggedEvent[],
  {
    holdMs = 0,
    first = 1,
    webhookMaxParallel = 2,
  }: { holdMs?: number; first?: number; webhookMaxParallel?: number } = {},
) {
  const clock = new ManualClock();
  const { log } = recordedLog();
  const sent: Sent[] = [];
  const ended: string[] = [];
  const saved: EventCursor[] = [];
  const moved = new Set<() => void>();
  const attempts = createRecentAttempts();
  const delivery = new Delivery({
    receiver: {
      ...{ id: 'w1', gameId: 'g1', gameName: 'Demo', url: 'https://hooks.example/' },
      ...{ filter: { stages: [], types: [] }, secrets: [new Uint8Array(32)] },
    },
    owner: 'n1',
    cursor: { position: 0, failingSince: undefined },
    ended: (reason) => ended.push(reason),
    eventLog: {
      async read(_, { after, limit }) {
        const from = Math.max(after, first - 1);
        const page = events.slice(from, from + limit);
        return {
          events: page.map((each, index) => ({ position: from + 1 + index, event: each })),
          missed: from - after,
          cursor: Math.min(from + limit, events.length),
          isEnd: from + limit >= events.length,
        };
      },
      onMoved(listener) {
        moved.add(listener);
        return () => moved.delete(listener);
      },
      async save(_, __, cursor) {
        saved.push(cursor);
        return true;
      },
    },
    post: {
      post({ body }) {
        const { id, type } = JSON.parse(body);
        let resolve: (answer: WebhookAnswer) => void = () => {};
        let reject: (error: Error) => void = () => {};
        const answered = new Promise<WebhookAnswer>((...both) => {
          [resolve, reject] = both;
        });
        sent.push({
          id: type === 'events.lost' ? type : id,
          answer(status, retryAfterMs) {
            resolve({ status, retryAfterMs });
            return settle();
          },
          fail() {
            reject(new Error('there was no answer'));
            return settle();
          },
        });
        return answered;
      },
    },
    pace: createPostPace({ postsPerSecond: 1_000, clock }),
    attempts,
    ...{ clock, log, holdMs, metrics: NO_METRICS, random: () => new Uint8Array([127]) },
    settings: { webhookMaxParallel, webhookDisableAfterHours: 1 },
  });
  t.after(async () => {
    const stopped = delivery.stop();
    for (const each of sent) await each.fail();
    await stopped;
  });
  await settle();
  const pass = async (ms: number) => {
    clock.advance(ms);
    await settle();
  };
  async function add(...more: LoggedEvent[]): Promise<void> {
    events.push(...more);
    for (const listener of moved) listener();
    await settle();
  }
  const position = async () => {
    await delivery.save();
    return saved.at(-1)?.position;
  };
  const ids = () => sent.map(({ id }) => id);
  return { delivery, attempts, clock, sent, ids, ended, pass, add, position };
}

test('a player’s next event waits until the one before is accepted, and other players do not', async (t) => {
  const { sent, ids, position } = await open(t, [
    event('a1', 'a'),
    event('a2', 'a'),
    event('b1', 'b'),
    event('c1', 'c'),
  ]);
  assert.deepEqual(ids(), ['a1', 'b1'], 'two at once');
  await sent[1]?.answer(200);
  assert.deepEqual(ids(), ['a1', 'b1', 'c1']);
  assert.equal(await position(), 0, 'what is settled behind the first does not move the cursor');
  await sent[0]?.answer(204);
  assert.deepEqual(ids(), ['a1', 'b1', 'c1', 'a2']);
  assert.equal(await position(), 1);
  await sent[3]?.answer(204);
  await sent[2]?.answer(204);
  assert.equal(await position(), 4);
});

test('what happens to a player in the whole game and in a stage is sent in order', async (t) => {
  const { stage: _, ...blocked } = event('a1', 'a', { type: 'player.blocked' });
  const { sent, ids } = await open(t, [blocked, event('a2', 'a', { type: 'connection.closed' })]);
  assert.deepEqual(ids(), ['a1']);
  await sent[0]?.answer(200);
  assert.deepEqual(ids(), ['a1', 'a2']);
});

test('what comes in the place of an event that the log has lost is sent, and is not taken for settled with that one', async (t) => {
  const events = ['a', 'b', 'c'].map((player) => event(player, player));
  const { sent, ids, add, position } = await open(t, events, { webhookMaxParallel: 9 });
  assert.deepEqual(ids(), ['a', 'b', 'c']);
  events.length = 1;
  await add();
  await add(event('d', 'd'));
  assert.deepEqual(ids(), ['a', 'b', 'c', 'd']);
  for (const lost of [1, 2]) await sent[lost]?.answer(200);
  await sent[0]?.answer(200);
  assert.equal(await position(), 1);
  await sent[3]?.answer(200);
  assert.equal(await position(), 2);
});

test('an event that the log has lost does not keep the cursor beyond the end of the log', async (t) => {
  const events = ['a', 'b', 'c'].map((player) => event(player, player));
  const { sent, ids, add, position } = await open(t, events, { webhookMaxParallel: 9 });
  for (const settled of [0, 1]) await sent[settled]?.answer(200);
  assert.equal(await position(), 2);
  events.length = 1;
  await add();
  assert.equal(await position(), 1);
  await add(event('d', 'd'));
  assert.deepEqual([ids(), await position()], [['a', 'b', 'c', 'd'], 1]);
});

test('after a failure one event at a time tries whether the receiver is back, and then all flow', async (t) => {
  const { sent, ids, pass, position } = await open(
    t,
    ['a', 'b', 'c', 'd'].map((player) => event(player, player)),
  );
  await sent[0]?.fail();
  await sent[1]?.answer(503);
  assert.deepEqual(ids(), ['a', 'b'], 'a pause');
  await pass(1_000);
  assert.equal(sent.length, 3, 'one only');
  await sent[2]?.answer(500);
  await pass(999);
  assert.equal(sent.length, 3);
  for (let seconds = 0; seconds < 60; seconds += 1) {
    await pass(1_000);
    const last = sent.at(-1);
    await last?.fail();
  }
  await pass(5_000);
  const tried = sent.length;
  await sent.at(-1)?.answer(200);
  assert.equal(sent.length, tried + 2, 'two at once again');
  for (let index = tried; index < sent.length; index += 1) await sent[index]?.answer(200);
  assert.equal(await position(), 4);
  assert.deepEqual([...new Set(ids())].sort(), ['a', 'b', 'c', 'd']);
});

test('an event that is refused again and again while others are accepted is given up, and its player goes on', async (t) => {
  const { sent, ids, pass, add, position } = await open(t, [event('bad', 'a'), event('next', 'a')]);
  await sent[0]?.answer(400);
  for (let minute = 0; minute < 60 && !ids().includes('next'); minute += 1) {
    await add(event(`good ${minute}`, 'b'));
    await pass(60_000);
    for (let index = 0; index < sent.length; index += 1) {
      await sent[index]?.answer(sent[index]?.id === 'bad' ? 400 : 200);
    }
  }
  assert.ok(ids().includes('next'), ids().join(' '));
  const attempts = ids().filter((id) => id === 'bad').length;
  assert.ok(attempts >= 8 && attempts <= 11, `${attempts} attempts`);
  await pass(60_000);
  for (const each of sent) await each.answer(200);
  assert.ok(Number(await position()) > 2);
});

test('a webhook whose URL was changed is tried there at once', async (t) => {
  const { delivery, sent } = await open(t, [event('a', 'a')]);
  await sent[0]?.answer(503, 3_600_000);
  const receiver = { id: 'w1', gameId: 'g1', gameName: 'Demo', filter: { stages: [], types: [] }, secrets: [] };
  delivery.change({ ...receiver, url: 'https://hooks.example/' });
  await settle();
  assert.equal(sent.length, 1);
  delivery.change({ ...receiver, url: 'https://elsewhere.example/' });
  await settle();
  assert.equal(sent.length, 2);
});

test('what the old URL of a webhook answers is not held against the new one', async (t) => {
  for (const status of [410, 503]) {
    const { delivery, sent, ended, ids, position } = await open(t, [event('a', 'a')]);
    const receiver = { id: 'w1', gameId: 'g1', gameName: 'Demo', filter: { stages: [], types: [] }, secrets: [] };
    delivery.change({ ...receiver, url: 'https://elsewhere.example/' });
    await sent[0]?.answer(status);
    assert.deepEqual(ended, []);
    assert.deepEqual(ids(), ['a', 'a'], 'it is sent to the new one at once');
    await sent[1]?.answer(200);
    assert.equal(await position(), 1);
  }
});

test('a receiver that says when to come back is left alone until then, and for an hour at most', async (t) => {
  const { sent, pass } = await open(t, [event('a', 'a')]);
  await sent[0]?.answer(429, 90_000);
  await pass(89_999);
  assert.equal(sent.length, 1);
  await pass(1);
  assert.equal(sent.length, 2);
});

test('a receiver that is gone, or has accepted nothing for too long, is switched off', async (t) => {
  const gone = await open(t, [event('a', 'a'), event('b', 'b')]);
  await gone.sent[0]?.answer(410);
  await gone.sent[1]?.answer(410);
  assert.deepEqual(gone.ended, ['the receiver has answered 410 (Gone)']);
  await gone.pass(600_000);
  assert.equal(gone.sent.length, 2);

  const dead = await open(t, [event('a', 'a')]);
  for (let minute = 0; minute <= 70 && dead.ended.length === 0; minute += 1) {
    await dead.sent.at(-1)?.fail();
    await dead.pass(60_000);
  }
  assert.deepEqual(dead.ended, ['nothing was accepted for 1 hours: there was no answer']);
});

test('a receiver that fails while the clock is set forward is not switched off for that', async (t) => {
  const { sent, ended, clock, pass } = await open(t, [event('a1', 'a')]);
  await sent[0]?.answer(500);
  clock.setForward(30 * 86_400_000);
  await pass(10_000);
  assert.equal(sent.length, 2);
  await sent[1]?.answer(500);
  assert.deepEqual(ended, []);
  for (let attempts = 2; ended.length === 0 && attempts < 200; attempts = sent.length) {
    await pass(30_000);
    if (sent.length > attempts) await sent.at(-1)?.answer(500);
  }
  assert.equal(ended.length, 1);
  const failedForMs = clock.monotonic();
  assert.ok(failedForMs >= 3_600_000 && failedForMs < 2 * 3_600_000, `${failedForMs}`);
});

test('events of one player that come from several nodes are sent in order of time, as far as they are there in time', async (t) => {
  const { sent, ids, pass, add } = await open(t, [event('late', 'a')], { holdMs: 1_000 });
  assert.deepEqual(ids(), []);
  await pass(500);
  await add(event('early', 'a', { at: NOW - 100 }));
  await pass(500);
  assert.deepEqual(ids(), ['early']);
  await sent[0]?.answer(200);
  assert.deepEqual(ids(), ['early', 'late']);
});

test('a receiver that is behind what is kept is told how many events it has missed', async (t) => {
  const { sent, ids, position } = await open(t, [event('1', 'a'), event('2', 'a'), event('3', 'a')], { first: 3 });
  assert.deepEqual(ids().sort(), ['3', 'events.lost']);
  for (let index = 0; index < sent.length; index += 1) await sent[index]?.answer(200);
  assert.equal(await position(), 3);
});

test('each attempt is noted, with what came of it, when it is tried again, and how much waits', async (t) => {
  const { delivery, attempts, clock, sent, pass } = await open(t, [event('a1', 'a'), event('a2', 'a')], {
    webhookMaxParallel: 1,
  });
  assert.deepEqual([attempts.of('w1'), delivery.waiting(5)], [[], 5]);
  clock.advance(40);
  await sent[0]?.answer(503, 60_000);
  const refusedAt = clock.now();
  const facts = { eventId: 'a1', eventType: 'connection.opened', position: 1 };
  const error = 'the receiver answers with the status 503';
  const refused = { ...facts, at: refusedAt - 40, tookMs: 40, number: 1, status: 503, error };
  assert.deepEqual(attempts.of('w1'), [{ ...refused, outcome: 'to_be_retried', retryAt: refusedAt + 60_000 }]);
  await pass(59_999);
  assert.equal(sent.length, 1);
  await pass(1);
  await sent[1]?.fail();
  const [unanswered] = attempts.of('w1');
  assert.deepEqual([unanswered?.number, unanswered?.status], [2, undefined]);
  assert.equal(unanswered?.error, 'there was no answer');
  await pass((unanswered?.retryAt ?? 0) - clock.now());
  await sent[2]?.answer(204);
  const [accepted] = attempts.of('w1');
  assert.deepEqual([accepted?.number, accepted?.outcome, accepted?.error], [3, 'delivered', undefined]);
  assert.equal(delivery.waiting(2), 1);
  await sent[3]?.answer(410);
  assert.deepEqual([attempts.of('w1')[0]?.eventId, attempts.of('w1')[0]?.outcome], ['a2', 'switched_off']);
});

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Heartbeat } from './heartbeat.ts';
import { FakeClock } from './test/fakes.ts';

const PERIOD_MS = 20_000;

function setUp({ periodMs = PERIOD_MS, clock = new FakeClock() } = {}) {
  const sent: number[] = [];
  const ends: [reason: string, atMs: number, lateMs: number][] = [];
  let answersAfterMs: number | undefined;
  const heartbeat: Heartbeat = new Heartbeat({
    periodMs,
    clock,
    send() {
      sent.push(clock.monotonic());
      if (answersAfterMs === undefined) return;
      // Frames arrive whatever becomes of timers.
      const arrivesAtMs = clock.monotonic() + answersAfterMs;
      arrivals.push(arrivesAtMs);
    },
    giveUp(reason, lateMs) {
      ends.push([reason, clock.monotonic(), lateMs]);
      heartbeat.stop();
    },
  });
  const arrivals: number[] = [];
  /** Lets time pass; answers arrive between the timers, as far as the server gives any. */
  const pass = async (forMs: number, stepMs = 1_000) => {
    for (let passedMs = 0; passedMs < forMs; passedMs += stepMs) {
      await clock.advance(stepMs);
      while ((arrivals[0] ?? Number.POSITIVE_INFINITY) <= clock.monotonic()) {
        arrivals.shift();
        heartbeat.received();
      }
    }
  };
  return {
    clock,
    heartbeat,
    sent,
    ends,
    pass,
    answer(afterMs: number | undefined) {
      answersAfterMs = afterMs;
    },
  };
}

describe('timers that fire once a minute, as in a hidden tab', () => {
  test('do not end a connection whose server answers', async () => {
    const { answer, pass, ends, sent } = setUp({ clock: new FakeClock(60_000) });
    answer(100);
    await pass(3_600_000);
    assert.deepEqual(ends, []);
    assert.equal(sent.length, 60, 'one heartbeat a wake-up');
  });

  test('nor one that the server answers slowly', async () => {
    const { answer, pass, ends } = setUp({ clock: new FakeClock(60_000) });
    answer(9_000);
    await pass(3_600_000);
    assert.deepEqual(ends, []);
  });

  test('still find out in three minutes that the server is gone, and how long ago it could have been known', async () => {
    const { answer, pass, ends } = setUp({ clock: new FakeClock(60_000) });
    answer(100);
    await pass(600_000);
    answer(undefined);
    await pass(300_000);
    assert.deepEqual(ends, [['no answer to a heartbeat within 5000 ms', 780_000, 115_000]]);
  });
});

test('whatever the period is, timers that fire every third period do not end a living connection', async () => {
  for (const periodMs of [100, 1_000, 5_000, 20_000, 120_000]) {
    const { answer, pass, ends } = setUp({ periodMs, clock: new FakeClock(3 * periodMs) });
    answer(periodMs / 20);
    await pass(300 * periodMs, periodMs / 20);
    assert.deepEqual(ends, [], `${periodMs}`);
  }
});

describe('after a sleep', () => {
  test('the server is asked once more, and its answer keeps the connection', async () => {
    const { clock, answer, pass, ends, sent } = setUp();
    answer(100);
    await pass(30_000);
    clock.sleep(3_600_000);
    await pass(60_000);
    assert.deepEqual(ends, []);
    assert.deepEqual(sent, [20_000, 3_630_000, 3_650_000, 3_670_000, 3_690_000]);
  });

  test('a heartbeat from before it proves nothing, because its answer may lie unread', async () => {
    const { clock, answer, pass, ends } = setUp();
    await pass(20_000);
    answer(100);
    clock.sleep(3_600_000);
    await pass(60_000);
    assert.deepEqual(ends, []);
  });

  test('a server that is gone has five seconds', async () => {
    const { clock, pass, ends } = setUp();
    await pass(30_000);
    clock.sleep(3_600_000);
    await pass(60_000);
    assert.deepEqual(ends, [['no answer to a heartbeat within 5000 ms', 3_635_000, 0]]);
  });
});

test('a heartbeat that a busy thread sent late has the time to be answered, though the deadline fires in time', async () => {
  const { clock, answer, pass, ends } = setUp();
  answer(1_500);
  await pass(19_000);
  clock.sleep(20_500);
  await pass(60_000, 500);
  assert.deepEqual(ends, []);
});

test('a server that is silent for two periods has no time more when the timers fire as they should', async () => {
  const { pass, ends, sent } = setUp();
  await pass(60_000);
  assert.deepEqual(ends, [['nothing received for 40000 ms', 40_000, 0]]);
  assert.deepEqual(sent, [20_000]);
});

describe('check()', () => {
  test('sends a heartbeat at once, and gives the server five seconds', async () => {
    const { heartbeat, pass, ends, sent } = setUp();
    await pass(7_000);
    heartbeat.check();
    assert.deepEqual(sent, [7_000]);
    await pass(10_000);
    assert.deepEqual(ends, [['no answer to a heartbeat within 5000 ms', 12_000, 0]]);
  });

  test('changes nothing when the server answers', async () => {
    const { heartbeat, answer, pass, ends, sent, clock } = setUp();
    answer(100);
    await pass(7_000);
    heartbeat.check();
    await pass(60_000);
    assert.deepEqual(ends, []);
    assert.deepEqual(sent, [7_000, 27_000, 47_000, 67_000]);
    heartbeat.stop();
    assert.equal(clock.timers, 0);
  });

  test('called all the time sends no flood, and puts off no end', async () => {
    const { heartbeat, pass, ends, sent } = setUp();
    await pass(7_000);
    for (let call = 0; call < 200 && ends.length === 0; call += 1) {
      heartbeat.check();
      await pass(100, 100);
    }
    assert.deepEqual(ends, [['no answer to a heartbeat within 5000 ms', 12_000, 0]]);
    assert.deepEqual(sent, [7_000]);
  });

  test('called all the time sends at most one heartbeat a second to a server that answers', async () => {
    const { heartbeat, answer, pass, sent, ends } = setUp();
    answer(0);
    for (let call = 0; call < 1_000; call += 1) {
      heartbeat.check();
      await pass(10, 10);
    }
    assert.ok(sent.length <= 10, `${sent.length}`);
    assert.deepEqual(ends, []);
  });
});

import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { type FakeAnswer, HANG_UP, refusal, startFakeService } from '../../../test/support/fake-service.ts';
import { systemClock } from '../../clock.ts';

const SHOW = ['jobs', 'show', '--game', 'Demo', '--stage', 'Dev', '--id', 'a1'];

const jobOf = (State: string): FakeAnswer => ({
  body: {
    Job: {
      ...{ JobId: 'a1', State, StartedBy: 'KEY', Created: '2026-01-01T00:00:00Z' },
      ...{ Connections: 9, Players: 9, Closed: 3, GoneAlready: 0, InFlight: 0, Unproven: 0 },
    },
  },
});

/** A service that gives these answers in turn, and the last of them again and again. */
async function serve(t: TestContext, ...answers: readonly FakeAnswer[]) {
  let count = 0;
  return await startFakeService(t, () => {
    count += 1;
    return answers[Math.min(count, answers.length) - 1] ?? HANG_UP;
  });
}

/** Has the clock go on by as much each time that it is looked at. */
function hurry(t: TestContext, stepMs: number): void {
  let now = 0;
  t.mock.method(systemClock, 'monotonic', () => {
    now += stepMs;
    return now;
  });
}

describe('a job that is followed', () => {
  it('is followed through a restart of the server', { timeout: 30_000 }, async (t) => {
    const { world } = await serve(t, jobOf('IN_PROGRESS'), HANG_UP, HANG_UP, jobOf('COMPLETED'));
    assert.equal(await world.run(...SHOW), 0, world.err());
    assert.match(world.out(), /COMPLETED/);
    assert.match(world.err(), /^in progress: 3 of about 9 [^\n]*\ncannot reach [^\n]*; trying again\n$/);
  });

  it('is given up when nobody says for a minute how far it is', { timeout: 30_000 }, async (t) => {
    const { world, requests } = await serve(t, jobOf('IN_PROGRESS'), HANG_UP);
    hurry(t, 25_000);
    assert.equal(await world.run(...SHOW), 1);
    assert.match(
      world.err(),
      /\ncannot reach [^\n]*; nobody could say for a minute how far job a1 is; "respark jobs show" follows it again\n$/,
    );
    assert.equal(requests.length, 4);
  });

  for (const [what, answer] of [
    ['a server that was not there to begin with', HANG_UP],
    ['one that refuses', refusal('AccessDeniedException', 'no', 403)],
  ] as const) {
    it(`is not waited for with ${what}`, async (t) => {
      const { world, requests } = await serve(t, answer);
      assert.equal(await world.run(...SHOW), 1);
      assert.equal(requests.length, 1);
    });
  }
});

it('says whole how a job that waits is confirmed', async (t) => {
  const { world } = await serve(t, jobOf('AWAITING_CONFIRMATION'));
  assert.equal(await world.run(...SHOW), 0, world.err());
  assert.match(world.out(), /: respark jobs confirm --game Demo --stage Dev --id a1\n$/);
});

describe('a rehearsal', () => {
  const REHEARSE = ['rehearse', '--game', 'Demo', '--stage', 'Dev', '--player', 'ada', '--only', 'kicked'];

  it('ends soon with a server that says nothing, whose calls take half a minute each', async (t) => {
    const { world, requests } = await serve(t, HANG_UP);
    hurry(t, 30_000);
    assert.equal(await world.run(...REHEARSE), 1);
    assert.match(world.err(), /^2 looks in 60 s did not say whether the client is connected: cannot reach /);
    assert.equal(requests.length, 2);
  });
});

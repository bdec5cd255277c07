import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { ManualClock } from '../../../test/support/manual-clock.ts';
import { createPostPace } from './post-pace.ts';

/** Receivers that always have something to post, and what they have posted. */
function open({ postsPerSecond = 100, receivers }: { postsPerSecond?: number; receivers: readonly string[] }) {
  const clock = new ManualClock();
  const turns: (() => void)[] = [];
  const pace = createPostPace({
    ...{ postsPerSecond, clock, later: (task: () => void) => turns.push(task) },
    // No post ends while the test does not wait.
    maxUnderWay: Number.POSITIVE_INFINITY,
  });
  const posted: string[] = [];
  const ask = (receiver: string): (() => void) =>
    pace.ask(receiver[0] ?? '', receiver, () => {
      posted.push(receiver);
      ask(receiver);
      return Promise.resolve();
    });
  const cancels = receivers.map(ask);
  /** One turn of the event loop. */
  const turn = () => {
    for (const task of turns.splice(0)) task();
  };
  const pass = (ms: number) => {
    for (let passed = 0; passed < ms; passed += 1) {
      clock.advance(1);
      for (let count = 0; count < 50; count += 1) turn();
    }
  };
  return { pace, posted, turn, pass, cancels, clock };
}

const countOf = (posted: readonly string[], begin: string) => posted.filter((each) => each.startsWith(begin)).length;

test('one post goes out in a turn of the event loop, and so many a second', () => {
  const { posted, turn, pass } = open({ receivers: ['a1', 'b1', 'c1', 'd1'] });
  turn();
  assert.equal(posted.length, 1);
  turn();
  assert.equal(posted.length, 2);
  pass(10_000);
  assert.ok(posted.length >= 1_000 && posted.length <= 1_015, `${posted.length} posts in ten seconds`);
});

test('a game has half of the posts at most, and games and their receivers take turns', () => {
  const alone = open({ receivers: ['a1', 'a2'] });
  alone.pass(10_000);
  assert.ok(alone.posted.length >= 495 && alone.posted.length <= 510, `${alone.posted.length} posts of one game`);
  assert.ok(Math.abs(countOf(alone.posted, 'a1') - countOf(alone.posted, 'a2')) <= 1);
  const { posted, pass } = open({ receivers: ['a1', 'a2', 'a3', 'a4', 'b1', 'c1'] });
  pass(10_000);
  for (const game of ['a', 'b', 'c']) {
    assert.ok(Math.abs(countOf(posted, game) - posted.length / 3) < 20, `${game}: ${countOf(posted, game)}`);
  }
});

test('what was taken back is not posted, and what posts nothing is not counted', async () => {
  const clock = new ManualClock();
  const pace = createPostPace({ postsPerSecond: 20, clock });
  const posted: string[] = [];
  const post =
    (name: string, hasPosted = true) =>
    () => {
      posted.push(name);
      return hasPosted ? Promise.resolve() : undefined;
    };
  const cancel = pace.ask('a', 'a1', post('taken back'));
  pace.ask('b', 'b1', post('other'));
  cancel();
  for (let index = 0; index < 10; index += 1) pace.ask('c', `c${index}`, post('nothing', false));
  for (let turn = 0; turn < 20; turn += 1) await setImmediate();
  assert.deepEqual(posted, ['other', ...Array(10).fill('nothing')]);
});

test('games whose receivers take long leave places to others, and go on when one of them has answered', async () => {
  const clock = new ManualClock();
  const pace = createPostPace({ postsPerSecond: 100_000, clock, maxUnderWay: 16 });
  const underWay = new Map<string, (() => void)[]>();
  const want = (game: string) => {
    pace.ask(game, game, () => {
      want(game);
      return new Promise((end) => underWay.set(game, [...(underWay.get(game) ?? []), end]));
    });
  };
  const settle = async () => {
    for (let turn = 0; turn < 50; turn += 1) await setImmediate();
  };
  const countOfGame = (game: string) => underWay.get(game)?.length ?? 0;

  want('a');
  await settle();
  assert.equal(countOfGame('a'), 7, 'one game has less than half of the places');
  assert.equal(pace.enter('a'), undefined);
  for (const game of ['b', 'c', 'd', 'e']) {
    want(game);
    await settle();
    assert.ok(countOfGame(game) > 0, `game ${game} has a place`);
  }
  const leave = pace.enter('f');
  assert.ok(leave, 'and so has whoever comes then');
  leave();
  const before = countOfGame('a');
  for (const end of underWay.get('a') ?? []) end();
  await settle();
  assert.ok(countOfGame('a') > before, 'what waits goes on');
});

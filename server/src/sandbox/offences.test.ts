import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ManualClock } from '../../test/support/manual-clock.ts';
import { Offences } from './offences.ts';

test('a few short invocations do not hide long ones, and many do', () => {
  const offences = new Offences({ clock: new ManualClock() });
  const short = (count: number) => {
    for (let each = 0; each < count; each += 1) offences.spent('stage', 1);
  };
  short(100);
  assert.equal(offences.isSlow({ stageId: 'stage', gameId: 'game' }), false);
  for (const ms of [150, 150]) offences.spent('stage', ms);
  short(12);
  assert.equal(offences.isSlow({ stageId: 'stage', gameId: 'game' }), true);
  assert.equal(offences.isSlow({ stageId: 'another', gameId: 'game' }), false);
  short(1_000);
  assert.equal(offences.isSlow({ stageId: 'stage', gameId: 'game' }), false);
});

test('a stage of ordinary invocations is not slow', () => {
  const offences = new Offences({ clock: new ManualClock() });
  for (let each = 0; each < 1_000; each += 1) offences.spent('stage', each % 10);
  assert.equal(offences.isSlow({ stageId: 'stage', gameId: 'game' }), false);
});

test('a stage is quick until a long invocation, and again after many short ones', () => {
  const offences = new Offences({ clock: new ManualClock() });
  const short = (count: number) => {
    for (let each = 0; each < count; each += 1) offences.spent('stage', 0.5);
  };
  assert.equal(offences.isQuick('stage'), true);
  short(100);
  assert.equal(offences.isQuick('stage'), true);
  offences.spent('stage', 50);
  short(100);
  assert.equal(offences.isQuick('stage'), false);
  short(2_000);
  assert.equal(offences.isQuick('stage'), true);
});

test('games for which threads that loaded scripts had to be ended load one after the other for a while', () => {
  const clock = new ManualClock();
  const offences = new Offences({ clock });
  for (const gameId of ['one', 'two'])
    offences.killed({ stageId: `stage of ${gameId}`, gameId }, { whileLoading: true });
  offences.killed({ stageId: 'stuck', gameId: 'stuck' });
  const inTurn = (...games: [string, string]) => offences.mustLoadInTurn(...games);
  assert.deepEqual([inTurn('one', 'two'), inTurn('two', 'one'), inTurn('other', 'other')], [true, true, true]);
  assert.deepEqual([inTurn('one', 'other'), inTurn('other', 'two'), inTurn('stuck', 'one')], [false, false, false]);
  clock.advance(3_600_000);
  assert.equal(inTurn('one', 'two'), false);
});

test('games that load one after the other are remembered until it is their turn again, also when they are a hundred', () => {
  const clock = new ManualClock();
  const offences = new Offences({ clock });
  for (let number = 0; number < 100; number += 1) {
    offences.killed({ stageId: `stage ${number}`, gameId: `game ${number}` }, { whileLoading: true });
    clock.advance(5_000);
  }
  assert.equal(offences.mustLoadInTurn('game 0', 'game 99'), true);
});

test('while a game has had threads ended, its stages of which little is known count as slow', () => {
  const clock = new ManualClock();
  const offences = new Offences({ clock });
  const isSlow = (stageId: string, gameId = 'game') => offences.isSlow({ stageId, gameId });
  offences.spent('busy', 0.5);
  for (let each = 0; each < 400; each += 1) offences.spent('busy', 0.5);
  offences.spent('rare', 0.5);
  offences.spent('stuck', 400);
  assert.equal(isSlow('new'), false);
  offences.killed({ stageId: 'stuck', gameId: 'game' });
  assert.deepEqual(
    ['stuck', 'new', 'rare', 'busy'].map((stageId) => isSlow(stageId)),
    [true, true, true, false],
  );
  assert.equal(isSlow('new', 'other game'), false);
  clock.advance(60_000);
  assert.deepEqual(
    ['stuck', 'new', 'rare'].map((stageId) => isSlow(stageId)),
    [true, false, false],
  );
});

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
  assert.equal(offences.isSlow('stage'), false);
  for (const ms of [150, 150]) offences.spent('stage', ms);
  short(12);
  assert.equal(offences.isSlow('stage'), true);
  assert.equal(offences.isSlow('another'), false);
  short(1_000);
  assert.equal(offences.isSlow('stage'), false);
});

test('a stage of ordinary invocations is not slow', () => {
  const offences = new Offences({ clock: new ManualClock() });
  for (let each = 0; each < 1_000; each += 1) offences.spent('stage', each % 10);
  assert.equal(offences.isSlow('stage'), false);
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

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ManualClock } from '../../test/support/manual-clock.ts';
import { createThrottle } from './throttle.ts';

const SETTINGS = {
  ...{ readCallsPerSecond: 12, readCallsBurst: 12, writeCallsPerSecond: 12, writeCallsBurst: 2 },
  ...{ disconnectCallsPerSecond: 12, disconnectCallsBurst: 12, replyBytesPerSecond: 1_000, replyBytesBurst: 1_000 },
};

function takeAll(throttle: ReturnType<typeof createThrottle>, of: 'read' | 'write'): number {
  let taken = 0;
  while (taken < 100 && throttle.take('caller', of) === undefined) taken += 1;
  return taken;
}

test('each node that takes calls gives its share of what a caller may do', () => {
  let managementNodes = 1;
  const clock = new ManualClock();
  const throttle = createThrottle({ settings: SETTINGS, clock, managementNodes: () => managementNodes });
  assert.equal(takeAll(throttle, 'read'), 12);
  managementNodes = 3;
  clock.advance(1_000);
  assert.equal(takeAll(throttle, 'read'), 4);
  // A burst that is smaller than the number of nodes lets one call through.
  assert.equal(takeAll(throttle, 'write'), 1);
});

test('brief words on record are many beyond 128 KiB a second and 4 MiB at once, long ones at any time', () => {
  const clock = new ManualClock();
  const throttle = createThrottle({ settings: SETTINGS, clock });
  const isMuch = (bytes: number) => throttle.isMuchOnRecord('caller', bytes);
  assert.equal(isMuch(4_097), true);
  assert.equal(isMuch(0), false);
  const countBrief = () => {
    let count = 0;
    while (count < 2_000 && !isMuch(4_096)) count += 1;
    return count;
  };
  assert.equal(countBrief(), 1_024);
  clock.advance(1_000);
  assert.equal(countBrief(), 32);
  assert.equal(throttle.isMuchOnRecord('another', 4_096), false);
  assert.equal(isMuch(0), false);
});

test('long records have the same bytes in time, and few words none', () => {
  const clock = new ManualClock();
  const throttle = createThrottle({ settings: SETTINGS, clock });
  const take = (bytes: number) => throttle.takeLongRecord('caller', bytes);
  for (let round = 0; round < 64; round += 1) assert.equal(take(65_536), undefined);
  assert.deepEqual(take(65_536), { of: 'bytes on record', waitMs: 500 });
  assert.equal(take(4_096), undefined);
  assert.equal(throttle.takeLongRecord('another', 65_536), undefined);
  clock.advance(500);
  assert.equal(take(65_536), undefined);
  // What is longer than may come at once waits until nothing else was there.
  clock.advance(60_000);
  assert.equal(take(10_000_000), undefined);
});

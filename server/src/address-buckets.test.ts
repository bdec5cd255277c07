import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ManualClock } from '../test/support/manual-clock.ts';
import { createAddressBuckets, networkOfLane } from './address-buckets.ts';
import { addressGroup } from './http/client-address.ts';

test('a /56 has twice and a /48 four times what a /64 has, and what is refused takes nothing of either', () => {
  const clock = new ManualClock();
  const buckets = createAddressBuckets({ ratePerSecond: 1, burst: 2, maxKeys: 100, clock });
  const takes = (...addresses: string[]) => addresses.map((address) => buckets.take(addressGroup(address)));
  assert.deepEqual(takes('2001:db8:1:2::1', '2001:db8:1:2::2', '2001:db8:1:2::3'), [0, 0, 1_000]);
  assert.deepEqual(takes('2001:db8:1:3::1', '2001:db8:1:4::1', '2001:db8:1:ff::1'), [0, 0, 500]);
  const others = ['2001:db8:1:100::1', '2001:db8:1:200::1', '2001:db8:1:ab00::1', '2001:db8:1:ffff::1'];
  assert.deepEqual(takes(...others, '2001:db8:1:300::1'), [0, 0, 0, 0, 250]);
  assert.deepEqual(takes('2001:db8:2:2::1', '192.0.2.1', '192.0.2.1', '192.0.2.1', '192.0.2.2'), [0, 0, 0, 1_000, 0]);
  clock.advance(1_000);
  assert.deepEqual(takes('2001:db8:1:2::1', '2001:db8:1:2::1'), [0, 1_000]);
  const peeks = (...addresses: string[]) => addresses.map((address) => buckets.peek(addressGroup(address)));
  assert.deepEqual(peeks('2001:db8:1:2::1', '2001:db8:1:5::1', '2001:db8:2:3::1', '192.0.2.9'), [1_000, 0, 0, 0]);
  assert.equal(buckets.take('192.0.2.9', 3), Number.POSITIVE_INFINITY);
});

test('the lanes of an access key in the /64s of one customer are of one network, and those of other keys there are not', () => {
  const laneOf = (address: string, ...key: string[]) => [addressGroup(address), ...key].join(' ');
  const networks = (...lanes: string[]) => new Set(lanes.map(networkOfLane)).size;
  assert.equal(networks(laneOf('2001:db8:1:2::1'), laneOf('2001:db8:1:3::1')), 1);
  assert.equal(networks(laneOf('2001:db8:1:2::1', 'KEY'), laneOf('2001:db8:1:3::1', 'KEY')), 1);
  assert.equal(networks(laneOf('2001:db8:1:2::1', 'KEY'), laneOf('2001:db8:1:2::1', 'OTHER')), 2);
  assert.equal(networks(laneOf('2001:db8:1:2::1', 'KEY'), laneOf('2001:db8:2:2::1', 'KEY')), 2);
  assert.equal(networks(laneOf('192.0.2.1', 'KEY'), laneOf('192.0.2.2', 'KEY'), 'handshakes of proxies'), 3);
  assert.equal(networkOfLane('handshakes of proxies'), 'handshakes of proxies');
});

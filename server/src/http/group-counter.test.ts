import assert from 'node:assert/strict';
import { test } from 'node:test';
import { addressGroup } from './client-address.ts';
import { GroupCounter } from './group-counter.ts';

test('a /56 and a /48 have twice and four times the limit of a /64, and others have their own', () => {
  const counter = new GroupCounter();
  const take = (address: string) => {
    const group = addressGroup(address);
    if (counter.isFull(group, 2)) return false;
    counter.add(group);
    return true;
  };
  const attempts = (...addresses: string[]) => addresses.map(take);
  assert.deepEqual(attempts('2001:db8:1:2::1', '2001:db8:1:2::2', '2001:db8:1:2::3'), [true, true, false]);
  // The rest of the /56.
  assert.deepEqual(attempts('2001:db8:1:3::1', '2001:db8:1:4::1', '2001:db8:1:ff::1'), [true, true, false]);
  // The rest of the /48.
  const others = ['2001:db8:1:100::1', '2001:db8:1:200::1', '2001:db8:1:ab00::1', '2001:db8:1:ffff::1'];
  assert.deepEqual(attempts(...others, '2001:db8:1:300::1'), [true, true, true, true, false]);
  assert.deepEqual(attempts('2001:db8:2:2::1', '192.0.2.1', '192.0.2.2'), [true, true, true]);
});

test('nothing is left of what was removed', () => {
  const counter = new GroupCounter();
  const groups = ['2001:db8::1', '2001:db8:0:ff00::1', '::1', '192.0.2.1'].map(addressGroup);
  for (const group of groups) counter.add(group);
  assert.equal(counter.total, 4);
  for (const group of groups) counter.remove(group);
  assert.deepEqual([counter.total, counter.groups], [0, 0]);
});

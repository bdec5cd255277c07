import assert from 'node:assert/strict';
import { Socket } from 'node:net';
import { test } from 'node:test';
import { type Placed, YieldOrder } from './yield-order.ts';

/** An order, and sockets that are named after their group and number in it. */
function open() {
  let now = 0;
  const order = new YieldOrder({ clock: { monotonic: () => now }, maxKnownOfCaller: 3 });
  const names = new Map<Placed, string>();
  return {
    order,
    pass(ms: number) {
      now += ms;
    },
    place(name: string, standing: 'silent' | 'idle' | 'asking' | 'known' = 'silent', caller = 'somebody'): Placed {
      const placed: Placed = { socket: new Socket(), group: name.split(' ')[0] ?? '', standing: undefined, since: 0 };
      names.set(placed, name);
      order.move(placed, standing === 'known' ? 'asking' : standing);
      if (standing === 'known') order.know(placed, caller);
      now += 1;
      return placed;
    },
    /** Who give way, one after the other, until nobody is left. */
    all(): string[] {
      const gone: string[] = [];
      for (let first = order.first(); first !== undefined; first = order.first()) {
        gone.push(names.get(first) ?? '');
        order.delete(first);
      }
      return gone;
    },
  };
}

test('of one address, silent sockets go first, then those that were answered, that ask, that just came, that are known', () => {
  const { place, pass, all } = open();
  place('a known', 'known');
  place('a asking', 'asking');
  place('a idle', 'idle');
  place('a silent');
  pass(2_000);
  place('a young');
  assert.deepEqual(all(), ['a silent', 'a idle', 'a asking', 'a young', 'a known']);
});

test('of one standing, the one goes first that has had it for longest', () => {
  const { order, place, all } = open();
  const first = place('a 1', 'idle');
  place('b 2', 'idle');
  place('c 3', 'idle');
  order.move(first, 'asking');
  order.move(first, 'idle');
  assert.deepEqual(all(), ['b 2', 'c 3', 'a 1']);
});

test('the address that has most sockets loses them, until it has no more than others', () => {
  const { place, pass, all } = open();
  place('victim 1');
  pass(2_000);
  for (const number of [1, 2, 3]) place(`a ${number}`, 'asking');
  for (const number of [1, 2]) place(`b ${number}`, 'idle');
  assert.deepEqual(all(), ['a 1', 'b 1', 'a 2', 'victim 1', 'b 2', 'a 3']);
});

test('known callers go only when there is nobody else, from whatever address', () => {
  const { place, all } = open();
  for (const number of [1, 2, 3]) place(`office ${number}`, 'known');
  place('stranger 1', 'idle');
  assert.deepEqual(all(), ['stranger 1', 'office 1', 'office 2', 'office 3']);
});

test('of one caller only so many sockets go last, so that those who come anew can be known too', () => {
  const { order, place, all } = open();
  const known = [1, 2, 3, 4, 5].map((number) => place(`a ${number}`, 'known', 'viewer'));
  assert.deepEqual(
    known.map(({ standing }) => standing),
    ['known', 'known', 'known', 'asking', 'asking'],
  );
  const [first, second] = known as [Placed, Placed];
  order.move(first, 'asking');
  assert.equal(order.know(second, 'another'), true, 'a proxy may bring the next request of somebody else');
  for (const number of [6, 7, 8]) place(`a ${number}`, 'known', 'viewer');
  place('newcomer 1');
  assert.deepEqual(all(), ['a 4', 'a 5', 'a 1', 'a 8', 'newcomer 1', 'a 3', 'a 2', 'a 6', 'a 7']);
});

test('the networks of IPv6 that one customer may have count as one address', () => {
  const { place, all } = open();
  place('2001:db8:1:1::/64 x');
  place('2001:db8:2:1::/64 y');
  place('2001:db8:2:2::/64 z');
  assert.equal(all()[0], '2001:db8:2:1::/64 y');
});

test('nothing is kept of sockets that have gone', () => {
  const { order, place } = open();
  const placed = Array.from({ length: 100 }, (_, index) => place(`${index % 7} ${index}`));
  for (const each of placed) {
    order.delete(each);
    order.delete(each);
    assert.equal(each.standing, undefined);
  }
  assert.equal(order.first(), undefined);
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type ConnectionFacts, type ConnectionSelector, createMatcher, parseAddresses } from './connection-selector.ts';
import { addressGroup } from './http/client-address.ts';

const FACTS: ConnectionFacts = {
  ...{ playerId: 'alice-7', runtimeId: '0190-2', node: 'n1', createdAt: 1_000 },
  addressGroup: '192.0.2.7',
};

test('a selector that says nothing means everybody, and otherwise all that it says must be true', () => {
  const all: ConnectionSelector = {
    ...{ playerIds: ['bob', 'alice-7'], playerIdPrefix: 'alice', runtimeId: '0190-2', beforeRuntimeId: '0190-3' },
    ...{ node: 'n1', connectedSince: 1_000, connectedBefore: 1_001, addresses: '192.0.2.0/24' },
  };
  for (const selector of [{}, all]) assert.equal(createMatcher(selector)(FACTS), true);
  const others: ConnectionSelector[] = [
    ...[{ playerIds: [] }, { playerIds: ['alice'] }, { playerIdPrefix: 'alice-8' }, { runtimeId: '0190-1' }],
    ...[{ beforeRuntimeId: '0190-2' }, { beforeRuntimeId: 'empty' }, { node: 'n2' }, { connectedSince: 1_001 }],
    ...[{ connectedBefore: 1_000 }, { addresses: '192.0.2.8' }],
  ];
  for (const other of others) {
    assert.equal(createMatcher(other)(FACTS), false, JSON.stringify(other));
    assert.equal(createMatcher({ ...all, ...other })(FACTS), false, JSON.stringify(other));
  }
});

test('addresses are matched with address groups: one IPv4 address, or the /64 of an IPv6 address', () => {
  for (const [range, address, isIn] of [
    ['192.0.2.7', '192.0.2.7', true],
    ['192.0.2.7', '192.0.2.70', false],
    ['192.0.2.0/28', '192.0.2.15', true],
    ['192.0.2.0/28', '192.0.2.16', false],
    ['0.0.0.0/0', '2001:db8::1', false],
    ['::/0', '2001:db8::1', true],
    ['::/0', '192.0.2.7', false],
    ['2001:db8:0:1::5', '2001:db8:0:1:ffff::9', true],
    ['2001:db8:0:1::5', '2001:db8:0:2::5', false],
    ['2001:db8::/32', '2001:db8:9:8:7:6:5:4', true],
    ['2001:db8::/64', '2001:db8:0:0:1::', true],
    ['2001:db9::/32', '2001:db8:9:8:7:6:5:4', false],
  ] as const) {
    assert.equal(parseAddresses(range)?.(addressGroup(address)), isIn, `${address} in ${range}`);
  }
});

test('what is no range of addresses, or one narrower than the group of an IPv6 address, is refused', () => {
  for (const text of ['', 'here', '10', '192.0.2.0/33', '192.0.2.0/', '2001:db8::/65', '2001:db8::/x', '1.2.3.4/8/8']) {
    assert.equal(parseAddresses(text), undefined, text);
    assert.throws(() => createMatcher({ addresses: text }), /must be an IP address or a CIDR range/);
  }
});

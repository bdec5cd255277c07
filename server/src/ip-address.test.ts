import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseIpAddress, parseIpRange } from './ip-address.ts';

test('an address is read in the forms that mean the same everywhere, IPv4 in IPv6 as IPv4', () => {
  for (const [text, address] of [
    ['10.0.0.1', '10.0.0.1'],
    ['::ffff:10.0.0.1', '10.0.0.1'],
    ['2001:DB8:0::1', '2001:db8::1'],
    ['fe80::1%eth0', 'fe80::1%eth0'],
  ] as const) {
    assert.equal(parseIpAddress(text)?.toString(), address, text);
  }
});

test('a text that programs read differently, or not at all, is neither an address nor a range', () => {
  for (const text of [
    '',
    '10',
    '127.1',
    '010.0.0.1',
    '0x7f.0.0.1',
    '10.0.0.256',
    'localhost',
    '1::2::3',
    'fe80::1%a-b',
  ]) {
    assert.equal(parseIpAddress(text), undefined, text);
    assert.equal(parseIpRange(text), undefined, text);
    assert.equal(parseIpRange(`${text}/8`), undefined, text);
  }
  for (const text of ['10.0.0.0/33', '10.0.0.0/08', '10.0.0.0/', '10.0.0.0/8/8', '::/129', '::ffff:10.0.0.0/104']) {
    assert.equal(parseIpRange(text), undefined, text);
  }
});

test('a range holds the addresses of its own family that share its first bits', () => {
  for (const [range, address, isInside] of [
    ['10.0.0.0/8', '10.255.0.1', true],
    ['10.0.0.0/8', '11.0.0.1', false],
    ['10.0.0.0/8', '::ffff:10.0.0.1', true],
    ['10.0.0.1', '10.0.0.1', true],
    ['10.0.0.1', '10.0.0.2', false],
    ['fd00::/8', 'fd12::1', true],
    ['::/0', '10.0.0.1', false],
  ] as const) {
    const parsed = parseIpAddress(address);
    assert.ok(parsed !== undefined);
    assert.equal(parseIpRange(range)?.(parsed), isInside, `${address} in ${range}`);
  }
});

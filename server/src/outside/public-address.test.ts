import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isLoopback, isPublic } from './public-address.ts';

test('addresses of the internet are public', () => {
  for (const address of ['8.8.8.8', '1.1.1.1', '172.15.0.1', '172.32.0.1', '2606:4700::1111', '64:ff9b::808:808']) {
    assert.ok(isPublic(address), address);
  }
});

test('addresses of this machine, of its networks, and ways around that are not public', () => {
  for (const address of [
    ...[
      '0.0.0.0',
      '10.0.0.1',
      '100.64.0.1',
      '127.0.0.1',
      '127.9.9.9',
      '169.254.169.254',
      '172.16.0.1',
      '172.31.255.255',
    ],
    ...['168.63.129.16', '::ffff:168.63.129.16', '64:ff9b::a83f:8110', '192.0.0.192', '100.100.100.200'],
    ...['192.168.0.1', '192.0.2.1', '198.18.0.1', '224.0.0.1', '240.0.0.1', '255.255.255.255'],
    ...['::', '::1', '::127.0.0.1', '::ffff:127.0.0.1', '::ffff:10.0.0.1', 'fe80::1', 'fc00::1', 'fd00:ec2::254'],
    ...['ff02::1', 'fec0::1', '2002:7f00:1::', '2001::1', '64:ff9b::7f00:1', '64:ff9b::a9fe:a9fe', '64:ff9b:1::1'],
    // No address outside of 2000::/3 has been given to anybody.
    ...['4000::1', '1000::1', 'e000::1'],
    ...['2001:db8::1', 'localhost', '', '127.1'],
  ]) {
    assert.ok(!isPublic(address), address);
  }
});

test('only addresses of this machine are loopback', () => {
  for (const address of ['127.0.0.1', '127.9.9.9', '::1', '::ffff:127.0.0.1']) assert.ok(isLoopback(address), address);
  for (const address of ['10.0.0.1', '0.0.0.0', '::', '8.8.8.8', 'localhost']) assert.ok(!isLoopback(address), address);
});

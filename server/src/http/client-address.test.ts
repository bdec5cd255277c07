import assert from 'node:assert/strict';
import { test } from 'node:test';
import { addressGroup, createClientAddress } from './client-address.ts';

const direct = createClientAddress({ trustedProxies: [] });
const proxied = createClientAddress({ trustedProxies: ['10.0.0.0/8', 'fd00::/8', '::1'] });

test('without trusted proxies only the socket counts, and headers do not', () => {
  const headers = { 'x-forwarded-for': '9.9.9.9', 'x-forwarded-proto': 'https' };
  assert.deepEqual(direct('1.2.3.4', headers, false), { address: '1.2.3.4', isSecure: false, isForwarded: false });
  assert.deepEqual(direct('::ffff:1.2.3.4', {}, true), { address: '1.2.3.4', isSecure: true, isForwarded: false });
  assert.deepEqual(direct(undefined, headers, false), { address: 'unknown', isSecure: false, isForwarded: false });
});

test('behind a trusted proxy the client is the right-most address that is not a trusted proxy', () => {
  const cases: [string | string[], string][] = [
    ['6.6.6.6, 1.2.3.4', '1.2.3.4'],
    ['6.6.6.6,1.2.3.4, 10.1.1.1', '1.2.3.4'],
    [['6.6.6.6', '1.2.3.4, 10.1.1.1'], '1.2.3.4'],
    ['1.2.3.4:5678', '1.2.3.4'],
    ['[2001:db8::1]:443', '2001:db8::1'],
    ['2001:db8::1', '2001:db8::1'],
    ['10.2.2.2', '10.2.2.2'],
    ['6.6.6.6, unknown, 10.1.1.1', '10.1.1.1'],
    ['0177.0.0.1', '10.0.0.1'],
    ['fe80::1%a-b', '10.0.0.1'],
    ['', '10.0.0.1'],
  ];
  for (const [forwarded, address] of cases) {
    const headers = { 'x-forwarded-for': forwarded as string };
    assert.equal(proxied('10.0.0.1', headers, false).address, address, String(forwarded));
  }
});

test('a proxy is recognized by any form of its address', () => {
  for (const peer of ['10.0.0.1', '::ffff:10.0.0.1', 'fd00::5', '::1']) {
    assert.equal(proxied(peer, { 'x-forwarded-for': '1.2.3.4' }, false).address, '1.2.3.4', peer);
  }
  assert.equal(proxied('11.0.0.1', { 'x-forwarded-for': '1.2.3.4' }, false).address, '11.0.0.1');
});

test('a trusted proxy says whether the client came over TLS', () => {
  assert.equal(proxied('10.0.0.1', { 'x-forwarded-proto': 'https' }, false).isSecure, true);
  assert.equal(proxied('10.0.0.1', { 'x-forwarded-proto': 'https, http' }, true).isSecure, false);
  assert.equal(proxied('10.0.0.1', {}, true).isSecure, false);
  assert.equal(proxied('10.0.0.1', {}, true).isForwarded, true);
  assert.equal(proxied('192.0.2.1', {}, true).isForwarded, false);
});

test('an entry that is neither an address nor a range is refused, and the message names it', () => {
  assert.throws(() => createClientAddress({ trustedProxies: ['proxy.example'] }), /got "proxy\.example"/);
  assert.throws(() => createClientAddress({ trustedProxies: ['10.0.0.0/33'] }), /got "10\.0\.0\.0\/33"/);
});

test('IPv6 addresses of one /64 are one group, IPv4 addresses stand for themselves', () => {
  assert.equal(addressGroup('2001:db8:1:2:3:4:5:6'), addressGroup('2001:db8:1:2::1'));
  assert.notEqual(addressGroup('2001:db8:1:2::1'), addressGroup('2001:db8:1:3::1'));
  assert.equal(addressGroup('::ffff:1.2.3.4'), addressGroup('1.2.3.4'));
  assert.notEqual(addressGroup('1.2.3.4'), addressGroup('1.2.3.5'));
  assert.equal(addressGroup('unknown'), 'unknown');
});

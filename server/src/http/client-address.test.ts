import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { WarnRarely } from '../rare-warnings.ts';
import { addressGroup, createClientAddress, createProxyCheck, isLoopbackName, urlOf } from './client-address.ts';
import { collectHeaders } from './exchange.ts';

const direct = finder([]);
const proxied = finder(['10.0.0.0/8', 'fd00::/8', '::1']);

function finder(trustedProxies: readonly string[], warn: WarnRarely = () => {}) {
  const find = createClientAddress({ trustedProxies, warn });
  return (peer: string | undefined, headers: Readonly<Record<string, string | readonly string[]>>, isTls: boolean) => {
    const lines = Object.entries(headers).flatMap(([name, values]) => [values].flat().map((value) => [name, value]));
    return find(peer, collectHeaders(lines.flat()), isTls);
  };
}

test('a socket without an address has no client, whatever its headers say', () => {
  for (const find of [direct, proxied]) {
    for (const peer of [undefined, '', 'garbage'])
      assert.equal(find(peer, { 'x-forwarded-for': '1.2.3.4' }, false), undefined);
  }
});

test('a peer in a zone of any name has an address', () => {
  assert.equal(direct('fe80::1%eth0', {}, false)?.address, 'fe80::1%eth0');
  assert.equal(direct('fe80::1%br-5e_1', {}, false)?.address, 'fe80::1');
});

test('without trusted proxies only the socket counts, and headers do not', () => {
  const headers = { 'x-forwarded-for': '9.9.9.9', 'x-forwarded-proto': 'https' };
  const client = { address: '1.2.3.4', peerAddress: '1.2.3.4' };
  assert.deepEqual(direct('1.2.3.4', headers, false), {
    ...client,
    isSecure: false,
    isForwarded: false,
    mayBeProxied: true,
  });
  assert.deepEqual(direct('::ffff:1.2.3.4', {}, true), {
    ...client,
    isSecure: true,
    isForwarded: false,
    mayBeProxied: false,
  });
});

test('each header of a proxy that is not trusted is noticed, and those of a trusted one are not', () => {
  const warnings: unknown[] = [];
  const find = finder(['10.0.0.1'], (peer, { header }: { header?: string }, message) =>
    warnings.push([peer, header, message.includes('RESPARK_TRUSTED_PROXIES')]),
  );
  const names = [
    ...[
      'x-forwarded-for',
      'forwarded',
      'via',
      'x-real-ip',
      'x-forwarded-proto',
      'x-forwarded-host',
      'x-forwarded-port',
    ],
    ...['x-forwarded-server', 'x-client-ip', 'true-client-ip', 'cf-connecting-ip', 'fastly-client-ip', 'cdn-loop'],
    ...['x-azure-clientip', 'x-envoy-external-address', 'x-original-forwarded-for'],
  ];
  for (const name of names) {
    assert.equal(find('127.0.0.1', { [name]: '' }, false)?.mayBeProxied, true, name);
    assert.equal(find('10.0.0.1', { [name]: '1.2.3.4' }, false)?.mayBeProxied, false, name);
  }
  assert.equal(find('127.0.0.1', { host: 'x', forwarder: 'y' }, false)?.mayBeProxied, false);
  assert.deepEqual(
    warnings,
    names.map((name) => ['127.0.0.1', name, true]),
  );
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
    ['10.2.2.2, ::1', '10.2.2.2'],
  ];
  for (const [forwarded, address] of cases) {
    assert.equal(proxied('10.0.0.1', { 'x-forwarded-for': forwarded }, false)?.address, address, String(forwarded));
  }
});

test('behind a trusted proxy that does not say its client’s address, the client has none', () => {
  const silent = [
    undefined,
    '',
    ' ',
    ',',
    'garbage',
    'unknown',
    '127.1',
    '0177.0.0.1',
    'fe80::1%a-b',
    '1.2.3.4, garbage',
  ];
  for (const forwarded of [
    ...silent,
    '1.2.3.4,',
    '1.2.3.4, unknown, 10.1.1.1',
    ['1.2.3.4', ''],
    ['1.2.3.4', '_hidden'],
  ]) {
    const headers = forwarded === undefined ? {} : { 'x-forwarded-for': forwarded };
    for (const peerAddress of ['10.0.0.1', '::1']) {
      const client = { address: undefined, peerAddress, isSecure: false, isForwarded: true, mayBeProxied: false };
      assert.deepEqual(proxied(peerAddress, headers, false), client, String(forwarded));
    }
  }
});

test('of a list that a proxy forwards, what the client has put in front is not read', (t) => {
  const read = t.mock.method(String.prototype, 'trim');
  const lines = [',8.8.8.8'.repeat(1_000), `${','.repeat(10_000)}1.2.3.4, 10.1.1.1`];
  assert.equal(
    proxied('10.0.0.1', { 'x-forwarded-for': lines, 'x-forwarded-proto': lines }, false)?.address,
    '1.2.3.4',
  );
  assert.equal(read.mock.callCount(), 3);
});

test('a proxy is recognized by any form of its address', () => {
  for (const peer of ['10.0.0.1', '::ffff:10.0.0.1', 'fd00::5', '::1']) {
    assert.equal(proxied(peer, { 'x-forwarded-for': '1.2.3.4' }, false)?.address, '1.2.3.4', peer);
  }
  assert.equal(proxied('11.0.0.1', { 'x-forwarded-for': '1.2.3.4' }, false)?.address, '11.0.0.1');
});

test('a trusted proxy says whether the client came over TLS', () => {
  assert.equal(proxied('10.0.0.1', { 'x-forwarded-proto': 'https' }, false)?.isSecure, true);
  assert.equal(proxied('10.0.0.1', { 'x-forwarded-proto': 'https, http' }, true)?.isSecure, false);
  assert.equal(proxied('10.0.0.1', {}, true)?.isSecure, false);
  assert.equal(proxied('10.0.0.1', {}, true)?.isForwarded, true);
  assert.equal(proxied('192.0.2.1', {}, true)?.isForwarded, false);
});

test('an entry that is neither an address nor a range is refused, and the message names it', () => {
  assert.throws(() => createClientAddress({ trustedProxies: ['proxy.example'], warn() {} }), /got "proxy\.example"/);
  assert.throws(() => createClientAddress({ trustedProxies: ['10.0.0.0/33'], warn() {} }), /got "10\.0\.0\.0\/33"/);
});

test('IPv6 addresses of one /64 are one group, IPv4 addresses stand for themselves', () => {
  assert.equal(addressGroup('2001:db8:1:2:3:4:5:6'), addressGroup('2001:db8:1:2::1'));
  assert.notEqual(addressGroup('2001:db8:1:2::1'), addressGroup('2001:db8:1:3::1'));
  assert.equal(addressGroup('::ffff:1.2.3.4'), addressGroup('1.2.3.4'));
  assert.notEqual(addressGroup('1.2.3.4'), addressGroup('1.2.3.5'));
  assert.equal(addressGroup('unknown'), 'unknown');
});

test('a proxy is trusted, and others are not, however many have been asked about', () => {
  const isTrusted = createProxyCheck({ trustedProxies: ['10.0.0.0/20'] });
  for (let round = 0; round < 2; round += 1) {
    for (let i = 0; i < 8_192; i += 1) assert.equal(isTrusted(`10.0.${i >> 8}.${i & 255}`), i < 4_096);
  }
});

test('an address and its group do not depend on how the address is written', () => {
  const forms = [
    [
      '2001:db8:1:2:3:4:5:6',
      '2001:0db8:0001:0002:0003:0004:0005:0006',
      '2001:DB8:1:2:3:4:5:6',
      '2001:db8:1:2:3:4:0.5.0.6',
    ],
    ['2001:db8:0:2:3:4:5:6', '2001:db8::2:3:4:5:6', '2001:db8:000:2:3:4:5:6'],
    ['2001:db8:1:2::6', '2001:db8:1:2:0:0:0:6', '2001:db8:1:2::0:6', '2001:db8:1:2::0.0.0.6'],
    ['2001:db8::1', '2001:db8:0:0:0:0:0:1', '2001:db8:0:0::1'],
    ['::1', '0:0:0:0:0:0:0:1', '0::1'],
    ['10.1.2.3', '::ffff:10.1.2.3', '::ffff:a01:203', '0:0:0:0:0:ffff:a01:203', '::FFFF:10.1.2.3', '0::ffff:a01:203'],
  ];
  for (const [canonical = '', ...others] of forms) {
    for (const other of others) {
      assert.equal(direct(other, {}, false)?.address, direct(canonical, {}, false)?.address, other);
      assert.equal(addressGroup(other), addressGroup(canonical), other);
    }
  }
  for (const text of ['2001:db8:1:2:3:4:5:6:7', '2001:db8:1:2:3', '2001:db8:1:2:3::4::5', '::ffff:01.2.3.4']) {
    assert.equal(direct(text, {}, false), undefined, text);
    assert.equal(addressGroup(text), text);
  }
  assert.equal(addressGroup('2001:db8:1:2::5%eth0'), '2001:db8:1:2::/64');
});

test('a loopback name is a host alone, and what is too long for one is not read', (t) => {
  for (const host of ['localhost', 'LOCALHOST:8080', '127.0.0.1', '127.0.0.2:1', '[::1]:8080'])
    assert(isLoopbackName(host), host);
  const read = t.mock.method(URL, 'canParse');
  for (const host of ['', 'evil.example', 'x@localhost', 'localhost/', 'localhost?', 'ü'.repeat(10_000)]) {
    assert(!isLoopbackName(host), host.slice(0, 20));
  }
  assert.equal(urlOf('https', `${'a'.repeat(253)}:65535`)?.host, `${'a'.repeat(253)}:65535`);
  for (const { arguments: given } of read.mock.calls) assert(String(given[0]).length <= 400);
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { loadSettings } from '../config/config.ts';
import { warningsOf } from './warnings.ts';

function warningsFor(flags: Readonly<Record<string, string>>, nodeVersion = '24.17.0'): string[] {
  const playerServer = { authority: 'x:1', isTls: false, stopListening() {}, close: async () => {} };
  const settings = loadSettings({ env: {}, flags });
  const clock = { now: () => Date.parse('2027-01-01') };
  return warningsOf({ settings, playerServer, nodeVersion, clock });
}

function warningFor(flags: Readonly<Record<string, string>>): string | undefined {
  return warningsFor(flags).find((warning) => warning.includes('without TLS'));
}

test('players without TLS cause a warning unless the listener is for this machine alone', () => {
  for (const host of ['127.0.0.1', '127.8.9.1', '::1', 'localhost'])
    assert.equal(warningFor({ host }), undefined, host);
  for (const host of ['0.0.0.0', '::', '::2', '10.127.0.1', '192.0.2.7', 'localhost.example']) {
    assert.match(warningFor({ host }) ?? 'none', new RegExp(`without TLS on ${host}:`));
    // A proxy of this machine has to be named too: its clients would all count as this machine.
    assert.match(
      warningFor({ host }) ?? 'none',
      /name its address in RESPARK_TRUSTED_PROXIES; .* 127\.0\.0\.1 as well/,
    );
  }
});

test('a trusted proxy explains a public address, unless it is on this machine', () => {
  for (const trustedProxies of ['127.0.0.1', '::1/128', '127.0.0.0/8,::1']) {
    assert.notEqual(warningFor({ host: '0.0.0.0', trustedProxies }), undefined, trustedProxies);
  }
  for (const trustedProxies of ['10.0.0.0/8', '127.0.0.1,192.0.2.7', '::2']) {
    assert.equal(warningFor({ host: '0.0.0.0', trustedProxies }), undefined, trustedProxies);
  }
});

test('a Node.js that gets no security fixes, or lacks some, causes a warning', () => {
  assert.deepEqual(warningsFor({}), []);
  assert.deepEqual(warningsFor({}, '24.9.0'), [
    'Node.js 24.9.0 has security faults that 24.17.0 mends: install 24.17.0 or later.',
  ]);
  assert.deepEqual(warningsFor({}, '20.20.2'), [
    'Node.js 20.20.2 has had no security fixes since 2026-04-30: install Node.js 24.',
  ]);
});

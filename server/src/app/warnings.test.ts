import assert from 'node:assert/strict';
import { test } from 'node:test';
import { loadSettings } from '../config/config.ts';
import { warningsOf } from './warnings.ts';

function warningFor(flags: Readonly<Record<string, string>>): string | undefined {
  const playerServer = { authority: 'x:1', isTls: false, stopListening() {}, close: async () => {} };
  const settings = loadSettings({ env: {}, flags });
  return warningsOf({ settings, playerServer }).find((warning) => warning.includes('without TLS'));
}

test('players without TLS cause a warning unless the listener is for this machine alone', () => {
  for (const host of ['127.0.0.1', '127.8.9.1', '::1', 'localhost'])
    assert.equal(warningFor({ host }), undefined, host);
  for (const host of ['0.0.0.0', '::', '::2', '10.127.0.1', '192.0.2.7', 'localhost.example']) {
    assert.match(warningFor({ host }) ?? 'none', new RegExp(`without TLS on ${host}:`));
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

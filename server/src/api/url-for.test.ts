import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createUrlFor } from './url-for.ts';

const OWN_URL = 'http://127.0.0.1:8080';

function urlFor(host: string, { isSecure = false, publicUrl }: { isSecure?: boolean; publicUrl?: string } = {}) {
  return createUrlFor({ settings: { publicUrl }, ownUrl: () => OWN_URL })({ host, isSecure }, '/download/x');
}

test('a caller gets URLs of the host that it called, over TLS if it did so', () => {
  for (const host of ['localhost:9090', 'respark.example', 'game_server:80', '[::1]:8080', '[fe80::1]', '192.0.2.7']) {
    assert.equal(urlFor(host), `http://${host}/download/x`);
    assert.equal(urlFor(host, { isSecure: true }), `https://${host}/download/x`);
  }
});

test('the public URL of the settings wins', () => {
  const publicUrl = 'https://respark.example/base';
  assert.equal(urlFor('localhost:9090', { publicUrl }), 'https://respark.example/base/download/x');
});

test('what is no host never becomes part of a URL', () => {
  const long = 'x'.repeat(254);
  for (const host of [
    '',
    ' ',
    'a b',
    'a/b',
    'a?b',
    'a#b',
    'user@a',
    'a:',
    'a:x',
    'a:123456',
    'a\nb',
    '[a]',
    '::1',
    long,
  ]) {
    assert.equal(urlFor(host), `${OWN_URL}/download/x`, host);
  }
});

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { endpointOf } from './endpoint.ts';
import { setUp } from './test/client-under-test.ts';
import { settle } from './test/fakes.ts';

describe('the url', () => {
  const urls = {
    'ws://host:8080': 'ws://host:8080/connect',
    'wss://host/': 'wss://host/connect',
    'http://127.0.0.1:8080': 'ws://127.0.0.1:8080/connect',
    'https://host': 'wss://host/connect',
    'wss://host/behind/a/proxy': 'wss://host/behind/a/proxy',
    'ws://[::1]:8080?a=b#top': 'ws://[::1]:8080/connect?a=b',
    ' HTTPS://Play.Example:443/Path/?a=B ': 'wss://play.example/Path/?a=B',
    'ws://host:80': 'ws://host/connect',
    'ws://host:443': 'ws://host:443/connect',
    'wss://host:8080/connect#x?y': 'wss://host:8080/connect',
  };
  for (const [url, endpoint] of Object.entries(urls)) {
    test(`${url} means ${endpoint}`, () => {
      assert.equal(endpointOf(url), endpoint);
      assert.equal(new URL(endpoint).href, endpoint);
    });
  }

  test('is where the socket is opened', async () => {
    const { client, newest } = setUp({ url: 'https://host:8443' });
    client.connect().catch(() => {});
    await settle();
    assert.equal(newest().url, 'wss://host:8443/connect');
  });

  for (const url of ['localhost', '', 'ws://', 'ws:host', '/connect', 'ws://a host', 'ws:///connect', 'ws://?x']) {
    test(`${JSON.stringify(url)} is refused at once`, () => {
      const message = `url must be like ws://HOST:PORT, got ${JSON.stringify(url)}`;
      assert.throws(() => setUp({ url }), { code: 'bad_option', message });
    });
  }

  test('with another scheme is refused at once', () => {
    assert.throws(() => setUp({ url: 'ftp://host' }), { code: 'bad_option', message: /^url must begin .* got "ftp:/ });
  });
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { findProxyDetour } from './http-proxy.ts';

const PROXY = 'http://127.0.0.1:9';

test('any variable of a proxy leads calls astray, unless the server is excluded', () => {
  for (const name of ['HTTP_PROXY', 'http_proxy', 'HTTPS_PROXY', 'https_proxy', 'ALL_PROXY', 'all_proxy']) {
    assert.deepEqual(findProxyDetour({ [name]: PROXY }, 'http://127.0.0.1:8080'), {
      variable: name,
      host: '127.0.0.1',
      noProxy: '127.0.0.1',
    });
    assert.equal(findProxyDetour({ [name]: '' }, 'http://127.0.0.1:8080'), undefined);
  }
  assert.equal(findProxyDetour({ NO_PROXY: 'other.example' }, 'http://127.0.0.1:8080'), undefined);
});

test('what is excluded already stays so, and counts only where every program reads it', () => {
  const noProxyFor = (exclusions: Record<string, string>, endpoint = 'http://game.example:8080') =>
    findProxyDetour({ HTTP_PROXY: PROXY, ...exclusions }, endpoint)?.noProxy;
  for (const NO_PROXY of ['*', 'game.example', '.example', '*.example', 'a, Game.Example', 'game.example:8080'])
    assert.equal(noProxyFor({ NO_PROXY }), undefined, NO_PROXY);
  assert.equal(noProxyFor({ NO_PROXY: 'a.example b.example' }), 'a.example,b.example,game.example');
  assert.equal(noProxyFor({ NO_PROXY: 'ame.example,10.0.0.0/8' }), 'ame.example,10.0.0.0/8,game.example');
  assert.equal(noProxyFor({ NO_PROXY: 'game.example', no_proxy: 'other' }), 'other,game.example');
  assert.equal(noProxyFor({ no_proxy: 'game.example' }), undefined);
  assert.equal(noProxyFor({ NO_PROXY: '127.0.0.0/8' }, 'http://127.0.0.1:1'), '127.0.0.0/8,127.0.0.1');
});

test('an IPv6 address is excluded in both of its forms', () => {
  const env = { HTTP_PROXY: PROXY };
  assert.equal(findProxyDetour(env, 'http://[::1]:8080')?.noProxy, '[::1],::1');
  assert.equal(findProxyDetour({ ...env, NO_PROXY: '[::1],::1' }, 'http://[::1]:8080'), undefined);
});

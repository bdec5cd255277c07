import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readingsOf } from './readings.ts';

function hostsOf(
  headers: Record<string, string[]>,
  { isForwarded = true, publicHost = undefined as string | undefined } = {},
) {
  const request = { headers: new Map(Object.entries(headers)), isForwarded };
  return readingsOf({ request, paths: ['/'], publicHost }).map(({ host }) => host);
}

test('the Host that came is the first reading, and the only one without a proxy or a public URL', () => {
  assert.deepEqual(hostsOf({ host: ['a'] }), ['a']);
  assert.deepEqual(hostsOf({ host: ['a'], 'x-forwarded-host': ['b'] }, { isForwarded: false }), ['a']);
});

test('what a trusted proxy forwards comes before the host of the public URL', () => {
  const headers = { host: ['a'], 'x-forwarded-host': ['b:1'] };
  assert.deepEqual(hostsOf(headers, { publicHost: 'c' }), ['a', 'b:1', 'c']);
  assert.deepEqual(hostsOf(headers, { publicHost: 'b:1' }), ['a', 'b:1']);
});

test('among several forwarded hosts the first counts, which the client called', () => {
  assert.deepEqual(hostsOf({ host: ['a'], 'x-forwarded-host': [' b , c'] }), ['a', 'b']);
  assert.deepEqual(hostsOf({ host: ['a'], 'x-forwarded-host': ['b', 'c'] }), ['a', 'b']);
});

test('a port that a trusted proxy has left out comes from X-Forwarded-Port', () => {
  assert.deepEqual(hostsOf({ host: ['a'], 'x-forwarded-port': ['8443'] }), ['a', 'a:8443']);
  assert.deepEqual(hostsOf({ host: ['[::1]'], 'x-forwarded-port': ['8443, 80'] }), ['[::1]', '[::1]:8443']);
  assert.deepEqual(hostsOf({ host: ['a:1'], 'x-forwarded-host': ['b'], 'x-forwarded-port': ['2'] }), [
    'a:1',
    'b',
    'b:2',
  ]);
  assert.deepEqual(hostsOf({ host: ['a'], 'x-forwarded-port': ['8443'] }, { isForwarded: false }), ['a']);
  for (const port of ['', 'x', '123456', '1:2', '-1']) {
    assert.deepEqual(hostsOf({ host: ['a'], 'x-forwarded-port': [port] }), ['a'], port);
  }
});

test('a default port that a trusted proxy has written may have been left out by the client', () => {
  assert.deepEqual(hostsOf({ host: ['a:443'], 'x-forwarded-host': ['b:80'] }), ['a:443', 'b:80', 'a', 'b']);
  assert.deepEqual(hostsOf({ host: ['a:443'], 'x-forwarded-port': ['443'] }), ['a:443', 'a']);
  assert.deepEqual(hostsOf({ host: ['a:8443'] }), ['a:8443']);
  assert.deepEqual(hostsOf({ host: ['a:443'] }, { isForwarded: false }), ['a:443']);
});

test('every path is read with every host, and none twice', () => {
  const request = { headers: new Map([['host', ['a']]]), isForwarded: false };
  assert.deepEqual(readingsOf({ request, paths: ['/x', '/x', '/y'], publicHost: 'b' }), [
    { host: 'a', path: '/x' },
    { host: 'a', path: '/y' },
    { host: 'b', path: '/x' },
    { host: 'b', path: '/y' },
  ]);
});

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

test('every path is read with every host, and none twice', () => {
  const request = { headers: new Map([['host', ['a']]]), isForwarded: false };
  assert.deepEqual(readingsOf({ request, paths: ['/x', '/x', '/y'], publicHost: 'b' }), [
    { host: 'a', path: '/x' },
    { host: 'a', path: '/y' },
    { host: 'b', path: '/x' },
    { host: 'b', path: '/y' },
  ]);
});

import assert from 'node:assert/strict';
import type { IncomingMessage } from 'node:http';
import { test } from 'node:test';
import { createClientAddress } from './client-address.ts';
import { createHeadReader } from './request-head.ts';

const readHead = createHeadReader({ clientAddress: createClientAddress({ trustedProxies: [], warn() {} }) });

function hostOf(url: string, host: string): string | undefined {
  const rawHeaders = ['Host', host];
  const socket = { remoteAddress: '192.0.2.1' };
  const head = readHead({ method: 'GET', url, rawHeaders, socket } as unknown as IncomingMessage);
  return head?.headers.get('host')?.join();
}

test('the authority of a target counts, in the spelling of a Host that means the same', () => {
  assert.equal(hostOf('http://game.example/', 'Game.Example:80'), 'Game.Example:80');
  assert.equal(hostOf('http://game.example/', 'evil.example'), 'game.example');
});

test('neither a target’s authority nor a Host that is too long for one is read', (t) => {
  const read = t.mock.method(URL, 'canParse');
  const long = 'ü'.repeat(7_000);
  assert.equal(hostOf(`http://${long}/`, 'ä'.repeat(7_000)), long);
  assert.equal(hostOf(`http://${long}/`, long), long);
  for (const { arguments: given } of read.mock.calls) assert(String(given[0]).length <= 400);
});

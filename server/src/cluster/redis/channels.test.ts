import assert from 'node:assert/strict';
import { test } from 'node:test';
import { recordedLog } from '../../../test/support/domain.ts';
import { rest } from '../../../test/support/gateway.ts';
import { ManualClock } from '../../../test/support/manual-clock.ts';
import { Channels } from './channels.ts';

test('a node reads the keys of a payload as the other has sent them, whatever other payloads came before', async (t) => {
  let deliver = (_text: string) => {};
  const payloads: unknown[] = [];
  const channels = new Channels({
    node: 'own',
    keys: { channel: (node) => node },
    timeoutMs: 1_000,
    link: {
      connect: () => Promise.reject(new Error('not needed')),
      async subscribe(_channel, { message, closed }) {
        deliver = message;
        return { close: closed };
      },
    },
    clock: new ManualClock(),
    random: (bytes) => new Uint8Array(bytes),
    log: recordedLog().log,
    publish: async () => 1,
    async answer(_kind, request) {
      payloads.push((request as { payload: unknown }).payload);
    },
  });
  t.after(() => channels.close());
  await channels.subscribed;
  // Some engines take the second key for the first one.
  const sent = [
    { Prices: 1, '\\': 2 },
    { Prices: 1, '"': 2 },
  ];
  for (const payload of sent) {
    deliver(
      JSON.stringify({ id: 'a', from: 'other', kind: 'notify', request: { type: 'Custom.Game.Prices', payload } }),
    );
  }
  await rest();
  assert.deepEqual(payloads, sent);
});

import assert from 'node:assert/strict';
import { it } from 'node:test';
import { ManualClock } from '../../test/support/manual-clock.ts';
import { Limits } from './limits.ts';

it('an address of which too much has waited too long to be read may have no more handshakes', () => {
  const settings = {
    ...{
      handshakesPerSecond: 1_000,
      handshakesPerSecondPerAddress: 100,
      maxConnections: 10,
      maxConnectionsPerAddress: 10,
    },
    ...{ maxUnauthenticated: 10, maxUnauthenticatedPerAddress: 10 },
    ...{
      messagesPerSecondPerAddress: 1,
      messagesBurstPerAddress: 1,
      bytesPerSecondPerAddress: 1,
      bytesBurstPerAddress: 1,
    },
  };
  const limits = new Limits({ settings, clock: new ManualClock() });
  const refusal = (pieces: number, ms: number) =>
    limits.refusal('203.0.113.7', { unread: { pieces, ms }, canMakeRoom: () => false });
  assert.deepEqual(refusal(26, 251), { limit: 'unread', isOfAddress: true, retryAfterMs: 1_000 });
  // Many at one moment are no sign of too much, and neither are a few that always come again.
  assert.equal(refusal(1_000, 250), undefined);
  assert.equal(refusal(25, 10_000), undefined);
});

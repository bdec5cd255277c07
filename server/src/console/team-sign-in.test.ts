import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ManualClock } from '../../test/support/manual-clock.ts';
import { SignInFault } from '../domain/access/sign-in-provider.ts';
import type { HttpRequest } from '../http/exchange.ts';
import { createSystemRandom } from '../random.ts';
import { createTeamSignInSite } from './team-sign-in.ts';

const ORIGIN = 'https://console.example';
const RETURNED = JSON.stringify({ code: 'made up', state: 'state', ticket: 'ticket' });

function finishFrom(remoteAddress: string): HttpRequest {
  return {
    ...{ method: 'POST', rawPath: '/console/sign-in/finish', rawQuery: '', headers: new Map([['origin', [ORIGIN]]]) },
    ...{ remoteAddress, peerAddress: remoteAddress, isSecure: true, isForwarded: false, mayBeProxied: false },
    callerIsKnown() {},
    readBody: () => Buffer.from(RETURNED),
  };
}

test('codes that are refused count, however many of them an address brings at the same moment', async () => {
  const clock = new ManualClock();
  let asked = 0;
  const site = createTeamSignInSite({
    signIn: {
      begin: () => assert.fail(),
      async finish() {
        asked += 1;
        await new Promise((resolve) => setImmediate(resolve));
        throw new SignInFault('the provider does not take the code', { isOfProvider: false });
      },
    },
    returnUrl: () => `${ORIGIN}/console`,
    ...{ clock, random: createSystemRandom() },
  });
  // As many of one customer as may be under way.
  const addresses = [1, 2, 3, 4].flatMap((n) => Array.from({ length: 4 }, () => `2001:db8:1:${n}00::1`));
  const bring = () => Promise.all(addresses.map((address) => site(finishFrom(address))));
  for (let round = 0; round < 6; round += 1) await bring();
  assert.ok(asked >= 80 && asked < 96, `${asked} of the 80 that a /48 may bring at once`);
  asked = 0;
  for (let round = 0; round < 40; round += 1) {
    clock.advance(2_500);
    await bring();
  }
  // One each 2.5 seconds, and those that were under way together with the last one.
  assert.ok(asked <= 40 + addresses.length, `${asked} in 100 seconds`);
});

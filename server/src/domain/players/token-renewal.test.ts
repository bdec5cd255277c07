import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ManualClock } from '../../../test/support/manual-clock.ts';
import { type Barred, DirectoryUnavailable } from '../../cluster/cluster.ts';
import { type PlayerTokens, SessionEnded } from './player-tokens.ts';
import { createTokenRenewal } from './token-renewal.ts';

const PLAYER = { stageId: 's1', playerId: 'p1', gameId: 'g1', signedInAt: 0 };
const SESSION = { claims: {}, lifetimeMs: 60_000, untilMs: 1 };

function renewalWith({
  findBar = async () => undefined,
  issue = (...said) => said.join(' '),
}: {
  findBar?: () => Promise<Barred | undefined>;
  issue?: PlayerTokens['issue'];
}) {
  return createTokenRenewal({ tokens: { issue }, cluster: { findBar }, clock: new ManualClock(5_000) });
}

test('a new token is of the moment before the directory was asked, and of the same session', async () => {
  const asked: unknown[] = [];
  const renew = renewalWith({
    issue: (...said) => {
      asked.push(said);
      return 'new';
    },
  });
  assert.deepEqual(await renew(PLAYER, SESSION), { isHandled: true, payloadJson: '{"AuthenticationToken":"new"}' });
  assert.deepEqual(asked, [['s1', 'p1', SESSION, 5_000]]);
});

test('a player whose session has ended is told so', async () => {
  const renew = renewalWith({
    issue: () => {
      throw new SessionEnded('it has ended');
    },
  });
  assert.deepEqual(await renew(PLAYER, SESSION), { isHandled: false, code: 'bad_request', message: 'it has ended' });
});

test('there is no token while the directory is away', async () => {
  const renew = renewalWith({ findBar: () => Promise.reject(new DirectoryUnavailable('it is away')) });
  const outcome = await renew(PLAYER, undefined);
  assert.equal(outcome.isHandled === false && outcome.code, 'busy');
});

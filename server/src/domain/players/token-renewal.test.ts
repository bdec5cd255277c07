import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ManualClock } from '../../../test/support/manual-clock.ts';
import { type Barred, DirectoryUnavailable } from '../../cluster/cluster.ts';
import { LocalCluster } from '../../cluster/local.ts';
import { createKeyring } from '../../keyring.ts';
import { createSystemRandom } from '../../random.ts';
import { barName, newcomerOf } from './bars/bars.ts';
import { createPlayerTokens, type PlayerTokens, SessionEnded } from './player-tokens.ts';
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

test('a new token is of the moment before the directory was asked, of the same session and the same sign-in', async () => {
  const asked: unknown[] = [];
  const renew = renewalWith({
    issue: (...said) => {
      asked.push(said);
      return 'new';
    },
  });
  assert.deepEqual(await renew(PLAYER, SESSION), { isHandled: true, payloadJson: '{"AuthenticationToken":"new"}' });
  assert.deepEqual(asked, [['s1', 'p1', SESSION, { issuedAtMs: 5_000, signedInAtMs: 0 }]]);
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

test('a token that was renewed before the directory has heard of an earlier revocation is refused by it', async () => {
  const clock = new ManualClock(1_000_000);
  const cluster = new LocalCluster({ clock, random: createSystemRandom() });
  const { deriveKey } = createKeyring(new Uint8Array(32).fill(7));
  const tokens = createPlayerTokens({ deriveKey, clock, lifetimeMs: 3_600_000 });
  const renew = createTokenRenewal({
    tokens,
    cluster: { findBar: async (...asked) => cluster.findBar(...asked) },
    clock,
  });
  const cameAgain = async () => {
    const outcome = await renew(player, undefined);
    assert(outcome.isHandled);
    const { AuthenticationToken: token } = JSON.parse(outcome.payloadJson);
    return { ...player, signedInAt: tokens.verify(player.stageId, token)?.signedInAtMs ?? 0 };
  };
  let player = { ...PLAYER, signedInAt: clock.now() };
  await clock.advance(10);
  // The call sets the time first, and stores the revocation before it tells the directory.
  const signedInBefore = clock.now();
  for (const _ of [1, 2]) {
    await clock.advance(10);
    player = await cameAgain();
  }
  const name = barName('revocation', player);
  const bar = { version: 1, until: undefined, signedInBefore, note: '{}' };
  cluster.setBar({ name, player }, bar, { era: cluster.era(), node: cluster.node });
  assert.equal(cluster.findBar(player, newcomerOf(player, clock.now()))?.barName, name);
});

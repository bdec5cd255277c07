import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { ManualClock } from '../../../test/support/manual-clock.ts';
import { createSystemRandom } from '../../random.ts';
import type { StageRecord } from '../../store/store.ts';
import { sampleGame, sampleStage } from '../../store/store-samples.ts';
import { createIdentify } from './identify.ts';
import type { IdentityProvider, ProviderTokens } from './provider-tokens.ts';
import type { StageIdentity } from './stage-identity.ts';

const DAY_MS = 86_400_000;
const PROVIDER: IdentityProvider = {
  issuer: 'https://login.example',
  jwksUrl: 'https://login.example/jwks',
  audiences: ['game'],
  algorithms: ['RS256'],
  clockSkewSeconds: 0,
  playerIdClaim: 'sub',
  playerIdForm: 'PLAIN',
  playerIdPrefix: '',
  claims: [],
};

/** A stage, and a provider whose tokens all say what the test lets them say. */
function open({
  sub = 'anna',
  provider = {},
  identity = {},
  payload = {},
  verify,
}: {
  sub?: unknown;
  provider?: Partial<IdentityProvider>;
  identity?: Partial<StageIdentity>;
  payload?: object;
  verify?: ProviderTokens['verify'];
} = {}) {
  const full = { ...PROVIDER, ...provider };
  const clock = new ManualClock();
  const stored = { allowGuests: true, providers: [full], ...identity };
  const game = sampleGame('Zoo');
  const stage: StageRecord = {
    ...sampleStage(game, 'Dev'),
    ...{ gameName: 'Zoo', gameState: game.state, runtimeId: undefined, identity: JSON.stringify(stored) },
  };
  const identify = createIdentify({
    tokens: {
      verify: (_, token) =>
        token.startsWith('own ') ? { playerId: token.slice(4), issuedAtMs: 5, signedInAtMs: 3 } : undefined,
    },
    providerTokens: {
      verify: verify ?? (async () => ({ isGenuine: true, provider: full, payload: { sub, ...payload } })),
    },
    clock,
    random: createSystemRandom(),
    settings: { playerTokenLifetimeMs: 30 * DAY_MS },
  });
  return {
    clock,
    identify: (token: string | undefined) => identify(stage, token),
    bare: () => identify({ ...stage, identity: undefined }, 'theirs'),
  };
}

const refusing = () => assert.fail('no provider is to be asked');

/** What is said of a token. */
async function saidOf(options: Parameters<typeof open>[0]): Promise<string> {
  const found = await open(options).identify('theirs');
  return found.isIdentified ? found.playerId : `${found.reason}: ${found.text}`;
}

test('a stage that allows guests makes a new one for each hello without a token, and one that does not makes none', async () => {
  const { identify } = open({ verify: refusing });
  const [one, other] = [await identify(undefined), await identify(undefined)];
  assert.ok(one.isIdentified && other.isIdentified);
  assert.match(one.playerId, /^[0-9A-Za-z]{27}$/);
  assert.notEqual(one.playerId, other.playerId);
  const closed = open({ identity: { allowGuests: false } });
  assert.deepEqual(await closed.identify(undefined), {
    isIdentified: false,
    reason: 'token_refused',
    text: 'this stage does not allow guests',
  });
  assert.equal((await closed.identify('theirs')).isIdentified, true);
});

test('a token of the stage’s own is no matter for providers, nor is any token on a stage without them', async () => {
  const { identify, bare } = open({ verify: refusing });
  assert.deepEqual(await identify('own bo'), { isIdentified: true, playerId: 'bo', issuedAtMs: 5, signedInAtMs: 3 });
  assert.deepEqual(await bare(), { isIdentified: false, reason: 'token_refused' });
});

test('the player’s id is the claim, or its hash, behind the prefix of the provider', async () => {
  assert.equal(await saidOf({}), 'anna');
  assert.equal(await saidOf({ provider: { playerIdPrefix: 'kc-' } }), 'kc-anna');
  assert.equal(await saidOf({ sub: 12_345 }), '12345');
  assert.equal(await saidOf({ payload: { account: 'a7' }, provider: { playerIdClaim: 'account' } }), 'a7');
  assert.equal(await saidOf({ sub: 'x'.repeat(44) }), 'x'.repeat(44));
  const hashed = { playerIdForm: 'HASHED', playerIdPrefix: 'a0-' } as const;
  const hash = createHash('sha256').update('https://login.example\nauth0|507f').digest('base64url');
  assert.equal(await saidOf({ sub: 'auth0|507f', provider: hashed }), `a0-${hash.slice(0, 27)}`);
  const ofOther = { ...hashed, issuer: 'https://other.example' };
  assert.notEqual(await saidOf({ sub: 'auth0|507f', provider: ofOther }), `a0-${hash.slice(0, 27)}`);
});

test('a claim that gives no id is refused, and says what it was', async () => {
  const of = (name: string, most = 44) =>
    `token_refused: the claim ${name} gives no player id of 1-${most} A-Z a-z 0-9 _ -, got`;
  assert.equal(await saidOf({ sub: 'auth0|507f' }), `${of('sub')} "auth0|507f"`);
  assert.equal(await saidOf({ sub: '' }), `${of('sub')} ""`);
  assert.equal(await saidOf({ provider: { playerIdClaim: 'account' } }), `${of('account')} nothing`);
  assert.equal(await saidOf({ sub: 1.5 }), `${of('sub')} 1.5`);
  assert.equal(await saidOf({ sub: ['anna'] }), `${of('sub')} an array`);
  const long = 'x'.repeat(42);
  assert.equal(await saidOf({ sub: long, provider: { playerIdPrefix: 'kc-' } }), `${of('sub', 41)} "${long}"`);
  assert.equal(await saidOf({ sub: '', provider: { playerIdForm: 'HASHED' } }), `${of('sub')} ""`);
});

test('handlers may read the claims that are listed and there, and nothing else', async () => {
  const payload = {
    level: 7,
    'https://game.example/roles': ['gm'],
    email: 'a@b.example',
    nick: null,
    iat: 1_767_323_045,
  };
  const provider = { claims: ['level', 'https://game.example/roles', 'nick', 'missing', 'constructor'] };
  const { identify, clock } = open({ payload, provider });
  assert.deepEqual(await identify('theirs'), {
    isIdentified: true,
    playerId: 'anna',
    issuer: 'https://login.example',
    issuedAtMs: 1_767_323_045_000,
    signedInAtMs: 1_767_323_045_000,
    session: {
      claims: { level: 7, 'https://game.example/roles': ['gm'] },
      lifetimeMs: 30 * DAY_MS,
      untilMs: clock.now() + 30 * DAY_MS,
    },
  });
});

test('a token whose claims handlers could not be given whole is refused', async () => {
  const provider = { claims: ['access'] };
  assert.match(
    await saidOf({ payload: { access: { roles: [] } }, provider }),
    /^token_refused: its claims must be .* "access"/,
  );
  assert.match(
    await saidOf({ payload: { access: 'x'.repeat(2_048) }, provider }),
    /have 2061 bytes of JSON, and may have 2048/,
  );
  assert.match(await saidOf({ payload: { access: Array(33).fill(1) }, provider }), /lists of at most 32/);
});

test('a session lasts as long as the stage says, and no longer than the server lets tokens live', async () => {
  for (const [sessionSeconds, lastsMs] of [
    [3_600, 3_600_000],
    [60 * 86_400, 30 * DAY_MS],
    [undefined, 30 * DAY_MS],
  ] as const) {
    const { identify, clock } = open({ identity: { sessionSeconds } });
    const found = await identify('theirs');
    assert.ok(found.isIdentified);
    assert.deepEqual([found.session?.lifetimeMs, found.session?.untilMs], [lastsMs, clock.now() + lastsMs]);
  }
});

test('a refusal is for good, unless only the provider’s keys are missing', async () => {
  const wrong = open({ verify: async () => ({ isGenuine: false, reason: 'its signature is wrong' }) });
  const refusal = { isIdentified: false, reason: 'token_refused', text: 'its signature is wrong' };
  assert.deepEqual(await wrong.identify('theirs'), refusal);
  const away = open({ verify: async () => ({ isGenuine: false, reason: 'no keys', retryAfterMs: 5_000 }) });
  assert.deepEqual(await away.identify('theirs'), {
    isIdentified: false,
    reason: 'try_again_later',
    text: 'no keys',
    facts: { retryAfterMs: 5_000 },
  });
});

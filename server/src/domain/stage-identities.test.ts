import assert from 'node:assert/strict';
import { hash } from 'node:crypto';
import { test } from 'node:test';
import { CHANGE, openDomain, ROLE } from '../../test/support/domain.ts';
import type { Audit } from './audit/audit.ts';
import type { IdentityProvider } from './players/provider-tokens.ts';

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

const NOBODY = { allowGuests: true, providers: [], sessionSeconds: undefined };

async function open(t: Parameters<typeof openDomain>[0]) {
  const recorded: unknown[] = [];
  const audit: Audit = {
    around(change, rule) {
      recorded.push(change.details);
      return rule();
    },
  };
  const domain = await openDomain(t, { audit });
  await domain.games.create({ name: 'Demo' }, CHANGE);
  const stage = await domain.stages.create({ gameName: 'Demo', name: 'Dev', role: ROLE }, CHANGE);
  recorded.length = 0;
  const { stageIdentities } = domain;
  const update = (change: Parameters<typeof stageIdentities.update>[2]) =>
    stageIdentities.update('Demo', 'Dev', change, CHANGE);
  return { ...domain, stage, recorded, update, get: () => stageIdentities.get('Demo', 'Dev') };
}

test('what is not given stays as it is, and everything is on record', async (t) => {
  const { get, update, recorded } = await open(t);
  assert.deepEqual(await get(), NOBODY);
  await update({ providers: [PROVIDER] });
  await update({ allowGuests: false });
  const changed = await update({ sessionSeconds: 3_600 });
  assert.deepEqual(changed, { allowGuests: false, providers: [PROVIDER], sessionSeconds: 3_600 });
  assert.deepEqual(await get(), changed);
  assert.deepEqual(await update({}), changed);
  await update({ providers: [], allowGuests: true });
  assert.deepEqual(await get(), { ...NOBODY, sessionSeconds: 3_600 });
  assert.deepEqual(recorded, [
    {
      issuers: 'https://login.example',
      jwksUrls: 'https://login.example/jwks',
      providersDigest: hash('sha256', JSON.stringify([PROVIDER]), 'hex'),
    },
    { allowGuests: 'false' },
    { sessionSeconds: '3600' },
    {},
    { allowGuests: 'true', issuers: '', jwksUrls: '', providersDigest: hash('sha256', '[]', 'hex') },
  ]);
});

test('a hello heeds the change at once, and a stage made again under the same name does not', async (t) => {
  const { update, players, stage, stages } = await open(t);
  const guest = () => players.admit({ gameKey: stage.gameKey });
  assert.equal((await guest()).isAdmitted, true);
  await update({ allowGuests: false });
  assert.deepEqual(await guest(), {
    isAdmitted: false,
    isIdentified: false,
    reason: 'token_refused',
    text: 'this stage does not allow guests',
  });
  await stages.delete('Demo', 'Dev', CHANGE);
  const again = await stages.create({ gameName: 'Demo', name: 'Dev', role: ROLE }, CHANGE);
  assert.equal((await players.admit({ gameKey: again.gameKey })).isAdmitted, true);
});

test('settings that no stage may have are refused, and change nothing', async (t) => {
  const { get, update, recorded } = await open(t);
  const other = { ...PROVIDER, issuer: 'https://other.example', playerIdPrefix: 'o-' };
  const refused: readonly (readonly [RegExp, readonly IdentityProvider[]])[] = [
    [
      /JwksUrl of the provider "https:\/\/login\.example" must be a URL, got "login"/,
      [{ ...PROVIDER, jwksUrl: 'login' }],
    ],
    [/must begin with https:\/\/ .*got "http:\/\/login/, [{ ...PROVIDER, jwksUrl: 'http://login.example/' }]],
    [/must begin with https:\/\//, [{ ...PROVIDER, jwksUrl: 'file:///etc/passwd' }]],
    [/must begin with https:\/\//, [{ ...PROVIDER, jwksUrl: 'http://localhost.evil.example/' }]],
    [
      /no user name, password or fragment, got "https:\/\/…@login\.example\/"/,
      [{ ...PROVIDER, jwksUrl: 'https://me:pw@login.example/' }],
    ],
    [/two providers with the issuer/, [PROVIDER, { ...PROVIDER, playerIdPrefix: 'o-' }]],
    [/one the beginning of the other/, [PROVIDER, other]],
    [/one the beginning of the other/, [{ ...PROVIDER, playerIdPrefix: 'o' }, other]],
    [/no claim that is called "a b"/, [{ ...PROVIDER, claims: ['a b'] }]],
    [/32768 characters of JSON together/, [{ ...PROVIDER, audiences: Array(10).fill('x'.repeat(4_000)) }]],
  ];
  for (const [message, providers] of refused) {
    await assert.rejects(update({ providers }), { code: 'validation', message }, String(message));
  }
  assert.doesNotMatch(JSON.stringify(recorded), /me:pw/);
  assert.deepEqual(await get(), NOBODY);
  for (const jwksUrl of ['http://localhost:8080/jwks', 'http://127.0.0.1/jwks', 'http://[::1]:1/jwks']) {
    await update({ providers: [{ ...PROVIDER, jwksUrl, playerIdPrefix: 'l-' }, other] });
  }
});

test('a stage that is not there has no identity', async (t) => {
  const { stageIdentities } = await open(t);
  for (const [game, stage] of [
    ['Demo', 'Live'],
    ['Other', 'Dev'],
  ] as const) {
    const missing = { code: 'not_found' };
    await assert.rejects(stageIdentities.get(game, stage), missing);
    await assert.rejects(stageIdentities.update(game, stage, { allowGuests: false }, CHANGE), missing);
    await assert.rejects(stageIdentities.check(game, stage, 'token'), missing);
  }
});

test('a token is made for a chosen lifetime with claims, and says so when it is checked', async (t) => {
  const { players, stageIdentities, recorded, clock } = await open(t);
  const anna = { gameName: 'Demo', stageName: 'Dev', playerId: 'anna' };
  const wish = { lifetimeSeconds: 60, claims: { role: 'gm' } };
  const { token } = await players.createToken(anna, CHANGE, wish);
  const issuedAtMs = Math.floor(clock.now() / 1000) * 1000;
  assert.deepEqual(await stageIdentities.check('Demo', 'Dev', token), {
    isIdentified: true,
    playerId: 'anna',
    issuedAtMs,
    signedInAtMs: issuedAtMs,
    session: { claims: { role: 'gm' }, lifetimeMs: 60_000, untilMs: issuedAtMs + 60_000 },
  });
  assert.deepEqual(recorded, [{ lifetimeSeconds: '60', claims: 'role' }]);
  const validation = (message: RegExp) => ({ code: 'validation', message });
  const tooLong = players.createToken(anna, CHANGE, { lifetimeSeconds: 61 });
  await assert.rejects(tooLong, validation(/LifetimeSeconds may be 60 at most .* RESPARK_PLAYER_TOKEN_LIFETIME_MS/));
  for (const claims of ['gm', [], { a: {} }, { a: 'x'.repeat(2_048) }, { 'a b': 1 }]) {
    await assert.rejects(players.createToken(anna, CHANGE, { claims }), validation(/^Claims /));
  }
});

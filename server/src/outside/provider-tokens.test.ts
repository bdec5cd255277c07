import assert from 'node:assert/strict';
import { createSecretKey } from 'node:crypto';
import { type TestContext, test } from 'node:test';
import {
  type CryptoKey,
  exportJWK,
  exportSPKI,
  generateKeyPair,
  type JWK,
  type JWTPayload,
  SignJWT,
  UnsecuredJWT,
} from 'jose';
import { recordedLog } from '../../test/support/domain.ts';
import { ManualClock } from '../../test/support/manual-clock.ts';
import { firstClosed, startWebServer } from '../../test/support/outside.ts';
import type { IdentityProvider } from '../domain/players/provider-tokens.ts';
import type { LookUp } from './look-up.ts';
import { createProviderTokens } from './provider-tokens.ts';

const ISSUER = 'https://login.example/realms/game';
const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

interface Signer {
  readonly alg: string;
  readonly key: CryptoKey;
  readonly jwk: JWK;
}

async function makeSigner(alg: string, kid: string): Promise<Signer> {
  const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true });
  return { alg, key: privateKey, jwk: { ...(await exportJWK(publicKey)), kid, alg, use: 'sig' } };
}

const RSA = await makeSigner('RS256', 'rsa');
const EC = await makeSigner('ES256', 'ec');
const ED = await makeSigner('EdDSA', 'ed');
const STRANGER = await makeSigner('RS256', 'rsa');

/** A provider that publishes keys, and a verifier of its tokens whose time stands still until the test moves it. */
async function open(
  t: TestContext,
  {
    signers = [RSA, EC, ED],
    answer,
    lookUp,
    identityHosts = ['127.0.0.1'],
    ...change
  }: Partial<IdentityProvider> & {
    signers?: readonly Signer[];
    answer?: Parameters<typeof startWebServer>[1];
    lookUp?: LookUp;
    identityHosts?: readonly string[];
  } = {},
) {
  const published = {
    keys: signers.map(({ jwk }) => jwk),
    cacheControl: undefined as string | undefined,
    isAway: false,
  };
  const server = await startWebServer(
    t,
    answer ??
      ((response) => {
        if (published.cacheControl !== undefined) response.setHeader('cache-control', published.cacheControl);
        response.statusCode = published.isAway ? 503 : 200;
        response.end(JSON.stringify({ keys: published.keys }));
      }),
  );
  const clock = new ManualClock();
  const { log, lines } = recordedLog();
  const lookUps = lookUp && { listed: lookUp, public: lookUp };
  const tokens = createProviderTokens({ clock, log, settings: { identityHosts }, ...(lookUps && { lookUps }) });
  t.after(() => tokens.close());
  const provider: IdentityProvider = {
    issuer: ISSUER,
    jwksUrl: `${server.url}/jwks`,
    audiences: ['game', 'tools'],
    algorithms: ['RS256', 'ES256', 'EdDSA'],
    clockSkewSeconds: 30,
    playerIdClaim: 'sub',
    playerIdForm: 'PLAIN',
    playerIdPrefix: '',
    claims: [],
    ...change,
  };
  const now = () => Math.floor(clock.now() / 1000);
  const claims = (more: JWTPayload = {}): JWTPayload => ({
    ...{ iss: ISSUER, aud: 'game', sub: 'anna', iat: now(), exp: now() + 7_200 },
    ...more,
  });
  const verify = (token: string) =>
    tokens.verify(token, [{ ...provider, issuer: 'https://other.example' }, provider], { id: 'S', gameId: 'G' });
  return { ...server, published, clock, lines, claims, now, verify, tokens, provider };
}

type Opened = Awaited<ReturnType<typeof open>>;

const sign = (payload: JWTPayload, { alg, key, jwk }: Signer = RSA, header: object = {}) =>
  new SignJWT(payload).setProtectedHeader({ alg, kid: jwk.kid ?? '', ...header }).sign(key);

async function reasonOf({ verify }: Opened, token: string): Promise<string> {
  const verdict = await verify(token);
  return verdict.isGenuine ? 'genuine' : verdict.reason;
}

test('a token is genuine that the provider has signed, by each of its algorithms', async (t) => {
  const opened = await open(t);
  for (const signer of [RSA, EC, ED]) {
    const payload = opened.claims({ aud: ['else', 'tools'], level: 7 });
    const verdict = await opened.verify(await sign(payload, signer));
    assert.ok(verdict.isGenuine, JSON.stringify(verdict));
    assert.deepEqual([verdict.payload, verdict.provider.issuer], [payload, ISSUER]);
  }
  assert.equal(opened.requests.length, 1);
});

test('a token is refused for its signature, its algorithm, its times and for whom it is', async (t) => {
  const opened = await open(t);
  const { claims, now } = opened;
  const { exp: _exp, ...forEver } = claims();
  const { aud: _aud, ...forNobody } = claims();
  const { iss: _iss, ...fromNobody } = claims();
  const unlisted = await makeSigner('RS512', 'rsa');
  const secret = createSecretKey(Buffer.from(await exportSPKI(await publicKeyOf(RSA))));
  const [header, , signature] = (await sign(claims())).split('.');
  const refused: readonly (readonly [what: string, token: string, reason: RegExp])[] = [
    ['without a signature', new UnsecuredJWT(claims()).encode(), /neither one of this stage nor a signed JWT/],
    ['unsigned, with a signature', `${encoded({ alg: 'none', kid: 'rsa' })}.${encoded(claims())}.AAAA`, /algorithm/],
    ['signed with the public key as a secret', await hmac(claims(), secret), /algorithm that is not listed/],
    ['signed by an algorithm that is not listed', await sign(claims(), unlisted), /algorithm that is not listed/],
    ['signed by somebody else under the same name', await sign(claims(), STRANGER), /signature is wrong/],
    [
      'that brings its own key',
      await sign(claims(), STRANGER, { jwk: STRANGER.jwk, jku: 'https://evil.example' }),
      /signature is wrong/,
    ],
    ['with claims of its own', `${header}.${encoded(claims({ sub: 'root' }))}.${signature}`, /signature is wrong/],
    ['signed with a key that nobody publishes', await sign(claims(), RSA, { kid: 'made-up' }), /publishes no key/],
    ['that names a key of another kind', await sign(claims(), RSA, { kid: 'ec' }), /publishes no key/],
    ['that does not name its key, as an EC key would', await sign(claims(), EC, { kid: 'rsa' }), /publishes no key/],
    ['for another audience', await sign(claims({ aud: ['others'] })), /another audience than "game tools"/],
    ['for no audience', await sign(forNobody), /no claim aud/],
    ['that has expired', await sign(claims({ exp: now() - 30 })), /has expired/],
    ['that never expires', await sign(forEver), /no claim exp/],
    ['that is not valid yet', await sign(claims({ nbf: now() + 31 })), /not valid yet/],
    ['that is issued in the future', await sign(claims({ iat: now() + 31 })), /iat, is in the future/],
    [
      'of another issuer',
      await sign(claims({ iss: 'https://evil.example' })),
      /no provider .* "https:\/\/evil\.example"/,
    ],
    ['of an issuer with a slash more', await sign(claims({ iss: `${ISSUER}/` })), /no provider/],
    ['of no issuer', await sign(fromNobody), /neither/],
    [
      'with an extension that nobody knows',
      await sign(claims(), RSA, { crit: ['x'], x: 1 }).catch(() => critical(claims())),
      /not a signed JWT/,
    ],
    ['that is a word', 'token', /neither/],
    ['that is empty inside', '..', /neither/],
    ['that is encrypted', 'a.b.c.d.e', /neither/],
    ['whose claims are no JSON', `${header}.AAAA.${signature}`, /neither/],
  ];
  for (const [what, token, reason] of refused) assert.match(await reasonOf(opened, token), reason, what);
  assert.equal(
    await reasonOf(opened, await sign(claims({ exp: now() - 29, nbf: now() + 30, iat: now() + 30 }))),
    'genuine',
  );
});

const encoded = (part: object) => Buffer.from(JSON.stringify(part)).toString('base64url');

const hmac = (payload: JWTPayload, secret: ReturnType<typeof createSecretKey>) =>
  new SignJWT(payload).setProtectedHeader({ alg: 'HS256', kid: 'rsa' }).sign(secret);

const critical = (payload: JWTPayload) =>
  `${encoded({ alg: 'RS256', kid: 'rsa', crit: ['x'], x: 1 })}.${encoded(payload)}.AAAA`;

async function publicKeyOf({ jwk, alg }: Signer): Promise<CryptoKey> {
  const { importJWK } = await import('jose');
  return (await importJWK(jwk, alg, { extractable: true })) as CryptoKey;
}

test('only the algorithms that the stage lists count, whatever else the provider signs with', async (t) => {
  const opened = await open(t, { algorithms: ['ES256'] });
  assert.match(await reasonOf(opened, await sign(opened.claims(), RSA)), /algorithm that is not listed/);
  assert.equal(await reasonOf(opened, await sign(opened.claims(), EC)), 'genuine');
});

test('a key that is too short, private or a secret is no key', async (t) => {
  const shared = { kty: 'oct', k: Buffer.alloc(32, 1).toString('base64url'), kid: 'rsa', alg: 'HS256' };
  const opened = await open(t);
  opened.published.keys = [shared];
  assert.match(await reasonOf(opened, await hmac(opened.claims(), createSecretKey(Buffer.alloc(32, 1)))), /algorithm/);
  assert.match(await reasonOf(opened, await sign(opened.claims())), /publishes no key/);
  const privately = await open(t);
  privately.published.keys = [{ ...(await exportJWK(RSA.key)), kid: 'rsa', alg: 'RS256' }];
  assert.match(await reasonOf(privately, await sign(privately.claims())), /not a signed JWT|cannot be used/);
});

test('keys are fetched once for all who wait for them, and kept', async (t) => {
  const opened = await open(t);
  const token = await sign(opened.claims({ exp: opened.now() + 10 * 86_400 }));
  const verdicts = await Promise.all(Array.from({ length: 50 }, () => reasonOf(opened, token)));
  assert.deepEqual(new Set(verdicts), new Set(['genuine']));
  assert.equal(opened.requests.length, 1);
  opened.clock.advance(HOUR_MS - 1);
  assert.equal(await reasonOf(opened, token), 'genuine');
  assert.equal(opened.requests.length, 1);
  opened.clock.advance(1);
  assert.equal(await reasonOf(opened, token), 'genuine');
  assert.equal(opened.requests.length, 2);
});

for (const [cacheControl, keptMs] of [
  ['max-age=1', 10 * MINUTE_MS],
  ['public, max-age=3000, must-revalidate', 50 * MINUTE_MS],
  ['max-age=999999999', 24 * HOUR_MS],
  ['no-store', HOUR_MS],
] as const) {
  test(`keys that come with "${cacheControl}" are kept for ${keptMs / MINUTE_MS} minutes`, async (t) => {
    const opened = await open(t);
    opened.published.cacheControl = cacheControl;
    const token = await sign(opened.claims({ exp: opened.now() + 10 * 86_400 }));
    await reasonOf(opened, token);
    opened.clock.advance(keptMs - 1);
    await reasonOf(opened, token);
    assert.equal(opened.requests.length, 1);
    opened.clock.advance(1);
    await reasonOf(opened, token);
    assert.equal(opened.requests.length, 2);
  });
}

test('a key that the provider has removed no longer counts once the keys were kept for their time', async (t) => {
  const opened = await open(t);
  const token = await sign(opened.claims());
  assert.equal(await reasonOf(opened, token), 'genuine');
  opened.published.keys = [EC.jwk];
  opened.clock.advance(HOUR_MS);
  assert.match(await reasonOf(opened, token), /publishes no key/);
});

test('a new key is fetched when the first token comes that is signed with it', async (t) => {
  const opened = await open(t, { signers: [EC] });
  assert.equal(await reasonOf(opened, await sign(opened.claims(), EC)), 'genuine');
  opened.published.keys = [EC.jwk, RSA.jwk];
  opened.clock.advance(30_000);
  assert.equal(await reasonOf(opened, await sign(opened.claims())), 'genuine');
  assert.equal(opened.requests.length, 2);
});

test('keys that nobody has are asked for every 30 seconds at most, and their tokens told to come back', async (t) => {
  const opened = await open(t);
  assert.equal(await reasonOf(opened, await sign(opened.claims())), 'genuine');
  opened.clock.advance(10_000);
  const flood = async (count: number) => {
    const tokens = await Promise.all(
      Array.from({ length: count }, (_, index) => sign(opened.claims(), EC, { kid: `made-up-${index}` })),
    );
    return await Promise.all(tokens.map((token) => opened.verify(token)));
  };
  for (const verdict of await flood(100)) {
    assert.ok(!verdict.isGenuine);
    assert.equal(verdict.retryAfterMs, 20_000);
  }
  assert.equal(opened.requests.length, 1);
  assert.equal(await reasonOf(opened, await sign(opened.claims())), 'genuine', 'others are let in meanwhile');
  opened.clock.advance(20_000);
  for (const verdict of await flood(100)) assert.match(verdict.isGenuine ? '' : verdict.reason, /publishes no key/);
  assert.equal(opened.requests.length, 2);
});

test('while the provider is away, its keys count for another day, and it is asked every 30 seconds', async (t) => {
  const opened = await open(t);
  const token = await sign(opened.claims({ exp: opened.now() + 10 * 86_400 }));
  assert.equal(await reasonOf(opened, token), 'genuine');
  opened.published.isAway = true;
  opened.clock.advance(HOUR_MS);
  assert.equal(await reasonOf(opened, token), 'genuine');
  assert.equal(await reasonOf(opened, token), 'genuine');
  assert.equal(opened.requests.length, 2);
  opened.clock.advance(30_000);
  assert.equal(await reasonOf(opened, token), 'genuine');
  assert.equal(opened.requests.length, 3);
  opened.clock.advance(24 * HOUR_MS - 30_001);
  assert.equal(await reasonOf(opened, token), 'genuine');
  opened.clock.advance(30_000);
  const verdict = await opened.verify(token);
  assert.deepEqual(verdict, {
    isGenuine: false,
    reason: 'the keys of its issuer cannot be had at the moment',
    retryAfterMs: 30_000,
  });
  opened.published.isAway = false;
  opened.clock.advance(30_000);
  assert.equal(await reasonOf(opened, token), 'genuine');
  assert.deepEqual(
    new Set(opened.lines.map(({ msg }) => msg)),
    new Set(['the keys of an identity provider cannot be fetched']),
  );
});

for (const [what, answer, cause] of [
  ['redirects', (response, { url }) => response.writeHead(302, { location: `${url}-elsewhere` }).end(), /status 302/],
  ['answers with what is no set of keys', (response) => response.end('{"keys":{}}'), /no set of keys/],
  ['answers with what is not JSON', (response) => response.end('<html>'), /not JSON/],
  ['answers with too much', (response) => response.end(`{"keys":[${' '.repeat(262_144)}]}`), /more than 32768 bytes/],
  [
    'has too many keys',
    (response) => response.end(JSON.stringify({ keys: Array(101).fill(EC.jwk) })),
    /more than 20 keys/,
  ],
  ['hangs up', (response) => response.destroy(), /could not be reached/],
] as const satisfies readonly (readonly [string, Parameters<typeof startWebServer>[1], RegExp])[]) {
  test(`a provider that ${what} has no keys, which the log says`, async (t) => {
    const opened = await open(t, { answer });
    const verdict = await opened.verify(await sign(opened.claims()));
    assert.ok(!verdict.isGenuine);
    assert.equal(verdict.retryAfterMs, 30_000);
    assert.equal(opened.requests.length, 1);
    assert.match(String(opened.lines[0]?.cause), cause);
  });
}

test('a provider that does not answer is waited for no longer than three seconds', async (t) => {
  let called = () => {};
  const isCalled = new Promise<void>((resolve) => {
    called = resolve;
  });
  const opened = await open(t, { answer: () => called() });
  const answered = opened.verify(await sign(opened.claims()));
  await isCalled;
  opened.clock.advance(3_000);
  const verdict = await answered;
  assert.ok(!verdict.isGenuine);
  assert.equal(verdict.retryAfterMs, 27_000);
  await firstClosed(opened.sockets);
  assert.equal(opened.clock.pending, 0);
});

test('keys are fetched from no address of a private network, unless the settings list the host', async (t) => {
  const privately: LookUp = async () => [{ address: '127.0.0.1', family: 4 }];
  const token = async (opened: Opened) => await sign(opened.claims());
  for (const jwksUrl of [
    'https://login.example/jwks',
    'https://10.0.0.1/jwks',
    'https://[fd00::1]/jwks',
    'https://169.254.169.254/',
  ]) {
    const refused = await open(t, { jwksUrl, lookUp: privately, identityHosts: [] });
    assert.match(await reasonOf(refused, await token(refused)), /cannot be had/);
    assert.match(String(refused.lines[0]?.cause), /RESPARK_IDENTITY_HOSTS/, jwksUrl);
    assert.deepEqual(refused.requests, []);
  }
  const listed = await open(t, { lookUp: privately, identityHosts: ['login.example'] });
  const { port } = listed;
  const inside = await open(t, {
    ...{ jwksUrl: `http://login.example:${port}/jwks`, lookUp: privately },
    identityHosts: ['login.example'],
  });
  assert.equal(await reasonOf(inside, await token(inside)), 'genuine');
  const local = { lookUp: privately, jwksUrl: `http://localhost:${port}/jwks` };
  const resolved = await open(t, { ...local, identityHosts: ['localhost'] });
  assert.equal(await reasonOf(resolved, await token(resolved)), 'genuine');
  // A caller who may set up a stage must not reach what else listens on the server's machine.
  const unlisted = await open(t, { ...local, identityHosts: [] });
  assert.match(await reasonOf(unlisted, await token(unlisted)), /cannot be had/);
});

test('nothing is fetched, nor jose asked, for a token that names no issuer of the stage', async (t) => {
  const opened = await open(t);
  for (const token of ['', 'guest', await sign(opened.claims({ iss: 'https://evil.example' }))])
    await opened.verify(token);
  assert.deepEqual(opened.requests, []);
});

test('a stage has few sets of keys fetched, and holds up no other stage by that', async (t) => {
  const opened = await open(t);
  const verify = async (stageId: string, set: number) => {
    const other = { ...opened.provider, jwksUrl: `${opened.provider.jwksUrl}?${stageId}${set}` };
    return await opened.tokens.verify(await sign(opened.claims()), [other], { id: stageId, gameId: 'G' });
  };
  for (let set = 0; set < 10; set += 1) assert.equal((await verify('one', set)).isGenuine, true);
  const refused = await verify('one', 10);
  assert.deepEqual(refused, {
    ...{ isGenuine: false, reason: 'the keys of its issuer cannot be had at the moment', retryAfterMs: 10_000 },
  });
  assert.equal((await verify('one', 0)).isGenuine, true, 'those that are known still count');
  assert.equal((await verify('other', 0)).isGenuine, true);
  assert.equal(opened.requests.length, 11);
  opened.clock.advance(10_000);
  assert.equal((await verify('one', 10)).isGenuine, true);
});

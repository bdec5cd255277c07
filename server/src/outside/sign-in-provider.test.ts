import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { recordedLog } from '../../test/support/domain.ts';
import { ManualClock } from '../../test/support/manual-clock.ts';
import { CLIENT_ID, CLIENT_SECRET, startTeamProvider } from '../../test/support/team-provider.ts';
import { SignInFault } from '../domain/access/sign-in-provider.ts';
import { ServiceError } from '../errors.ts';
import { createSignInProvider, type SignInSettings } from './sign-in-provider.ts';

const BEGUN = { state: 'state', nonce: 'nonce', verifier: 'verifier', returnUrl: 'https://api.example/console/' };

async function open(t: TestContext, change: Partial<SignInSettings> = {}) {
  const server = await startTeamProvider(t);
  // Keys and tokens are of the time that it is.
  const clock = new ManualClock(Date.now());
  const settings = { signInScopes: [], identityHosts: ['127.0.0.1'], ...server.settings, ...change };
  const provider = createSignInProvider({ clock, log: recordedLog().log, settings });
  t.after(() => provider.close());
  const signIn = async () => {
    const { code } = server.grant(await provider.pageOf(BEGUN), { sub: 'ada' });
    return await provider.redeem({ code, issuer: undefined }, BEGUN);
  };
  return { ...server, clock, provider, signIn };
}

type Opened = Awaited<ReturnType<typeof open>>;

function ofProvider(reason: RegExp) {
  return (error: unknown) => {
    assert.ok(error instanceof SignInFault);
    assert.equal(error.isOfProvider, true);
    assert.match(error.message, reason);
    return true;
  };
}

test('a provider that is not what it must be signs nobody in', async (t) => {
  const misdeeds: readonly [(opened: Opened) => void, RegExp][] = [
    [({ misdeeds: { answer } }) => Object.assign(answer, { description: { body: '<html>' } }), /not JSON/],
    [
      ({ misdeeds: { answer } }) => Object.assign(answer, { description: { body: 'x'.repeat(70_000) } }),
      /more than 65536/,
    ],
    [({ misdeeds: { answer } }) => Object.assign(answer, { description: { status: 503 } }), /status 503/],
    [
      ({ misdeeds: { answer }, issuer: location }) =>
        Object.assign(answer, { description: { status: 302, headers: { location } } }),
      /status 302/,
    ],
    ...(
      [
        [{ issuer: 'https://evil.example' }, /"https:\/\/evil.example": RESPARK_SIGN_IN_ISSUER/],
        [{ token_endpoint: 'http://10.0.0.1/' }, /token_endpoint is no https URL/],
        [{ jwks_uri: 'https://me:secret@login.example/' }, /jwks_uri is no https URL/],
        [{ authorization_endpoint: 'javascript:alert(1)' }, /authorization_endpoint is no https URL/],
        [{ authorization_endpoint: undefined }, /no https URL: nothing/],
        [{ code_challenge_methods_supported: ['plain'] }, /does not know PKCE with S256/],
      ] as const
    ).map(([description, reason]): [(opened: Opened) => void, RegExp] => [
      (opened) => Object.assign(opened.misdeeds, { description }),
      reason,
    ]),
  ];
  for (const [misbehave, reason] of misdeeds) {
    const opened = await open(t);
    misbehave(opened);
    await assert.rejects(opened.provider.pageOf(BEGUN), ofProvider(reason));
  }
});

test('a provider that does not answer is waited for no longer than five seconds, and not asked again at once', async (t) => {
  const { provider, clock, misdeeds, requests, signIn } = await open(t);
  misdeeds.isSilent = true;
  const [one, other] = [provider.pageOf(BEGUN), provider.pageOf(BEGUN)];
  clock.advance(5_000);
  for (const waiting of [one, other, provider.pageOf(BEGUN)])
    await assert.rejects(waiting, ofProvider(/did not answer within 5000 ms/));
  misdeeds.isSilent = false;
  await assert.rejects(provider.pageOf(BEGUN), SignInFault);
  clock.advance(2_000);
  assert.equal((await signIn()).sub, 'ada');
  const described = () => requests.filter(({ url }) => url.endsWith('/openid-configuration')).length;
  const before = described();
  await signIn();
  assert.equal(described(), before, 'what it has said of itself is kept');
  clock.advance(3_600_000);
  await provider.pageOf(BEGUN);
  assert.equal(described(), before + 1, 'for an hour');
});

test('a server that stops waits for no provider', async (t) => {
  const { provider, misdeeds } = await open(t);
  misdeeds.isSilent = true;
  const waiting = provider.pageOf(BEGUN);
  provider.close();
  await assert.rejects(waiting, ofProvider(/the server is stopping/));
});

test('the client shows its secret as the provider takes it, and one without a secret shows none', async (t) => {
  const ways = [
    [undefined, CLIENT_SECRET, 'header'],
    [['client_secret_basic', 'client_secret_post'], CLIENT_SECRET, 'header'],
    [['client_secret_post'], CLIENT_SECRET, 'body'],
    [['none'], undefined, 'nowhere'],
  ] as const;
  for (const [supported, signInClientSecret, place] of ways) {
    const opened = await open(t, { signInClientSecret });
    opened.misdeeds.description = { token_endpoint_auth_methods_supported: supported };
    if (place === 'header') assert.equal((await opened.signIn()).sub, 'ada');
    else await assert.rejects(opened.signIn(), ofProvider(/invalid_client/));
    const { headers, body } = opened.requests.find(({ url }) => url === '/token') ?? assert.fail();
    const form = new URLSearchParams(body);
    assert.equal(headers.authorization !== undefined, place === 'header');
    assert.equal(form.get('client_secret'), place === 'body' ? CLIENT_SECRET : null);
    assert.equal(form.get('client_id'), CLIENT_ID);
  }
});

test('scopes that are set are asked for beside those of every sign-in', async (t) => {
  const { provider } = await open(t, { signInScopes: ['groups', 'email'] });
  assert.equal(new URL(await provider.pageOf(BEGUN)).searchParams.get('scope'), 'openid profile email groups');
});

test('the provider is asked for so many tokens a second, whoever wants them', async (t) => {
  const { clock, requests, signIn } = await open(t);
  for (let n = 0; n < 100; n += 1) assert.equal((await signIn()).sub, 'ada');
  const tooMuch = (error: unknown) => {
    assert.ok(error instanceof ServiceError);
    assert.deepEqual([error.code, error.retryAfterMs], ['throttled', 100]);
    return true;
  };
  await assert.rejects(signIn(), tooMuch);
  assert.equal(requests.filter(({ url }) => url === '/token').length, 100);
  clock.advance(100);
  assert.equal((await signIn()).sub, 'ada');
});

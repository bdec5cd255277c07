import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { TestContext } from 'node:test';
import { exportJWK, generateKeyPair } from 'jose';
import { Provider } from 'oidc-provider';

/** The client that games sign their players in with, and where the provider sends them back to. */
export const CLIENT_ID = 'game';
const REDIRECT_URI = 'http://127.0.0.1/signed-in';

/** More pages and redirects than a sign-in has. */
const MAX_STEPS = 12;

/** An OpenID provider whose users sign in by whatever name they give, over HTTP as browsers do. */
export async function startIdentityProvider(t: TestContext, { algorithm = 'RS256' } = {}) {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.close();
    server.closeAllConnections();
  });
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const { privateKey } = await generateKeyPair(algorithm, { extractable: true });
  const provider = new Provider(issuer, {
    clients: [
      {
        client_id: CLIENT_ID,
        application_type: 'native',
        token_endpoint_auth_method: 'none',
        redirect_uris: [REDIRECT_URI],
        id_token_signed_response_alg: algorithm,
      },
    ],
    jwks: { keys: [{ ...(await exportJWK(privateKey)), kid: 'of-the-test', use: 'sig', alg: algorithm }] },
    claims: { openid: ['sub', 'level', 'groups'] },
    conformIdTokenClaims: false,
    findAccount: (_: unknown, sub: string) => ({
      accountId: sub,
      claims: async () => ({ sub, level: sub.length, groups: ['players', 'testers'] }),
    }),
    cookies: { keys: ['a key of the tests'] },
  });
  let keyRequests = 0;
  const answer = provider.callback();
  server.on('request', (request, response) => {
    if (request.url === '/jwks') keyRequests += 1;
    answer(request, response);
  });
  return {
    issuer,
    jwksUrl: `${issuer}/jwks`,
    get keyRequests() {
      return keyRequests;
    },
    /** Signs a user in, and gives the id token. */
    signIn: (login: string) => signIn(issuer, login),
  };
}

/** The authorization code flow with PKCE, in which the user fills in the form of the login and that of the consent. */
async function signIn(issuer: string, login: string): Promise<string> {
  const verifier = randomBytes(32).toString('base64url');
  const asked = new URLSearchParams({
    ...{ client_id: CLIENT_ID, response_type: 'code', scope: 'openid', redirect_uri: REDIRECT_URI },
    code_challenge: createHash('sha256').update(verifier).digest('base64url'),
    code_challenge_method: 'S256',
  });
  const code = await codeOf(new URL(`/auth?${asked}`, issuer), login);
  const body = new URLSearchParams({
    ...{ client_id: CLIENT_ID, grant_type: 'authorization_code', redirect_uri: REDIRECT_URI },
    ...{ code, code_verifier: verifier },
  });
  const response = await fetch(new URL('/token', issuer), { method: 'POST', body });
  const answer = (await response.json()) as { id_token?: string };
  assert.ok(answer.id_token !== undefined, JSON.stringify(answer));
  return answer.id_token;
}

async function codeOf(start: URL, login: string): Promise<string> {
  const cookies = new Map<string, string>();
  let url = start;
  let form: URLSearchParams | undefined;
  for (let step = 0; step < MAX_STEPS; step += 1) {
    const cookie = [...cookies].map(([name, value]) => `${name}=${value}`).join('; ');
    const sent = form === undefined ? {} : { method: 'POST', body: form };
    const response = await fetch(url, { ...sent, headers: { cookie }, redirect: 'manual' });
    form = undefined;
    for (const set of response.headers.getSetCookie()) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(set) ?? [];
      cookies.set(name, value);
    }
    const location = response.headers.get('location');
    if (location === null) {
      const page = await response.text();
      const [, prompt] = /name="prompt" value="(\w+)"/.exec(page) ?? [];
      assert.ok(prompt !== undefined, page);
      form = new URLSearchParams({ prompt, ...(prompt === 'login' ? { login, password: 'any' } : {}) });
      const [, action = url.href] = /action="([^"]+)"/.exec(page) ?? [];
      url = new URL(action, url);
    } else {
      url = new URL(location, url);
      const code = url.searchParams.get('code');
      if (url.href.startsWith(REDIRECT_URI)) return code ?? assert.fail(url.href);
    }
  }
  throw new Error('the provider asks for ever');
}

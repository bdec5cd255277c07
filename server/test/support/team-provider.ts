import { createHash } from 'node:crypto';
import type { TestContext } from 'node:test';
import { exportJWK, generateKeyPair, type JWTPayload, SignJWT } from 'jose';
import { startWebServer } from './outside.ts';

export const CLIENT_ID = 'respark';
export const CLIENT_SECRET = 'a secret: of the client?';

interface Grant {
  readonly claims: JWTPayload;
  readonly nonce: string;
  readonly challenge: string;
  readonly returnUrl: string;
}

/** What a test may have an OpenID provider do wrong. */
export interface Misdeeds {
  /** Members of its description of itself that are other, or missing. */
  description: Readonly<Record<string, unknown>>;
  /** Its answer to the request for its description, the code or its keys, instead of the true one. */
  answer: Partial<Record<'description' | 'token' | 'keys', { status?: number; body?: string; headers?: object }>>;
  /** To whom it never answers. */
  isSilent: boolean;
  /** Makes the ID token in its own way. */
  token: ((claims: JWTPayload) => string | Promise<string>) | undefined;
}

/** A provider that does what a test wants of it, and holds the server to the rules of OAuth in the meantime. */
export async function startTeamProvider(t: TestContext) {
  const { privateKey, publicKey } = await generateKeyPair('RS256', { extractable: true });
  const jwk = { ...(await exportJWK(publicKey)), kid: 'of-the-test', alg: 'RS256', use: 'sig' };
  const grants = new Map<string, Grant>();
  const misdeeds: Misdeeds = { description: {}, answer: {}, isSilent: false, token: undefined };
  const given: string[] = [];

  const sign = (claims: JWTPayload, header: object = {}) =>
    new SignJWT(claims).setProtectedHeader({ alg: 'RS256', kid: jwk.kid, ...header }).sign(privateKey);

  async function redeem(form: URLSearchParams, authorization = ''): Promise<{ status: number; said: object }> {
    const [id, secret] = Buffer.from(authorization.replace('Basic ', ''), 'base64').toString().split(':');
    const isClient = id === CLIENT_ID && new URLSearchParams(`=${secret}`).get('') === CLIENT_SECRET;
    if (!isClient) return { status: 401, said: { error: 'invalid_client' } };
    const code = form.get('code') ?? '';
    const grant = grants.get(code);
    grants.delete(code);
    const challenge = createHash('sha256')
      .update(form.get('code_verifier') ?? '')
      .digest('base64url');
    if (grant?.challenge !== challenge || grant.returnUrl !== form.get('redirect_uri'))
      return { status: 400, said: { error: 'invalid_grant', error_description: 'a secret of the provider' } };
    const now = Math.floor(Date.now() / 1000);
    const claims = { iss: url, aud: CLIENT_ID, iat: now, exp: now + 300, nonce: grant.nonce, ...grant.claims };
    const token = await (misdeeds.token ?? sign)(claims);
    given.push(token);
    return { status: 200, said: { access_token: 'an access token', token_type: 'Bearer', id_token: token } };
  }

  const { url, requests, port } = await startWebServer(t, (response, request) => {
    if (misdeeds.isSilent) return;
    const [kind = 'description'] = (['token', 'keys'] as const).filter((each) => request.url === `/${each}`);
    const { status = 200, body, headers = {} } = misdeeds.answer[kind] ?? {};
    for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
    response.statusCode = status;
    if (body !== undefined) return void response.end(body);
    if (kind === 'keys') return void response.end(JSON.stringify({ keys: [jwk] }));
    if (kind === 'token') {
      void redeem(new URLSearchParams(request.body), request.headers.authorization).then((redeemed) => {
        response.statusCode = redeemed.status;
        response.end(JSON.stringify(redeemed.said));
      });
      return;
    }
    const endpoints = { authorization_endpoint: `${url}/auth?prompt=login`, token_endpoint: `${url}/token` };
    response.end(JSON.stringify({ issuer: url, ...endpoints, jwks_uri: `${url}/keys`, ...misdeeds.description }));
  });

  return {
    ...{ issuer: url, port, requests, misdeeds, sign, publicKey },
    /** Every ID token that was given away. */
    given,
    /** What the person's browser is sent back with who has signed in on the page at this address. */
    grant(page: string, claims: JWTPayload): { code: string; state: string } {
      const asked = new URL(page).searchParams;
      const code = `code-${grants.size}-${Math.random()}`;
      const value = (name: string) => asked.get(name) ?? '';
      const [nonce, challenge, returnUrl] = [value('nonce'), value('code_challenge'), value('redirect_uri')];
      grants.set(code, { claims, nonce, challenge, returnUrl });
      return { code, state: value('state') };
    },
    settings: {
      signInIssuer: url,
      signInClientId: CLIENT_ID,
      signInClientSecret: CLIENT_SECRET,
      signInRoles: ['admins=admin', 'live-ops=moderator@Demo/Dev'],
    },
  };
}

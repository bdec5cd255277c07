import { createHash } from 'node:crypto';
import { parseJson } from '@respark/protocol';
import type { Clock } from '../clock.ts';
import { type SignInBegun, SignInFault, type SignInProvider } from '../domain/access/sign-in-provider.ts';
import { ServiceError } from '../errors.ts';
import type { Log } from '../log.ts';
import { decodeText, shown } from '../text.ts';
import { createTokenBuckets } from '../token-bucket.ts';
import { type LookUps, SYSTEM_LOOK_UPS } from './look-up.ts';
import { OutsideFault } from './outside-fault.ts';
import { type AskProvider, createAskProvider, type ProviderSettings } from './provider-requests.ts';
import { createCheckSignedToken } from './signed-tokens.ts';

/** A person waits for two answers at most, and for the keys. */
const TIMEOUT_MS = 5_000;
/** Descriptions of providers and answers with tokens have a few kilobytes. */
const MAX_BYTES = 65_536;
/** For how long what a provider says of itself counts. */
const KEPT_MS = 3_600_000;
/** How often a provider that does not answer is asked for its configuration, however many people want to sign in. */
const ASK_SPACING_MS = 2_000;
const MAX_URL_CHARACTERS = 2_000;
const CLOCK_SKEW_SECONDS = 30;
/** How many codes are redeemed in all, so that no caller can make this server overload the provider. */
const CODES = { ratePerSecond: 10, burst: 100, maxKeys: 1 };
/** On whose account keys are fetched; stages have ids of another form. */
const OWNER = { id: 'sign-in', group: 'sign-in' };

export interface SignInSettings extends ProviderSettings {
  readonly signInIssuer: string;
  readonly signInClientId: string;
  readonly signInClientSecret: string | undefined;
  readonly signInScopes: readonly string[];
}

/** What a provider says of itself (OpenID Connect Discovery 1.0), as far as it is used. */
interface Description {
  readonly authorizationUrl: string;
  readonly tokenUrl: string;
  readonly jwksUrl: string;
  /** Whether the provider always names itself when it sends a person back (RFC 9207). */
  readonly namesItself: boolean;
  /** How a client with a secret shows it. */
  readonly takesSecretIn: 'header' | 'body';
}

/** Signs people in by an authorization code with PKCE. The browser sees neither the secret of the client nor a token. */
export function createSignInProvider({
  clock,
  log,
  settings,
  lookUps = SYSTEM_LOOK_UPS,
}: {
  clock: Clock;
  log: Pick<Log, 'warn'>;
  settings: SignInSettings;
  lookUps?: LookUps;
}): SignInProvider & { close(): void } {
  const { signInIssuer: issuer, signInClientId: clientId, signInScopes } = settings;
  const stopping = new AbortController();
  const ask = createAskProvider({
    ...{ purpose: 'sign-ins', clock, log, lookUps, settings },
    stopping: stopping.signal,
  });
  const check = createCheckSignedToken({ clock, log, ask });
  const describe = createDescribe({ ask, clock, issuer });
  const codes = createTokenBuckets({ ...CODES, clock });
  const scope = [...new Set(['openid', 'profile', 'email', ...signInScopes])].join(' ');

  return {
    issuer,

    async pageOf({ state, nonce, verifier, returnUrl }) {
      const { authorizationUrl } = await describe();
      const url = new URL(authorizationUrl);
      const challenge = createHash('sha256').update(verifier).digest('base64url');
      const asked = {
        ...{ response_type: 'code', client_id: clientId, redirect_uri: returnUrl, scope, state, nonce },
        ...{ code_challenge: challenge, code_challenge_method: 'S256' },
      };
      for (const [name, value] of Object.entries(asked)) url.searchParams.set(name, value);
      return url.href;
    },

    async redeem(returned, begun) {
      const description = await describe();
      if (returned.issuer !== undefined ? returned.issuer !== issuer : description.namesItself)
        throw refused('another provider than the one of this server has sent you back');
      const waitMs = codes.take(OWNER.id);
      if (waitMs > 0)
        throw new ServiceError(
          'throttled',
          'too many people come back from the provider at the moment: sign in again',
          {
            retryAfterMs: waitMs,
          },
        );
      const token = await redeemCode({ ask, settings }, description, returned.code, begun);
      const checked = await check(
        token,
        {
          ...{ issuer, jwksUrl: description.jwksUrl, audiences: [clientId], algorithms: ['RS256', 'ES256', 'EdDSA'] },
          clockSkewSeconds: CLOCK_SKEW_SECONDS,
        },
        OWNER,
      );
      if (!checked.isGenuine) {
        if (checked.retryAfterMs !== undefined) throw ofProvider('its keys cannot be had at the moment');
        throw refused(`the ID token of the provider is not good: ${checked.reason}`);
      }
      assertMeant(checked.payload, { nonce: begun.nonce, clientId });
      return checked.payload;
    },

    close: () => stopping.abort(new OutsideFault('unavailable', 'the server is stopping')),
  };
}

/** The claims that say for which client and for which sign-in a token is, beside its audience (OpenID Connect Core, 3.1.3.7). */
function assertMeant(payload: Readonly<Record<string, unknown>>, meant: { nonce: string; clientId: string }): void {
  const { nonce, azp, aud } = payload;
  if (nonce !== meant.nonce) throw refused('the ID token of the provider is of another sign-in (nonce)');
  const mustSay = azp !== undefined || (Array.isArray(aud) && aud.length > 1);
  if (mustSay && azp !== meant.clientId) throw refused('the ID token of the provider is for another client (azp)');
}

function createDescribe({ ask, clock, issuer }: { ask: AskProvider; clock: Clock; issuer: string }) {
  let known: { readonly description: Description; readonly until: number } | undefined;
  let underWay: Promise<Description> | undefined;
  let failed: { readonly fault: unknown; readonly until: number } | undefined;

  async function fetchDescription(): Promise<Description> {
    const url = new URL(`${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`);
    const { status, body } = await askFor(ask, { url, method: 'GET', headers: {}, body: undefined });
    if (status !== 200) throw ofProvider(`it answered with status ${status} when it was asked what it is`);
    return descriptionIn(readObject(body), issuer);
  }

  return async function describe(): Promise<Description> {
    const nowMs = clock.monotonic();
    if (known !== undefined && known.until > nowMs) return known.description;
    if (failed !== undefined && failed.until > nowMs) throw failed.fault;
    underWay ??= fetchDescription()
      .then(
        (description) => {
          known = { description, until: clock.monotonic() + KEPT_MS };
          return description;
        },
        (fault: unknown) => {
          failed = { fault, until: clock.monotonic() + ASK_SPACING_MS };
          throw fault;
        },
      )
      .finally(() => {
        underWay = undefined;
      });
    return await underWay;
  };
}

function descriptionIn(said: Readonly<Record<string, unknown>>, issuer: string): Description {
  // Otherwise it could be the description of another provider, who would get the codes of this one.
  if (said.issuer !== issuer)
    throw ofProvider(
      `it says that it is ${shown(said.issuer)}: RESPARK_SIGN_IN_ISSUER must be that, to the last character`,
    );
  const methods = said.code_challenge_methods_supported;
  if (Array.isArray(methods) && !methods.includes('S256')) throw ofProvider('it does not know PKCE with S256');
  const ways = said.token_endpoint_auth_methods_supported ?? ['client_secret_basic'];
  const takes = (way: string) => Array.isArray(ways) && ways.includes(way);
  return {
    authorizationUrl: endpointIn(said, 'authorization_endpoint'),
    tokenUrl: endpointIn(said, 'token_endpoint'),
    jwksUrl: endpointIn(said, 'jwks_uri'),
    namesItself: said.authorization_response_iss_parameter_supported === true,
    takesSecretIn: takes('client_secret_post') && !takes('client_secret_basic') ? 'body' : 'header',
  };
}

function endpointIn(said: Readonly<Record<string, unknown>>, name: string): string {
  const given = said[name];
  if (typeof given === 'string' && given.length <= MAX_URL_CHARACTERS && URL.canParse(given)) {
    const { protocol, hostname, username, password } = new URL(given);
    const isHere = hostname === 'localhost' || hostname === '[::1]' || /^127(\.\d+){3}$/.test(hostname);
    const isPlain = username === '' && password === '';
    if (isPlain && (protocol === 'https:' || (protocol === 'http:' && isHere))) return given;
  }
  throw ofProvider(`its ${name} is no https URL: ${shown(given)}`);
}

/** The ID token that the provider gives for the code. */
async function redeemCode(
  { ask, settings }: { ask: AskProvider; settings: SignInSettings },
  { tokenUrl, takesSecretIn }: Description,
  code: string,
  { verifier, returnUrl }: SignInBegun,
): Promise<string> {
  const { signInClientId: id, signInClientSecret: secret } = settings;
  const form = new URLSearchParams({
    ...{ grant_type: 'authorization_code', code, redirect_uri: returnUrl, code_verifier: verifier, client_id: id },
    ...(secret !== undefined && takesSecretIn === 'body' && { client_secret: secret }),
  });
  const { status, body } = await askFor(ask, {
    url: new URL(tokenUrl),
    method: 'POST',
    headers: {
      'content-type': 'application/x-www-form-urlencoded',
      ...(secret !== undefined && takesSecretIn === 'header' && { authorization: basicOf(id, secret) }),
    },
    body: form.toString(),
  });
  // What stands between, such as a proxy, answers with what is not JSON, and its status says more than that.
  if (status === 429) throw ofProvider('it is asked too much (status 429): try again in a minute');
  if (status >= 500) throw ofProvider(`it answered with status ${status} to the code`);
  if (status !== 200) throw refusedCode(errorIn(body), status);
  const { id_token: token } = readObject(body);
  if (typeof token !== 'string') throw ofProvider('it gave no ID token for the code');
  return token;
}

/** Only the name of the error, which is one of a list (RFC 6749, section 5.2). */
function refusedCode(error: unknown, status: number): SignInFault {
  const name = typeof error === 'string' && /^\w{1,40}$/.test(error) ? error : `status ${status}`;
  if (name === 'invalid_grant')
    return refused('the provider does not take the code (invalid_grant): it was used, or is too old. Sign in again');
  return ofProvider(`it refused this server’s request (${name}): check the client at the provider and its secret`);
}

function errorIn(body: Uint8Array): unknown {
  try {
    return readObject(body).error;
  } catch {
    return undefined;
  }
}

/** RFC 6749, section 2.3.1: both are encoded as in a form first. */
function basicOf(id: string, secret: string): string {
  const encode = (text: string) => new URLSearchParams({ '': text }).toString().slice(1);
  return `Basic ${Buffer.from(`${encode(id)}:${encode(secret)}`).toString('base64')}`;
}

async function askFor(ask: AskProvider, request: Parameters<AskProvider>[0]) {
  const headers = { accept: 'application/json', ...request.headers };
  try {
    return await ask({ ...request, headers }, { timeoutMs: TIMEOUT_MS, maxBytes: MAX_BYTES });
  } catch (error) {
    if (error instanceof OutsideFault) throw ofProvider(error.message, error);
    throw error;
  }
}

function readObject(body: Uint8Array): Readonly<Record<string, unknown>> {
  try {
    return Object(parseJson(decodeText(body)));
  } catch (cause) {
    throw ofProvider('it answered with what is not JSON', cause);
  }
}

function refused(message: string): SignInFault {
  return new SignInFault(message, { isOfProvider: false });
}

function ofProvider(what: string, cause?: unknown): SignInFault {
  return new SignInFault(`the provider cannot sign anybody in: ${what}`, { isOfProvider: true, cause });
}

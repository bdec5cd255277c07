import { parseJson } from '@respark/protocol';
import type { JSONWebKeySet, JWTPayload } from 'jose';
import type { Clock } from '../clock.ts';
import type { IdentityProvider, RefusedToken } from '../domain/players/provider-tokens.ts';
import type { Log } from '../log.ts';
import { createRareWarnings } from '../rare-warnings.ts';
import { shown } from '../text.ts';
import { createKeySets, type KeyOwner, type KeySet } from './key-sets.ts';
import type { AskProvider } from './provider-requests.ts';
import { createFetchPublishedKeys } from './published-keys.ts';

type Jose = typeof import('jose');

/** Whose tokens are taken, and how they must be. */
export type TokenIssuer = Pick<
  IdentityProvider,
  'issuer' | 'jwksUrl' | 'audiences' | 'algorithms' | 'clockSkewSeconds'
>;

interface CheckedToken {
  readonly isGenuine: true;
  /** All claims of the token, unchecked but for those that say from whom, for whom and when it is. */
  readonly payload: Readonly<Record<string, unknown>>;
}

/**
 * Whether the issuer has signed the token, for one of its audiences and for now. The keys are fetched on the account of
 * `owner`. Rejects only for a fault of the server.
 */
export type CheckSignedToken = (
  token: string,
  issuer: TokenIssuer,
  owner: KeyOwner,
) => Promise<CheckedToken | RefusedToken>;

/** The form of a signed token: three parts in base64url, none of them empty (RFC 7515, section 3.1). */
const SIGNED = /^[\w-]+\.[\w-]+\.[\w-]+$/;

/**
 * Checks tokens with `jose`, which is loaded by the first one. A key is of the kind that its algorithm needs, and the
 * algorithm is one that the issuer is known for.
 */
export function createCheckSignedToken({
  clock,
  log,
  ask,
}: {
  clock: Clock;
  log: Pick<Log, 'warn'>;
  ask: AskProvider;
}): CheckSignedToken {
  const fetchKeys = createFetchPublishedKeys({ ask });
  const keySets = createKeySets({ fetchKeys, clock, warn: createRareWarnings({ clock, log }) });
  /** What jose makes of a set of keys, which it then remembers the keys of in their imported form. */
  const resolvers = new WeakMap<KeySet, ReturnType<Jose['createLocalJWKSet']>>();

  function resolverOf(jose: Jose, set: KeySet) {
    const known = resolvers.get(set);
    if (known !== undefined) return known;
    const made = jose.createLocalJWKSet({ keys: [...set.keys] } satisfies JSONWebKeySet);
    resolvers.set(set, made);
    return made;
  }

  async function check(
    jose: Jose,
    token: string,
    issuer: TokenIssuer,
    set: KeySet,
  ): Promise<CheckedToken | RefusedToken | 'unknown_key'> {
    try {
      const { payload } = await jose.jwtVerify(token, resolverOf(jose, set), {
        algorithms: [...issuer.algorithms],
        issuer: issuer.issuer,
        audience: [...issuer.audiences],
        requiredClaims: ['exp'],
        clockTolerance: issuer.clockSkewSeconds,
        currentDate: new Date(clock.now()),
      });
      return isFromTheFuture(payload, issuer, clock.now())
        ? refused('its time of issue, iat, is in the future')
        : { isGenuine: true, payload: payloadOf(token) };
    } catch (error) {
      if (error instanceof jose.errors.JWKSNoMatchingKey) return 'unknown_key';
      return refused(faultOf(jose, error, issuer));
    }
  }

  return async (token, issuer, owner) => {
    const startedAtMs = clock.monotonic();
    const jose = await import('jose');
    const known = await keySets.get(issuer.jwksUrl, owner);
    if (known.keys === undefined) return later(known.retryAfterMs);
    const checked = await check(jose, token, issuer, known);
    if (checked !== 'unknown_key') return checked;
    // The issuer may have begun to sign with a new key, so what counts is what it publishes from now on.
    const newest = await keySets.get(issuer.jwksUrl, owner, startedAtMs);
    if (newest.keys === undefined) return later(newest.retryAfterMs);
    const again = newest === known ? checked : await check(jose, token, issuer, newest);
    return again === 'unknown_key' ? refused('its issuer publishes no key that it is signed with') : again;
  };
}

export function refused(reason: string): RefusedToken {
  return { isGenuine: false, reason };
}

function later(retryAfterMs: number): RefusedToken {
  return { isGenuine: false, reason: 'the keys of its issuer cannot be had at the moment', retryAfterMs };
}

/** The issuer that a token names, unchecked; undefined for what is no signed token. */
export function issuerOf(token: string): string | undefined {
  if (!SIGNED.test(token)) return undefined;
  try {
    const { iss } = payloadOf(token);
    return typeof iss === 'string' ? iss : undefined;
  } catch {
    return undefined;
  }
}

/** The claims of a token. Throws for what is not JSON. */
function payloadOf(token: string): Readonly<Record<string, unknown>> {
  const [, payload = ''] = token.split('.');
  return Object(parseJson(Buffer.from(payload, 'base64url').toString()));
}

function isFromTheFuture({ iat }: JWTPayload, { clockSkewSeconds }: TokenIssuer, nowMs: number): boolean {
  return iat !== undefined && iat > Math.floor(nowMs / 1000) + clockSkewSeconds;
}

/** What is wrong with a token, in words for the developers of its client. */
function faultOf({ errors }: Jose, error: unknown, { audiences }: TokenIssuer): string {
  if (error instanceof errors.JWTExpired) return 'the token has expired';
  if (error instanceof errors.JWTClaimValidationFailed) {
    if (error.reason === 'missing') return `it has no claim ${error.claim}`;
    if (error.claim === 'nbf') return 'it is not valid yet (nbf)';
    if (error.claim === 'aud') return `it is for another audience than ${shown(audiences.join(' '))}`;
    return `its claim ${error.claim} is not as it must be`;
  }
  if (error instanceof errors.JOSEAlgNotAllowed)
    return 'it is signed with an algorithm that is not listed for its issuer';
  if (error instanceof errors.JWSSignatureVerificationFailed) return 'its signature is wrong';
  if (error instanceof errors.JWKSMultipleMatchingKeys)
    return 'it does not say with which of its issuer’s keys it is signed';
  if (error instanceof errors.JOSEError) return 'it is not a signed JWT as RFC 7519 has it';
  // The key that the issuer publishes cannot be used, because it is too short for one.
  return 'the key that its issuer publishes for it cannot be used';
}

import { parseJson } from '@respark/protocol';
import type { JSONWebKeySet, JWTPayload } from 'jose';
import type { Clock } from '../clock.ts';
import type {
  GenuineToken,
  IdentityProvider,
  ProviderTokens,
  RefusedToken,
} from '../domain/players/provider-tokens.ts';
import type { Log } from '../log.ts';
import { createRareWarnings } from '../rare-warnings.ts';
import { shown } from '../text.ts';
import { createKeySets, type KeySet } from './key-sets.ts';
import { type LookUps, SYSTEM_LOOK_UPS } from './look-up.ts';
import { OutsideFault } from './outside-fault.ts';
import { createFetchPublishedKeys, type PublishedKeysSettings } from './published-keys.ts';

type Jose = typeof import('jose');

/** The form of a signed token: three parts in base64url, none of them empty (RFC 7515, section 3.1). */
const SIGNED = /^[\w-]+\.[\w-]+\.[\w-]+$/;

/**
 * Checks tokens with `jose`, which is loaded by the first one. What the token says of itself decides only whose keys are
 * asked: a key is of the kind that its algorithm needs, and the algorithm is one that the provider is known for.
 */
export function createProviderTokens({
  clock,
  log,
  settings,
  lookUps = SYSTEM_LOOK_UPS,
}: {
  clock: Clock;
  log: Pick<Log, 'warn'>;
  settings: PublishedKeysSettings;
  lookUps?: LookUps;
}): ProviderTokens & { close(): void } {
  const stopping = new AbortController();
  const fetchKeys = createFetchPublishedKeys({ clock, lookUps, settings, stopping: stopping.signal });
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
    provider: IdentityProvider,
    set: KeySet,
  ): Promise<GenuineToken | RefusedToken | 'unknown_key'> {
    try {
      const { payload } = await jose.jwtVerify(token, resolverOf(jose, set), {
        algorithms: [...provider.algorithms],
        issuer: provider.issuer,
        audience: [...provider.audiences],
        requiredClaims: ['exp'],
        clockTolerance: provider.clockSkewSeconds,
        currentDate: new Date(clock.now()),
      });
      return isFromTheFuture(payload, provider, clock.now())
        ? refused('its time of issue, iat, is in the future')
        : { isGenuine: true, provider, payload: payloadOf(token) };
    } catch (error) {
      if (error instanceof jose.errors.JWKSNoMatchingKey) return 'unknown_key';
      return refused(faultOf(jose, error, provider));
    }
  }

  return {
    async verify(token, providers, stageId) {
      const startedAtMs = clock.monotonic();
      const issuer = issuerOf(token);
      if (issuer === undefined) return refused('the token is neither one of this stage nor a signed JWT');
      const provider = providers.find((candidate) => candidate.issuer === issuer);
      if (provider === undefined) return refused(`no provider of this stage is the issuer ${shown(issuer)}`);
      const jose = await import('jose');
      const known = await keySets.get(provider.jwksUrl, stageId);
      if (known.keys === undefined) return later(known.retryAfterMs);
      const checked = await check(jose, token, provider, known);
      if (checked !== 'unknown_key') return checked;
      // The provider may have begun to sign with a new key, so what counts is what it publishes from now on.
      const newest = await keySets.get(provider.jwksUrl, stageId, startedAtMs);
      if (newest.keys === undefined) return later(newest.retryAfterMs);
      const again = newest === known ? checked : await check(jose, token, provider, newest);
      return again === 'unknown_key' ? refused('its issuer publishes no key that it is signed with') : again;
    },
    close: () => stopping.abort(new OutsideFault('unavailable', 'the server is stopping')),
  };
}

function refused(reason: string): RefusedToken {
  return { isGenuine: false, reason };
}

function later(retryAfterMs: number): RefusedToken {
  return { isGenuine: false, reason: 'the keys of its issuer cannot be had at the moment', retryAfterMs };
}

/** Whom a token names as its issuer, unchecked; undefined for what is no signed token. */
function issuerOf(token: string): string | undefined {
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

function isFromTheFuture({ iat }: JWTPayload, { clockSkewSeconds }: IdentityProvider, nowMs: number): boolean {
  return iat !== undefined && iat > Math.floor(nowMs / 1000) + clockSkewSeconds;
}

/** What is wrong with a token, in words for whoever develops its client. */
function faultOf({ errors }: Jose, error: unknown, { audiences }: IdentityProvider): string {
  if (error instanceof errors.JWTExpired) return 'the token has expired';
  if (error instanceof errors.JWTClaimValidationFailed) {
    if (error.reason === 'missing') return `it has no claim ${error.claim}`;
    if (error.claim === 'nbf') return 'it is not valid yet (nbf)';
    if (error.claim === 'aud') return `it is for another audience than ${shown(audiences.join(' '))}`;
    return `its claim ${error.claim} is not as it must be`;
  }
  if (error instanceof errors.JOSEAlgNotAllowed) return 'it is signed with an algorithm that the stage does not list';
  if (error instanceof errors.JWSSignatureVerificationFailed) return 'its signature is wrong';
  if (error instanceof errors.JWKSMultipleMatchingKeys)
    return 'it does not say with which of its issuer’s keys it is signed';
  if (error instanceof errors.JOSEError) return 'it is not a signed JWT as RFC 7519 has it';
  // The key that the issuer publishes cannot be used, because it is too short for one.
  return 'the key that its issuer publishes for it cannot be used';
}

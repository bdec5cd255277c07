import { createHash } from 'node:crypto';
import type { Clock } from '../../clock.ts';
import type { Credential } from '../../domain/access/access.ts';
import type { Arns } from '../../domain/arn.ts';
import { ServiceError } from '../../errors.ts';
import { addressGroup } from '../../http/client-address.ts';
import { BodyError } from '../../http/exchange.ts';
import type { Metrics } from '../../metrics.ts';
import { createTokenBuckets } from '../../token-bucket.ts';
import type { Authenticate } from '../pipeline.ts';
import { bodyRefusal, Refusal } from '../reply.ts';
import { parseAuthorization } from './authorization-header.ts';
import { createDestinationCheck, type DestinationSettings } from './destination.ts';
import { readingsOf } from './readings.ts';
import { createSigningKeyCache, type SignatureRefusal, UNRECOGNIZED_CLIENT, verifySignature } from './sigv4.ts';

export interface AuthenticationSettings extends DestinationSettings {
  readonly maxClockSkewMs: number;
  readonly authFailuresPerMinutePerAddress: number;
}

export interface AuthenticationParts {
  /** Undefined when there is no such key, or no longer. */
  readonly findCredential: (accessKeyId: string) => Promise<Credential | undefined>;
  readonly arns: Arns;
  readonly clock: Clock;
  readonly metrics: Pick<Metrics, 'authFailed'>;
  readonly settings: AuthenticationSettings;
}

/** Callers whose failures are remembered; beyond that, the one that failed longest ago is forgotten. */
const MAX_REMEMBERED_CALLERS = 100_000;
const MAX_SIGNING_KEYS = 1_000;

/**
 * Finds out which access key signed the request, and reads the body. The cheapest checks come first: the Authorization
 * header, its date and its key are checked before the body is read. A failure counts against the caller's address, or
 * against the proxy's where that does not say the caller's. If the access key exists, the failure counts against the pair
 * of address and key instead, so that others behind the same address cannot hold up a caller with a valid signature.
 * Throws a Refusal, or a `throttled` ServiceError.
 */
export function createSignatureAuthentication(parts: AuthenticationParts): Authenticate {
  const { findCredential, arns, clock, settings } = parts;
  const signingKeys = createSigningKeyCache({ maxEntries: MAX_SIGNING_KEYS });
  const refuseDestination = createDestinationCheck(settings);
  const failures = createFailures(parts);
  const publicHost = settings.publicUrl === undefined ? undefined : new URL(settings.publicUrl).host;

  return async function authenticate(request, { maxBodyBytes, paths }) {
    const { method, rawPath, rawQuery, headers } = request;
    const address = addressGroup(request.remoteAddress ?? request.peerAddress);
    const nowMs = clock.now();
    const authorization = parseAuthorization({
      rawPath,
      rawQuery,
      headers,
      nowMs,
      clockSkewMs: settings.maxClockSkewMs,
    });
    if ('name' in authorization) return failures.refuse(address, authorization);
    const credential = await findCredential(authorization.accessKeyId);
    if (credential === undefined) return failures.refuse(address, UNRECOGNIZED_CLIENT);
    const { accessKeyId, secretAccessKey, policies } = credential;

    const caller = `${address} with ${accessKeyId}`;
    failures.check(caller);
    const payload = createHash('sha256');
    const body = await request
      .readBody(maxBodyBytes, (part) => payload.update(part))
      .catch((error: unknown) => {
        if (!(error instanceof BodyError)) throw error;
        failures.count(caller);
        throw bodyRefusal(error);
      });
    const signed = verifySignature({
      method,
      rawPath,
      rawQuery,
      headers,
      readings: readingsOf({ request, paths, publicHost }),
      payloadHash: payload.digest('hex'),
      authorization,
      secretAccessKey,
      signingKeys,
    });
    if ('name' in signed) return failures.refuse(caller, signed);
    const refusal = refuseDestination({ host: signed.host, region: authorization.region });
    if (refusal !== undefined) return failures.refuse(caller, refusal);
    request.callerIsKnown();
    return {
      principal: { id: accessKeyId, arn: arns.accessKey(accessKeyId), policies, signedInWith: 'access_key' },
      body,
      host: signed.host,
    };
  };
}

/** Counts failures by caller. After too many, a caller is told to wait, and no longer why a call failed. */
function createFailures({ clock, metrics, settings }: Pick<AuthenticationParts, 'clock' | 'metrics' | 'settings'>) {
  const buckets = createTokenBuckets({
    ratePerSecond: settings.authFailuresPerMinutePerAddress / 60,
    burst: settings.authFailuresPerMinutePerAddress,
    maxKeys: MAX_REMEMBERED_CALLERS,
    clock,
  });

  function check(caller: string): void {
    const waitMs = buckets.peek(caller);
    if (waitMs === 0) return;
    metrics.authFailed('TooManyFailures');
    throw new ServiceError('throttled', `Too many failed authentications from ${caller}: check the access key`, {
      retryAfterMs: waitMs,
    });
  }

  return {
    check,
    count: (caller: string) => void buckets.take(caller),
    refuse(caller: string, { name, message }: SignatureRefusal): never {
      check(caller);
      buckets.take(caller);
      metrics.authFailed(name);
      throw new Refusal(name, message);
    },
  };
}

import { createHash, type Hash } from 'node:crypto';
import { createAddressBuckets } from '../../address-buckets.ts';
import type { Clock } from '../../clock.ts';
import type { Credential } from '../../domain/access/access.ts';
import type { Principal } from '../../domain/access/principal.ts';
import type { Refusals } from '../../domain/access/refusals.ts';
import type { Arns } from '../../domain/arn.ts';
import { ServiceError } from '../../errors.ts';
import { addressGroup } from '../../http/client-address.ts';
import { BodyError, type HttpRequest, longestBody } from '../../http/exchange.ts';
import { andThen, inSteps, type MaybePromise, orElse, type Steps, settled } from '../../maybe-promise.ts';
import type { Metrics } from '../../metrics.ts';
import { createTokenBuckets } from '../../token-bucket.ts';
import type { Authenticate, Authenticated, CallNames } from '../pipeline.ts';
import { bodyRefusal, Refusal } from '../reply.ts';
import { claimedAccessKeyId, parseAuthorization } from './authorization-header.ts';
import { createDestinationCheck, type DestinationSettings } from './destination.ts';
import { readingsOf } from './readings.ts';
import {
  createSigningKeyCache,
  type SignatureRefusal,
  UNRECOGNIZED_CLIENT,
  verifySignature,
  verifySignatureOfHash,
} from './sigv4.ts';

export interface AuthenticationSettings extends DestinationSettings {
  readonly maxClockSkewMs: number;
  readonly authFailuresPerMinutePerAddress: number;
  readonly maxBodyBytes: number;
  readonly longBodyBytesPerSecondPerAddress: number;
  readonly longBodyBytesBurstPerAddress: number;
}

export interface AuthenticationParts {
  /** Undefined when there is no such key, or no longer. */
  readonly findCredential: (accessKeyId: string) => MaybePromise<Credential | undefined>;
  readonly arns: Arns;
  readonly clock: Clock;
  readonly metrics: Pick<Metrics, 'authFailed'>;
  readonly refusals: Pick<Refusals, 'unauthenticated'>;
  readonly settings: AuthenticationSettings;
}

/** Callers whose failures are remembered; beyond that, the one that failed longest ago is forgotten. */
const MAX_REMEMBERED_CALLERS = 100_000;
const MAX_SIGNING_KEYS = 1_000;
/** The digest of an empty body. */
const EMPTY_SHA256 = createHash('sha256').digest('hex');
/** How much the server reads and hashes for a caller that has failed too often, unless its headers prove the key. */
const MAX_SUSPECT_BODY_BYTES = 16_384;

/**
 * Finds out which access key signed the request, and reads the body. The cheapest checks come first: the Authorization
 * header, its date and its key are checked before the body is read. A failure counts against the caller's address, or
 * against the proxy's where that does not say the caller's. If the access key exists, the failure counts against the pair
 * of address and key instead, so that others behind the same address cannot hold up a caller with a valid signature. Not
 * even those that know the key's id can: after too many failures of a pair its signatures are still verified, but no
 * longer with long bodies that anyone may have sent.
 * Where the head of a long body says its SHA-256, the signature is verified before the body is read, and the body finds room
 * that others do not.
 * While too many bytes of long bodies have come from an address, its next one is refused, whatever key it is signed with.
 * Throws a Refusal, or a `throttled` ServiceError.
 */
export function createSignatureAuthentication(parts: AuthenticationParts): Authenticate {
  const { findCredential, arns, clock, settings } = parts;
  const signingKeys = createSigningKeyCache({ maxEntries: MAX_SIGNING_KEYS });
  const refuseDestination = createDestinationCheck(settings);
  const failures = createFailures(parts);
  const longBodies = createLongBodies(parts);
  const publicHost = settings.publicUrl === undefined ? undefined : new URL(settings.publicUrl).host;

  return inSteps(function* (request, { maxBodyBytes, paths, names }): Steps<Authenticated> {
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
    const seen = { request, names, address };
    if ('name' in authorization) return failures.refuse(address, authorization, seen);
    const credential = yield* settled(findCredential(authorization.accessKeyId));
    if (credential === undefined) return failures.refuse(address, UNRECOGNIZED_CLIENT, seen);
    const { accessKeyId, secretAccessKey } = credential;

    const caller = `${address} with ${accessKeyId}`;
    const readings = readingsOf({ request, paths, publicHost });
    const claim = { method, rawPath, rawQuery, headers, readings, authorization, secretAccessKey, signingKeys };
    const claimedHash = headers.get('x-amz-content-sha256')?.[0];
    const isSuspect = failures.waitOf(caller) > 0;
    const refuseForged = (hash: string): void => {
      const forged = verifySignatureOfHash(claim, hash);
      if ('name' in forged) failures.refuse(caller, forged, seen);
    };
    if (isSuspect && claimedHash !== undefined) refuseForged(claimedHash);
    const mayBeForged = isSuspect && claimedHash === undefined;
    const maxBytes = mayBeForged ? Math.min(maxBodyBytes, MAX_SUSPECT_BODY_BYTES) : maxBodyBytes;
    const spend = longBodies.admit({ address, headers, maxBytes });
    const isProven = spend !== undefined && claimedHash !== undefined;
    if (isProven && !isSuspect) refuseForged(claimedHash);
    let payload: Hash | undefined;
    const onPart = (part: Uint8Array) => {
      spend?.(part.length);
      payload ??= createHash('sha256');
      payload.update(part);
    };
    const holder = credential.subject ?? accessKeyId;
    const read = () => request.readBody(maxBytes, onPart, isProven ? holder : undefined);
    const reading = orElse(read, (error) => {
      if (!(error instanceof BodyError)) throw error;
      if (mayBeForged) failures.check(caller, seen);
      failures.count(caller);
      throw bodyRefusal(error);
    });
    const body = yield* settled(reading);
    // Clients choose how long a body takes, and meanwhile the key may be revoked or its policies may change.
    const current = reading instanceof Promise ? yield* settled(findCredential(accessKeyId)) : credential;
    if (current?.secretAccessKey !== secretAccessKey) return failures.refuse(address, UNRECOGNIZED_CLIENT, seen);
    const signed = verifySignature(claim, payload?.digest('hex') ?? EMPTY_SHA256);
    if ('name' in signed) return failures.refuse(caller, signed, seen);
    const refusal = refuseDestination({ host: signed.host, region: authorization.region });
    if (refusal !== undefined) return failures.refuse(caller, refusal, seen);
    request.callerIsKnown();
    return {
      principal: {
        id: accessKeyId,
        holder: current.subject ?? accessKeyId,
        arn: arns.accessKey(accessKeyId),
        policies: current.policies,
        signedInWith: 'access_key',
      },
      body,
      host: signed.host,
    };
  });
}

/** Looks a principal up again, whose key may have been revoked, or may do less by now. */
export function createRenewal({
  findCredential,
}: Pick<AuthenticationParts, 'findCredential'>): (principal: Principal) => MaybePromise<Principal | undefined> {
  return (principal) =>
    andThen(findCredential(principal.id), (current) => current && { ...principal, policies: current.policies });
}

/** A request that may be refused, for the log. */
interface Seen {
  readonly request: HttpRequest;
  readonly names: CallNames;
  readonly address: string;
}

/**
 * Limits the bytes of long bodies by address. A client that sends them as fast as the network allows would otherwise keep the
 * server busy hashing and freeing them, even where each call is refused afterwards.
 */
function createLongBodies({ clock, settings }: Pick<AuthenticationParts, 'clock' | 'settings'>) {
  const buckets = createAddressBuckets({
    ratePerSecond: settings.longBodyBytesPerSecondPerAddress,
    burst: settings.longBodyBytesBurstPerAddress,
    maxKeys: MAX_REMEMBERED_CALLERS,
    clock,
  });
  return {
    /** Returns what must be told of the bytes that come; undefined for a short body. */
    admit({
      address,
      headers,
      maxBytes,
    }: Pick<HttpRequest, 'headers'> & { address: string; maxBytes: number }): ((count: number) => void) | undefined {
      if (maxBytes <= settings.maxBodyBytes || longestBody(headers) <= settings.maxBodyBytes) return undefined;
      const waitMs = buckets.peek(address);
      if (waitMs === 0) return (count) => buckets.spend(address, count);
      const message = `Too many bytes of long bodies come from ${address}: try again in ${waitMs} ms`;
      throw new ServiceError('throttled', message, { retryAfterMs: waitMs });
    },
  };
}

/** Counts failures by caller. After too many, a caller is told to wait, and no longer why a call failed. */
function createFailures({
  clock,
  metrics,
  refusals,
  settings,
}: Pick<AuthenticationParts, 'clock' | 'metrics' | 'refusals' | 'settings'>) {
  const buckets = createTokenBuckets({
    ratePerSecond: settings.authFailuresPerMinutePerAddress / 60,
    burst: settings.authFailuresPerMinutePerAddress,
    maxKeys: MAX_REMEMBERED_CALLERS,
    clock,
  });

  function note(cause: string, reason: string, { request, names, address: addressGroup }: Seen): void {
    metrics.authFailed(cause);
    const { remoteAddress: sourceAddress = 'unknown', headers } = request;
    const accessKeyId = claimedAccessKeyId(headers);
    refusals.unauthenticated({ ...names, accessKeyId, sourceAddress, addressGroup, cause, reason });
  }

  function check(caller: string, seen: Seen): void {
    const waitMs = buckets.peek(caller);
    if (waitMs === 0) return;
    const message = `Too many failed authentications from ${caller}: check the access key`;
    note('TooManyFailures', message, seen);
    throw new ServiceError('throttled', message, { retryAfterMs: waitMs });
  }

  return {
    check,
    waitOf: (caller: string) => buckets.peek(caller),
    count: (caller: string) => void buckets.take(caller),
    refuse(caller: string, { name, message }: SignatureRefusal, seen: Seen): never {
      check(caller, seen);
      buckets.take(caller);
      note(name, message, seen);
      throw new Refusal(name, message);
    },
  };
}

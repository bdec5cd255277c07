import { addressGroup } from '../client-address.ts';
import type { Clock } from '../clock.ts';
import type { Arns } from '../domain/arn.ts';
import type { Policy } from '../domain/policy.ts';
import { ServiceError } from '../errors.ts';
import type { Metrics } from '../metrics.ts';
import { createTokenBuckets } from '../token-bucket.ts';
import { parseAuthorization } from './authorization.ts';
import type { Principal } from './operation.ts';
import { Refusal } from './reply.ts';
import {
  createSigningKeyCache,
  type RequestHeaders,
  type Refusal as SignatureRefusal,
  UNRECOGNIZED_CLIENT,
  verifySignature,
} from './sigv4.ts';

/** A management request as it came, before anything is believed. */
export interface ApiRequest {
  readonly method: string;
  /** Still percent-encoded, without the query. */
  readonly rawPath: string;
  /** Still percent-encoded, without its `?`. */
  readonly rawQuery: string;
  readonly headers: RequestHeaders;
  readonly remoteAddress: string;
  readonly isSecure: boolean;
  /** The whole body; rejects with a Refusal when it is longer than `maxBytes` or does not come in time. Called once. */
  readBody(maxBytes: number): Promise<Uint8Array>;
}

export interface Credential {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly policies: readonly Policy[];
}

export interface AuthenticationSettings {
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

const MAX_REMEMBERED_ADDRESSES = 100_000;
const MAX_SIGNING_KEYS = 1_000;

export type Authenticate = (
  request: ApiRequest,
  maxBodyBytes: number,
) => Promise<{ readonly principal: Principal; readonly body: Uint8Array }>;

/**
 * Who signed the request, and its body. What costs least is looked at first: an address that failed too often is refused
 * before anything, the Authorization header, its date and its key before the body is read. An address pays for failures
 * only. Throws a Refusal, or a `throttled` ServiceError.
 */
export function createAuthenticate({
  findCredential,
  arns,
  clock,
  metrics,
  settings,
}: AuthenticationParts): Authenticate {
  const signingKeys = createSigningKeyCache({ maxEntries: MAX_SIGNING_KEYS });
  const failures = createTokenBuckets({
    ratePerSecond: settings.authFailuresPerMinutePerAddress / 60,
    burst: settings.authFailuresPerMinutePerAddress,
    maxKeys: MAX_REMEMBERED_ADDRESSES,
    clock,
  });

  return async function authenticate(request, maxBodyBytes) {
    const address = addressGroup(request.remoteAddress);
    const refuse = ({ name, message }: SignatureRefusal): never => {
      failures.take(address);
      metrics.authFailed(name);
      throw new Refusal(name, message);
    };

    const waitMs = failures.peek(address);
    if (waitMs > 0) {
      metrics.authFailed('TooManyFailures');
      throw new ServiceError('throttled', `Too many failed authentications from ${address}: check the access key`, {
        retryAfterMs: waitMs,
      });
    }
    const authorization = parseAuthorization({
      ...request,
      nowMs: clock.now(),
      clockSkewMs: settings.maxClockSkewMs,
    });
    if ('name' in authorization) return refuse(authorization);
    const credential = await findCredential(authorization.accessKeyId);
    if (credential === undefined) return refuse(UNRECOGNIZED_CLIENT);
    const { accessKeyId, secretAccessKey, policies } = credential;
    const body = await request.readBody(maxBodyBytes);
    const refusal = verifySignature({ ...request, body, authorization, secretAccessKey, signingKeys });
    if (refusal !== undefined) return refuse(refusal);
    return { principal: { accessKeyId, arn: arns.accessKey(accessKeyId), policies }, body };
  };
}

import { parseJson } from '@respark/protocol';
import { createAddressBuckets } from '../address-buckets.ts';
import type { Clock } from '../clock.ts';
import { SignInFault } from '../domain/access/sign-in-provider.ts';
import type { SignInCaller, TeamSignIn } from '../domain/access/team-sign-in.ts';
import { ServiceError } from '../errors.ts';
import { addressGroup } from '../http/client-address.ts';
import { BodyError, type HttpReply, type HttpRequest, type Site } from '../http/exchange.ts';
import { GroupCounter } from '../http/group-counter.ts';
import { type RandomBytes, uuidV7 } from '../random.ts';
import { decodeText } from '../text.ts';
import { SIGN_IN_PATH } from './console.ts';

const BEGIN = `${SIGN_IN_PATH}/begin`;
const FINISH = `${SIGN_IN_PATH}/finish`;
/** A code, and what the sign-in began with. */
const MAX_BODY_BYTES = 16_384;
/** A whole office may share an address, and begins its day at the same time. Each sign-in takes two of these. */
const PER_SECOND = 2;
const BURST = 60;
const MAX_COUNTED_ADDRESSES = 10_000;
/**
 * How many answers of the provider that are refused an address may bring. The provider is asked only so much for everybody
 * together, so a few addresses with codes that they have made up would keep all others out.
 */
const REFUSALS = { ratePerSecond: 0.1, burst: 20, maxKeys: MAX_COUNTED_ADDRESSES };
/** Each waits for the provider, for seconds if that is slow. */
const MAX_UNDER_WAY = 32;
/** How many of those may be of one address, so that no address keeps all others waiting. */
const MAX_UNDER_WAY_PER_ADDRESS = 4;

/**
 * Takes people to the provider of the settings and, when they come back, gives them an access key. It needs no signature,
 * as nobody has a key yet: what it does for an address, and at a time, is limited. Only the console's own page is answered,
 * and only at the address that the provider sends people back to, because the browser has kept what the sign-in began
 * with for that.
 */
export function createTeamSignInSite({
  signIn,
  returnUrl,
  clock,
  random,
}: {
  signIn: TeamSignIn;
  returnUrl: () => string;
  clock: Clock;
  random: RandomBytes;
}): Site {
  const limits = { ratePerSecond: PER_SECOND, burst: BURST, maxKeys: MAX_COUNTED_ADDRESSES };
  const allowances = createAddressBuckets({ ...limits, clock });
  const refusals = createAddressBuckets({ ...REFUSALS, clock });
  const underWay = new GroupCounter();

  /** Takes a place for as long as the provider is waited for, and for nothing else: a client may take long to send its body. */
  async function inPlace(group: string, requestId: string, work: () => Promise<object>): Promise<HttpReply> {
    if (underWay.isFull(group, MAX_UNDER_WAY_PER_ADDRESS))
      return tooMany('too many people of this address are signing in at the moment', 1_000, requestId);
    if (underWay.total >= MAX_UNDER_WAY)
      return tooMany('too many people are signing in at the moment', 1_000, requestId);
    underWay.add(group);
    try {
      return reply(200, await work(), requestId);
    } finally {
      underWay.remove(group);
    }
  }

  async function finish(returned: NonNullable<ReturnType<typeof returnedIn>>, caller: SignInCaller, group: string) {
    try {
      const { expiresAt, ...key } = await signIn.finish(returned, caller);
      return { ...key, expires: new Date(expiresAt).toISOString() };
    } catch (error) {
      // Several may be under way for the last one that is left.
      if (error instanceof SignInFault && !error.isOfProvider) refusals.spend(group);
      throw error;
    }
  }

  async function perform(request: HttpRequest, requestId: string): Promise<HttpReply> {
    const origins = request.headers.get('origin') ?? [];
    if (origins.length !== 1 || origins[0] !== new URL(returnUrl()).origin)
      return refusal(403, `people sign in by the provider at ${returnUrl()} only: open the console there`, requestId);
    // Any page of the web that somebody has open could use up the allowance of an office, if it were asked for first.
    const group = addressGroup(request.remoteAddress ?? request.peerAddress);
    const waitMs = allowances.take(group);
    if (waitMs > 0) return tooMany('this address signs in too often', waitMs, requestId);
    const caller = { requestId, sourceAddress: request.remoteAddress ?? 'unknown' };
    try {
      if (request.rawPath === BEGIN) return await inPlace(group, requestId, () => signIn.begin(caller));
      const returned = returnedIn(await request.readBody(MAX_BODY_BYTES));
      if (returned === undefined) return refusal(400, 'the body must have a code, a state and a ticket', requestId);
      const refusedMs = refusals.peek(group);
      if (refusedMs > 0) return tooMany('too many sign-ins of this address were refused', refusedMs, requestId);
      return await inPlace(group, requestId, () => finish(returned, caller, group));
    } catch (error) {
      return refusalOf(error, requestId);
    }
  }

  return (request) => {
    const { method, rawPath } = request;
    if (method !== 'POST' || (rawPath !== BEGIN && rawPath !== FINISH)) return undefined;
    return perform(request, uuidV7(random, clock.now()));
  };
}

/** What the page has posted; undefined for anything else. */
function returnedIn(body: Uint8Array) {
  let given: Readonly<Record<string, unknown>>;
  try {
    given = Object(parseJson(decodeText(body)));
  } catch {
    return undefined;
  }
  const { code, state, ticket, issuer } = given;
  if (typeof code !== 'string' || typeof state !== 'string' || typeof ticket !== 'string') return undefined;
  return { code, state, ticket, issuer: typeof issuer === 'string' ? issuer : undefined };
}

function refusalOf(error: unknown, requestId: string): HttpReply {
  if (error instanceof SignInFault) return refusal(error.isOfProvider ? 502 : 403, error.message, requestId);
  if (error instanceof BodyError) return refusal(400, error.message, requestId);
  if (!(error instanceof ServiceError)) throw error;
  if (error.code === 'throttled') return tooMany(error.message, error.retryAfterMs ?? 1_000, requestId);
  return refusal(503, error.message, requestId);
}

function tooMany(message: string, waitMs: number, requestId: string): HttpReply {
  const { headers, ...rest } = refusal(429, message, requestId);
  return { ...rest, headers: { ...headers, 'retry-after': `${Math.ceil(waitMs / 1000)}` } };
}

function refusal(status: number, message: string, requestId: string): HttpReply {
  return reply(status, { Message: message }, requestId);
}

function reply(status: number, said: object, requestId: string): HttpReply {
  const headers = { 'content-type': 'application/json', 'cache-control': 'no-store', 'x-amzn-requestid': requestId };
  return { status, headers, body: JSON.stringify(said) };
}

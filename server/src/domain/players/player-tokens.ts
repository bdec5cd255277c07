import { createHmac, createSecretKey, type KeyObject, timingSafeEqual } from 'node:crypto';
import { parseJson } from '@respark/protocol';
import type { Clock } from '../../clock.ts';
import { type Claims, faultOfClaims } from './claims.ts';

const ISSUER = 'respark';

/** How every token begins. No other header is accepted, so a token has no say in how it is checked. */
const HEADER = base64url('{"alg":"HS256"}');

/** Keys that are remembered: as many as stages that are in use at once. */
const MAX_KEYS = 1_000;

/**
 * What somebody has said of a player in a token, and for how long that counts. The tokens that renew it say the same, and
 * none is valid beyond its end: the identity provider must then vouch for the player again. Guests have none.
 */
export interface Session {
  readonly claims: Claims;
  /** How long each of its tokens is valid, unless the session ends before. */
  readonly lifetimeMs: number;
  /** When the session ends, in milliseconds since 1970. */
  readonly untilMs: number;
}

/** What a token says. */
export interface VerifiedToken {
  readonly playerId: string;
  /** Milliseconds since 1970. A token that does not say has what its expiry leaves. */
  readonly issuedAtMs: number;
  /** When the first token of those that renewed each other was issued; that of a token which renewed none is its own. */
  readonly signedInAtMs: number;
  readonly session?: Session | undefined;
}

/** When a token is issued, and when its player signed in, milliseconds since 1970. */
export interface TokenTimes {
  readonly issuedAtMs: number;
  readonly signedInAtMs: number;
}

/** There is no new token for a player whose session has ended. */
export class SessionEnded extends Error {
  override readonly name = 'SessionEnded';
}

export interface PlayerTokens {
  /**
   * A token that a later hello of the same player carries, issued now to a player who signs in, or at other times. Throws
   * `SessionEnded`.
   */
  issue(stageId: string, playerId: string, session?: Session, times?: TokenTimes): string;
  /** What a token says that this stage issued and that has not expired; undefined for anything else. */
  verify(stageId: string, token: string): VerifiedToken | undefined;
}

/**
 * Player tokens: JWTs (RFC 7519) signed with HMAC-SHA256 under a key of the stage's own, with the stage as audience.
 * Both use the stage's internal id, so a stage made again under the same name accepts none of its predecessor's tokens.
 */
export function createPlayerTokens({
  deriveKey,
  clock,
  lifetimeMs,
}: {
  /** 32 secret bytes for a purpose, the same ones each time. */
  deriveKey: (purpose: string) => Uint8Array;
  clock: Clock;
  lifetimeMs: number;
}): PlayerTokens {
  const keys = new Map<string, KeyObject>();

  function stageKey(stageId: string): KeyObject {
    const known = keys.get(stageId);
    if (known !== undefined) return known;
    const key = createSecretKey(deriveKey(`player-token ${stageId}`));
    if (keys.size >= MAX_KEYS) keys.clear();
    keys.set(stageId, key);
    return key;
  }

  function sign(stageId: string, signed: string): string {
    return createHmac('sha256', stageKey(stageId)).update(signed).digest('base64url');
  }

  const nowSeconds = () => Math.floor(clock.now() / 1000);

  return {
    issue(stageId, playerId, session, times) {
      const issuedAtMs = times?.issuedAtMs ?? clock.now();
      const signedInAtMs = times?.signedInAtMs ?? issuedAtMs;
      // To the millisecond, so that a revocation tells a token of the moment before from one of the moment after.
      const iat = issuedAtMs / 1000;
      const second = Math.floor(iat);
      const ends = second + Math.ceil(Math.min(session?.lifetimeMs ?? lifetimeMs, lifetimeMs) / 1000);
      const until = Math.floor((session?.untilMs ?? Number.POSITIVE_INFINITY) / 1000);
      if (until <= second) throw new SessionEnded('the session of the player has ended: connect with a new token');
      const exp = Math.min(ends, until);
      const said = {
        ...(signedInAtMs === issuedAtMs ? {} : { auth_time: signedInAtMs / 1000 }),
        ...(session === undefined ? {} : { until, claims: session.claims }),
      };
      const claims = base64url(JSON.stringify({ iss: ISSUER, aud: stageId, sub: playerId, iat, exp, ...said }));
      const signed = `${HEADER}.${claims}`;
      return `${signed}.${sign(stageId, signed)}`;
    },

    verify(stageId, token) {
      if (!token.startsWith(`${HEADER}.`)) return undefined;
      const dot = token.indexOf('.', HEADER.length + 1);
      if (dot === -1) return undefined;
      const isGenuine = areEqual(token.slice(dot + 1), sign(stageId, token.slice(0, dot)));
      // What follows is text that was signed with the stage's key: nothing else is ever parsed.
      if (!isGenuine) return undefined;
      const read = readClaims(token.slice(HEADER.length + 1, dot));
      const { iss, aud, sub, iat, nbf, exp, auth_time: signedIn } = read;
      const now = nowSeconds();
      const isForStage = aud === stageId || (Array.isArray(aud) && aud.includes(stageId));
      if (!isTimeOrAbsent(iat) || !isTimeOrAbsent(nbf) || (nbf !== undefined && nbf > now)) return undefined;
      if (!isTimeOrAbsent(signedIn)) return undefined;
      if (iss !== ISSUER || !isForStage || typeof exp !== 'number' || exp <= now) return undefined;
      const session = sessionIn(read, exp - Math.floor(iat ?? now));
      if (typeof sub !== 'string' || session === 'damaged') return undefined;
      const issuedAtMs = iat === undefined ? exp * 1000 - lifetimeMs : Math.round(iat * 1000);
      const signedInAtMs = signedIn === undefined ? issuedAtMs : Math.round(signedIn * 1000);
      return { playerId: sub, issuedAtMs, signedInAtMs, session };
    },
  };
}

function base64url(text: string): string {
  return Buffer.from(text).toString('base64url');
}

/** Takes the same time wherever they differ. Text that only decodes to the same bytes is not equal. */
function areEqual(given: string, expected: string): boolean {
  const [one, other] = [Buffer.from(given), Buffer.from(expected)];
  return one.length === other.length && timingSafeEqual(one, other);
}

/** The claims that count, unchecked. There are none in what is no JSON object in UTF-8 and base64url without padding. */
function readClaims(payload: string): Payload {
  const text = Buffer.from(payload, 'base64url').toString();
  if (base64url(text) !== payload) return EMPTY;
  try {
    return (parseJson(text) as Payload | null) ?? EMPTY;
  } catch {
    return EMPTY;
  }
}

const EMPTY: Payload = {};

type Payload = {
  readonly [Name in 'iss' | 'aud' | 'sub' | 'iat' | 'nbf' | 'exp' | 'auth_time' | 'until' | 'claims']?: unknown;
};

/** Clients ask for a new token at half of a lifetime, and should not do so every moment when the session is about to end. */
const MIN_LIFETIME_MS = 60_000;

/** Tokens of a session say when it ends, and each lives as long as the one that it renews. */
function sessionIn({ until, claims }: Payload, lifetimeSeconds: number): Session | 'damaged' | undefined {
  if (until === undefined) return undefined;
  if (typeof until !== 'number' || faultOfClaims(claims) !== undefined) return 'damaged';
  return {
    claims: claims as Claims,
    lifetimeMs: Math.max(lifetimeSeconds * 1000, MIN_LIFETIME_MS),
    untilMs: until * 1000,
  };
}

function isTimeOrAbsent(claim: unknown): claim is number | undefined {
  return claim === undefined || typeof claim === 'number';
}

import { createHmac, createSecretKey, type KeyObject, timingSafeEqual } from 'node:crypto';
import type { Clock } from '../../clock.ts';

const ISSUER = 'respark';

/** How every token begins. No other header is accepted, so a token has no say in how it is checked. */
const HEADER = base64url('{"alg":"HS256"}');

/** Keys that are remembered: as many as stages that are in use at once. */
const MAX_KEYS = 1_000;

export interface PlayerTokens {
  /** A token that a later hello of the same player carries. */
  issue(stageId: string, playerId: string): string;
  /** The player of a token that this stage issued and that has not expired; undefined for anything else. */
  verify(stageId: string, token: string): string | undefined;
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
    issue(stageId, playerId) {
      const iat = nowSeconds();
      const exp = iat + Math.ceil(lifetimeMs / 1000);
      const claims = base64url(JSON.stringify({ iss: ISSUER, aud: stageId, sub: playerId, iat, exp }));
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
      const { iss, aud, sub, iat, nbf, exp } = readClaims(token.slice(HEADER.length + 1, dot));
      const now = nowSeconds();
      const isForStage = aud === stageId || (Array.isArray(aud) && aud.includes(stageId));
      const hasBegun = isTimeOrAbsent(iat) && isTimeOrAbsent(nbf) && (nbf === undefined || nbf <= now);
      if (iss !== ISSUER || !isForStage || !hasBegun || typeof exp !== 'number' || exp <= now) return undefined;
      return typeof sub === 'string' ? sub : undefined;
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
function readClaims(payload: string): Claims {
  const text = Buffer.from(payload, 'base64url').toString();
  if (base64url(text) !== payload) return NO_CLAIMS;
  try {
    return (JSON.parse(text) as Claims | null) ?? NO_CLAIMS;
  } catch {
    return NO_CLAIMS;
  }
}

const NO_CLAIMS: Claims = {};

type Claims = { readonly [Name in 'iss' | 'aud' | 'sub' | 'iat' | 'nbf' | 'exp']?: unknown };

function isTimeOrAbsent(claim: unknown): claim is number | undefined {
  return claim === undefined || typeof claim === 'number';
}

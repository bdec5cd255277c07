import { createSecretKey } from 'node:crypto';
import { errors, jwtVerify, SignJWT } from 'jose';
import type { Clock } from '../../clock.ts';

const ALGORITHM = 'HS256';
const ISSUER = 'respark';

export interface PlayerTokens {
  /** A token that a later hello of the same player carries. */
  issue(stageId: string, playerId: string): Promise<string>;
  /** The player of a token that this stage issued and that has not expired; undefined for anything else. */
  verify(stageId: string, token: string): Promise<string | undefined>;
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
  const stageKey = (stageId: string) => createSecretKey(deriveKey(`player-token ${stageId}`));
  return {
    async issue(stageId, playerId) {
      const nowSeconds = Math.floor(clock.now() / 1000);
      return await new SignJWT()
        .setProtectedHeader({ alg: ALGORITHM })
        .setIssuer(ISSUER)
        .setAudience(stageId)
        .setSubject(playerId)
        .setIssuedAt(nowSeconds)
        .setExpirationTime(nowSeconds + Math.ceil(lifetimeMs / 1000))
        .sign(stageKey(stageId));
    },

    async verify(stageId, token) {
      try {
        const { payload } = await jwtVerify(token, stageKey(stageId), {
          algorithms: [ALGORITHM],
          issuer: ISSUER,
          audience: stageId,
          requiredClaims: ['sub', 'exp'],
          currentDate: new Date(clock.now()),
        });
        return payload.sub;
      } catch (error) {
        if (error instanceof errors.JOSEError) return undefined;
        throw error;
      }
    },
  };
}

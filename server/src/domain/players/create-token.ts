import type { Clock } from '../../clock.ts';
import { ServiceError } from '../../errors.ts';
import type { Store } from '../../store/store.ts';
import { excerpt } from '../../text.ts';
import type { Audit, Change } from '../audit/audit.ts';
import { getActiveStage } from '../stages.ts';
import { type Claims, faultOfClaims, NO_CLAIMS } from './claims.ts';
import type { PlayerTokens, Session } from './player-tokens.ts';

/** What a token should be like. One that nothing is wished of is renewed without end, as a guest's is. */
export interface TokenWish {
  readonly lifetimeSeconds?: number | undefined;
  /** Not yet checked. */
  readonly claims?: unknown;
}

export type CreateToken = (
  player: { readonly gameName: string; readonly stageName: string; readonly playerId: string },
  change: Change,
  wish?: TokenWish,
) => Promise<{ readonly token: string; readonly gameKey: string }>;

/** The names of claims that a record has room for. */
const MAX_NAMES_CHARACTERS = 256;

/** The rule behind CreatePlayerToken. */
export function createCreateToken({
  store,
  audit,
  tokens,
  clock,
  settings,
}: {
  store: {
    readonly games: Pick<Store['games'], 'find'>;
    readonly stages: Pick<Store['stages'], 'find'>;
  };
  audit: Audit;
  tokens: Pick<PlayerTokens, 'issue'>;
  clock: Pick<Clock, 'now'>;
  settings: { readonly playerTokenLifetimeMs: number };
}): CreateToken {
  /** Claims are as old as their session, so it ends even where every token is renewed in time. */
  function sessionOf({ lifetimeSeconds, claims }: TokenWish): Session | undefined {
    if (lifetimeSeconds === undefined && claims === undefined) return undefined;
    const { playerTokenLifetimeMs } = settings;
    const lifetimeMs = lifetimeSeconds === undefined ? playerTokenLifetimeMs : lifetimeSeconds * 1000;
    if (lifetimeMs > playerTokenLifetimeMs) {
      const most = Math.floor(playerTokenLifetimeMs / 1000);
      throw new ServiceError(
        'validation',
        `LifetimeSeconds may be ${most} at most on this server, got ${lifetimeSeconds}: ask for less, or raise RESPARK_PLAYER_TOKEN_LIFETIME_MS`,
      );
    }
    const fault = claims === undefined ? undefined : faultOfClaims(claims);
    if (fault !== undefined) throw new ServiceError('validation', `Claims ${fault}`);
    const untilMs = clock.now() + playerTokenLifetimeMs;
    return { claims: (claims ?? NO_CLAIMS) as Claims, lifetimeMs, untilMs };
  }

  return async ({ gameName, stageName, playerId }, change, wish = {}) =>
    await audit.around({ playerId, ...withDetails(wish), ...change }, async () => {
      const session = sessionOf(wish);
      const stage = await getActiveStage(store, { gameName, stageName });
      return { token: tokens.issue(stage.id, playerId, session), gameKey: stage.gameKey };
    });
}

/** The record has the names of claims: what they say may be personal. */
function withDetails({ lifetimeSeconds, claims }: TokenWish) {
  const details = {
    ...(lifetimeSeconds === undefined ? {} : { lifetimeSeconds: String(lifetimeSeconds) }),
    ...(claims === undefined ? {} : { claims: excerpt(Object.keys(Object(claims)).join(' '), MAX_NAMES_CHARACTERS) }),
  };
  return Object.keys(details).length === 0 ? {} : { details };
}

import { createHash } from 'node:crypto';
import { MAX_PLAYER_ID_LENGTH } from '@respark/protocol';
import type { Clock } from '../../clock.ts';
import { type RandomBytes, randomAlphanumeric } from '../../random.ts';
import type { StageRecord } from '../../store/store.ts';
import { shown } from '../../text.ts';
import { type Claims, faultOfClaims } from './claims.ts';
import type { PlayerTokens, Session } from './player-tokens.ts';
import type { GenuineToken, IdentityProvider, ProviderTokens } from './provider-tokens.ts';
import { readIdentity, type StageIdentity } from './stage-identity.ts';

/** 27 letters and digits hold 160 random bits, too many to guess. */
const GUEST_ID_LENGTH = 27;
/** As many bits of a hash: no two players of an issuer get the same. */
const HASHED_ID_LENGTH = 27;

const PLAYER_ID = new RegExp(`^[\\w-]{1,${MAX_PLAYER_ID_LENGTH}}$`);

/** The player whom a hello names. */
export interface Identified {
  readonly isIdentified: true;
  readonly playerId: string;
  /** When the token was issued; now for a guest, and 0 where an identity provider does not say. */
  readonly issuedAtMs: number;
  /** The same of the first of the tokens that renewed each other. */
  readonly signedInAtMs: number;
  readonly session?: Session | undefined;
  /** Who has signed the token, if it was not the server. */
  readonly issuer?: string;
}

export interface NotIdentified {
  readonly isIdentified: false;
  /** The name of the close code. */
  readonly reason: 'token_refused' | 'try_again_later';
  /** What the close code does not say by itself. */
  readonly text?: string;
  readonly facts?: { readonly retryAfterMs: number };
}

/** Finds out whose token it is, or makes a new guest where there is none. */
export type Identify = (stage: StageRecord, token: string | undefined) => Promise<Identified | NotIdentified>;

export function createIdentify({
  tokens,
  providerTokens,
  clock,
  random,
  settings,
}: {
  tokens: Pick<PlayerTokens, 'verify'>;
  providerTokens: ProviderTokens;
  clock: Pick<Clock, 'now'>;
  random: RandomBytes;
  settings: { readonly playerTokenLifetimeMs: number };
}): Identify {
  /** The store remembers the records of stages, so each is read once. */
  const read = new WeakMap<StageRecord, StageIdentity>();

  function identityOf(stage: StageRecord): StageIdentity {
    const known = read.get(stage);
    if (known !== undefined) return known;
    const identity = readIdentity(stage.identity);
    read.set(stage, identity);
    return identity;
  }

  return async (stage, token) => {
    const identity = identityOf(stage);
    if (token === undefined) {
      if (!identity.allowGuests) return refused('this stage does not allow guests');
      const now = clock.now();
      const playerId = randomAlphanumeric(random, GUEST_ID_LENGTH);
      return { isIdentified: true, playerId, issuedAtMs: now, signedInAtMs: now };
    }
    const own = tokens.verify(stage.id, token);
    if (own !== undefined) return { isIdentified: true, ...own };
    if (identity.providers.length === 0) return { isIdentified: false, reason: 'token_refused' };
    const checked = await providerTokens.verify(token, identity.providers, stage);
    if (checked.isGenuine) return playerOf(checked, sessionMsOf(identity, settings), clock.now());
    if (checked.retryAfterMs === undefined) return refused(checked.reason);
    const { reason: text, retryAfterMs } = checked;
    return { isIdentified: false, reason: 'try_again_later', text, facts: { retryAfterMs } };
  };
}

function refused(text: string): NotIdentified {
  return { isIdentified: false, reason: 'token_refused', text };
}

function sessionMsOf(
  { sessionSeconds }: StageIdentity,
  { playerTokenLifetimeMs }: { readonly playerTokenLifetimeMs: number },
): number {
  return sessionSeconds === undefined ? playerTokenLifetimeMs : Math.min(sessionSeconds * 1000, playerTokenLifetimeMs);
}

function playerOf({ provider, payload }: GenuineToken, sessionMs: number, nowMs: number): Identified | NotIdentified {
  const playerId = playerIdOf(provider, payload[provider.playerIdClaim]);
  if (playerId === undefined) {
    const { playerIdClaim: name, playerIdPrefix: prefix } = provider;
    const got = shown(payload[name], 64);
    const most = MAX_PLAYER_ID_LENGTH - prefix.length;
    return refused(`the claim ${name} gives no player id of 1-${most} A-Z a-z 0-9 _ -, got ${got}`);
  }
  const claims = claimsOf(provider, payload);
  const fault = faultOfClaims(claims);
  if (fault !== undefined) return refused(`its claims ${fault}`);
  const { iat } = payload;
  const issuedAtMs = typeof iat === 'number' ? iat * 1000 : 0;
  return {
    isIdentified: true,
    playerId,
    issuedAtMs,
    signedInAtMs: issuedAtMs,
    session: { claims, lifetimeMs: sessionMs, untilMs: nowMs + sessionMs },
    issuer: provider.issuer,
  };
}

/** The id of the player that a claim names; undefined for what names none. */
function playerIdOf({ issuer, playerIdForm, playerIdPrefix }: IdentityProvider, claim: unknown): string | undefined {
  const name = Number.isSafeInteger(claim) ? String(claim) : claim;
  if (typeof name !== 'string' || name === '') return undefined;
  const own = playerIdForm === 'HASHED' ? hashOf(issuer, name) : name;
  const playerId = `${playerIdPrefix}${own}`;
  return PLAYER_ID.test(playerId) ? playerId : undefined;
}

function hashOf(issuer: string, name: string): string {
  const hash = createHash('sha256').update(`${issuer}\n${name}`);
  return hash.digest('base64url').slice(0, HASHED_ID_LENGTH);
}

/** Those that handlers may read; a claim that is null says nothing. */
function claimsOf({ claims }: IdentityProvider, payload: GenuineToken['payload']): Claims {
  const named = claims.flatMap((name) => (Object.hasOwn(payload, name) ? [[name, payload[name]] as const] : []));
  return Object.fromEntries(named.filter(([, value]) => value !== null)) as Claims;
}

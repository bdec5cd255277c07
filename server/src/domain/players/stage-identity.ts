import { shown, withoutCredentials } from '../../text.ts';
import { isClaimName } from './claims.ts';
import type { IdentityProvider } from './provider-tokens.ts';

/** Who may be a player of a stage. */
export interface StageIdentity {
  /** Whether a hello without a token makes a new guest. */
  readonly allowGuests: boolean;
  readonly providers: readonly IdentityProvider[];
  /** For how long the server's own tokens stand in for a provider's; undefined for as long as any token is valid. */
  readonly sessionSeconds: number | undefined;
}

/** That of a stage for which nothing was set. */
export const DEFAULT_IDENTITY: StageIdentity = Object.freeze({
  allowGuests: true,
  providers: Object.freeze([]),
  sessionSeconds: undefined,
});

export const MAX_PROVIDERS = 10;
export const MAX_CLOCK_SKEW_SECONDS = 300;

/** What was stored for a stage, which was checked before it was. */
export function readIdentity(stored: string | undefined): StageIdentity {
  return stored === undefined ? DEFAULT_IDENTITY : (JSON.parse(stored) as StageIdentity);
}

/** Why a stage cannot have these settings; undefined if it can. What the shapes of the API promise is not looked at. */
export function faultOfIdentity({ providers }: StageIdentity): string | undefined {
  for (const [index, { issuer, jwksUrl, claims, playerIdClaim, playerIdPrefix }] of providers.entries()) {
    const of = `of the provider ${shown(issuer)}`;
    const fault = faultOfJwksUrl(jwksUrl);
    if (fault !== undefined) return `the JwksUrl ${of} ${fault}, got ${shown(withoutCredentials(jwksUrl))}`;
    const unnamed = [playerIdClaim, ...claims].find((name) => !isClaimName(name));
    if (unnamed !== undefined) return `the provider ${shown(issuer)} has no claim that is called ${shown(unnamed)}`;
    const others = providers.slice(0, index);
    if (others.some((other) => other.issuer === issuer))
      return `there are two providers with the issuer ${shown(issuer)}`;
    const alike = others.find((other) => isOverlapping(other.playerIdPrefix, playerIdPrefix));
    if (alike !== undefined) {
      return `the PlayerIdPrefix ${of} and that of ${shown(alike.issuer)} must not be one the beginning of the other, so that neither can name a player of the other's: give each its own, such as "a-" and "b-"`;
    }
  }
  return undefined;
}

function isOverlapping(one: string, other: string): boolean {
  return one.startsWith(other) || other.startsWith(one);
}

/** Completes "the JwksUrl …". A host is not looked up here, but each time before keys are fetched from it. */
function faultOfJwksUrl(text: string): string | undefined {
  if (!URL.canParse(text)) return 'must be a URL';
  const { protocol, username, password, hash, hostname } = new URL(text);
  if (username !== '' || password !== '' || hash !== '') return 'must have no user name, password or fragment';
  if (protocol === 'https:' || (protocol === 'http:' && isThisMachine(hostname))) return undefined;
  return 'must begin with https:// (http:// is for localhost, 127.0.0.1 and [::1] alone)';
}

function isThisMachine(hostname: string): boolean {
  return ['localhost', '127.0.0.1', '[::1]'].includes(hostname);
}

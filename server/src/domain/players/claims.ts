/** What a token says of its player beside who that is. Handlers read it with `CurrentPlayer().Claims()`. */
export type Claims = { readonly [name: string]: Claim };

type Scalar = string | number | boolean;
type Claim = Scalar | readonly Scalar[];

export const NO_CLAIMS: Claims = Object.freeze({});

/** With them, a token still fits into a hello. */
export const MAX_CLAIMS_BYTES = 2_048;
const MAX_LIST = 32;
/** Providers name claims of their customers with a URL, or with a colon in the name. */
const CLAIM_NAME = /^[!-~]{1,128}$/;

/** Completes "the claims …": why a value is not a set of claims; undefined for one that is. */
export function faultOfClaims(value: unknown): string | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return 'must be a JSON object';
  for (const [name, claim] of Object.entries(value)) {
    if (!isClaimName(name)) return 'must have names of 1-128 printable ASCII characters without spaces';
    if (!isClaim(claim)) {
      return `must be strings, numbers, booleans, or lists of at most ${MAX_LIST} of these, but ${JSON.stringify(name)} is not`;
    }
  }
  const bytes = Buffer.byteLength(JSON.stringify(value));
  return bytes > MAX_CLAIMS_BYTES ? `have ${bytes} bytes of JSON, and may have ${MAX_CLAIMS_BYTES}` : undefined;
}

export function isClaimName(name: string): boolean {
  return CLAIM_NAME.test(name);
}

function isClaim(value: unknown): value is Claim {
  return Array.isArray(value) ? value.length <= MAX_LIST && value.every(isScalar) : isScalar(value);
}

function isScalar(value: unknown): value is Scalar {
  return typeof value === 'string' || typeof value === 'boolean' || Number.isFinite(value);
}

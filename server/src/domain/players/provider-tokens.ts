/** All are asymmetric: a server that can check a token must not be able to make one. */
export const ALGORITHMS = ['RS256', 'ES256', 'EdDSA'] as const;

/** What becomes of the claim that names the player: its text itself, or a hash of the issuer and the text. */
export const PLAYER_ID_FORMS = ['PLAIN', 'HASHED'] as const;

/** Somebody else who vouches for players with tokens of their own: JWTs that they sign. */
export interface IdentityProvider {
  /** As in the `iss` of the tokens, to the last character. */
  readonly issuer: string;
  /** Where the provider publishes the keys that it signs with. They are fetched from nowhere else. */
  readonly jwksUrl: string;
  /** A token's `aud` must have at least one of these. */
  readonly audiences: readonly string[];
  readonly algorithms: readonly (typeof ALGORITHMS)[number][];
  /** By how much the provider's clock may differ. */
  readonly clockSkewSeconds: number;
  /** The claim that names the player. */
  readonly playerIdClaim: string;
  readonly playerIdForm: (typeof PLAYER_ID_FORMS)[number];
  /** Goes before the id, so that no two providers name the same player. */
  readonly playerIdPrefix: string;
  /** Claims that handlers may read, where a token has them. */
  readonly claims: readonly string[];
}

/** Checks the tokens of identity providers. */
export interface ProviderTokens {
  /**
   * Whether one of the stage's providers has signed the token, for one of its audiences and for now. Settles within
   * seconds, whatever the provider does, and rejects only for a fault of the server.
   */
  verify(
    token: string,
    providers: readonly IdentityProvider[],
    stage: { readonly id: string; readonly gameId: string },
  ): Promise<GenuineToken | RefusedToken>;
}

export interface GenuineToken {
  readonly isGenuine: true;
  readonly provider: IdentityProvider;
  /** All claims of the token, unchecked but for those that say from whom, for whom and when it is. */
  readonly payload: Readonly<Record<string, unknown>>;
}

export interface RefusedToken {
  readonly isGenuine: false;
  /** For the player's client: what is wrong with the token. */
  readonly reason: string;
  /** Only where nothing is known against the token, because the provider's keys could not be had: when to try again. */
  readonly retryAfterMs?: number;
}

/** What the sign-in of one person at the provider began with. */
export interface SignInBegun {
  /** Names the sign-in to the browser that has begun it, and comes back with the code. */
  readonly state: string;
  /** Names it in the ID token. */
  readonly nonce: string;
  /** Proves to the provider that the code is redeemed by the server that has begun the sign-in (RFC 7636). */
  readonly verifier: string;
  /** Where the provider sends the person back to. */
  readonly returnUrl: string;
}

/** What the provider has sent the person back with. */
export interface SignInReturn {
  readonly code: string;
  /** Who says that it has sent the person (RFC 9207), where it does. */
  readonly issuer: string | undefined;
}

/** An OpenID provider that teams sign in by. */
export interface SignInProvider {
  readonly issuer: string;
  /** The page of the provider where a person signs in. Rejects with a `SignInFault` within seconds. */
  pageOf(begun: SignInBegun): Promise<string>;
  /**
   * Resolves with the claims of the ID token that the provider gives for the code: they are this provider's, about this sign-in,
   * for this server and for now. Rejects with a `SignInFault` within seconds, and with a `throttled` ServiceError when too many come back.
   */
  redeem(returned: SignInReturn, begun: SignInBegun): Promise<Readonly<Record<string, unknown>>>;
}

/** Why nobody was signed in. The message is for the person, and says nothing that is secret. */
export class SignInFault extends Error {
  override readonly name = 'SignInFault';
  /** Whether the provider, and not who wants to sign in, is the reason. */
  readonly isOfProvider: boolean;

  constructor(message: string, { isOfProvider, cause }: { isOfProvider: boolean; cause?: unknown }) {
    super(message, cause === undefined ? undefined : { cause });
    this.isOfProvider = isOfProvider;
  }
}

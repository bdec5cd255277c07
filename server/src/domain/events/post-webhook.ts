/** How many posts are made at once, at most. */
export const MAX_POSTS_AT_ONCE = 512;

/** What a receiver has answered. */
export interface WebhookAnswer {
  readonly status: number;
  /** How long the receiver asks to be left alone. */
  readonly retryAfterMs: number | undefined;
}

export interface WebhookPost {
  /**
   * Posts a body of JSON and gives the answer, within `webhookTimeoutMs`. Rejects with an error whose message may be shown
   * when there is none, when the settings do not allow the address, or when the server stops. Follows no redirect.
   */
  post(request: {
    readonly url: string;
    readonly headers: Readonly<Record<string, string>>;
    readonly body: string;
    /** Whose webhook it is: games take turns. */
    readonly game: string;
  }): Promise<WebhookAnswer>;
  /** What is wrong with a URL that the settings do not allow; undefined for one that may be tried. */
  faultOf(url: string): string | undefined;
}

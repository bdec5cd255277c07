/** Who is told of a game's events. */
export interface WebhookRecord {
  /** A UUIDv7. */
  readonly id: string;
  readonly gameId: string;
  readonly gameName: string;
  readonly url: string;
  readonly description: string;
  /** The names of the stages whose events are sent; empty for all. */
  readonly stages: readonly string[];
  /** The types of events that are sent; empty for all. */
  readonly types: readonly string[];
  readonly state: 'ENABLED' | 'DISABLED';
  /** Why the server has switched the webhook off; empty otherwise. */
  readonly reason: string;
  /** Sealed by the keyring, with `id` as associated text. */
  readonly sealedSecret: Uint8Array;
  /** The secret before, which counts until `formerUntil`. */
  readonly sealedFormerSecret: Uint8Array | undefined;
  readonly formerUntil: number | undefined;
  readonly createdAt: number;
  readonly updatedAt: number;
}

export interface WebhookTable {
  find(gameId: string, id: string): Promise<WebhookRecord | undefined>;
  /** The webhooks of a game, which has few, the oldest first. */
  list(gameId: string): Promise<WebhookRecord[]>;
  /** Those of all games, in order of their ids, read a few at a time. */
  listAll(): Promise<WebhookRecord[]>;
  /** Ids are unique. */
  insert(record: Omit<WebhookRecord, 'gameName'>): Promise<void>;
  /** A former secret that is present but undefined is taken off the webhook. */
  update(id: string, change: WebhookChange): Promise<void>;
  remove(id: string): Promise<void>;
}

export type WebhookChange = Partial<Omit<WebhookRecord, 'id' | 'gameId' | 'gameName' | 'createdAt'>> &
  Pick<WebhookRecord, 'updatedAt'>;

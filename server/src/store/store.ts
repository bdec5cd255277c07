/** `DELETING` names still exist for those who would create them, and no longer for those who would use them. */
export type LifeState = 'ACTIVE' | 'DELETING';

export type Tags = Readonly<Record<string, string>>;

/** Times are milliseconds since 1970. `id` is internal, a UUIDv7: a game made again under the same name is another one. */
export interface GameRecord {
  readonly id: string;
  readonly name: string;
  readonly description: string;
  readonly state: LifeState;
  readonly isTerminationProtected: boolean;
  readonly tags: Tags;
  readonly createdAt: number;
  readonly updatedAt: number;
}

export interface StageRecord {
  readonly id: string;
  readonly gameId: string;
  readonly gameName: string;
  readonly name: string;
  readonly description: string;
  readonly role: string;
  readonly gameKey: string;
  readonly logGroup: string;
  readonly state: LifeState;
  readonly gameState: LifeState;
  readonly tags: Tags;
  readonly createdAt: number;
  readonly updatedAt: number;
}

/** What is stored of a stage itself; its game's name and state are read with it. */
export type NewStage = Omit<StageRecord, 'gameName' | 'gameState'>;

export interface AccessKeyRecord {
  /** The access key id, as clients send it. */
  readonly id: string;
  readonly description: string;
  /** Sealed by the keyring, with `id` as associated text. */
  readonly sealedSecret: Uint8Array;
  /** The IAM policy document as it was given; empty for a root key, which may do everything. */
  readonly policy: string;
  readonly isRoot: boolean;
  readonly createdAt: number;
  readonly revokedAt: number | undefined;
}

/** What a create call under a ClientToken asked for and made. */
export interface ClientTokenRecord {
  readonly principal: string;
  readonly operation: string;
  readonly token: string;
  readonly parametersDigest: string;
  readonly resourceId: string;
  readonly createdAt: number;
}

/**
 * What survives a restart. A promise that resolves means the write is on disk, outside a transaction at once and inside
 * one when it ends. Reads see every write that finished before, by this process or another.
 *
 * `find…` resolve to undefined when there is none. An `insert` that breaks a uniqueness rejects with a
 * `ServiceError('conflict')` and changes nothing. `update` and `remove` of what is gone change nothing. A write
 * rejects with a `ServiceError('internal')` that may be tried again when another process keeps the database busy.
 */
export interface Store {
  /**
   * Runs `work` alone among all writers of all processes; it must use only the store it is given. All it wrote is kept
   * when it resolves, and nothing when it rejects; the rejection is passed on. A transaction within is all or nothing
   * by itself, and part of the outer one.
   */
  transaction<T>(work: (store: Store) => Promise<T>): Promise<T>;
  readonly games: Games;
  readonly stages: Stages;
  readonly accessKeys: AccessKeys;
  readonly clientTokens: ClientTokens;
  readonly meta: Meta;
}

/** A page: at most `limit` records, in order of name, those after `after` if given. */
export interface Page {
  readonly after?: string;
  readonly limit: number;
}

export interface Games {
  find(name: string): Promise<GameRecord | undefined>;
  list(page: Page): Promise<GameRecord[]>;
  count(): Promise<number>;
  /** Names are unique, those still being deleted included. */
  insert(record: GameRecord): Promise<void>;
  update(id: string, change: GameChange): Promise<void>;
  /** Removes the game's stages with it. */
  remove(id: string): Promise<void>;
}

export type GameChange = Partial<Pick<GameRecord, 'description' | 'state'>> & Pick<GameRecord, 'updatedAt'>;

export interface Stages {
  find(gameName: string, stageName: string): Promise<StageRecord | undefined>;
  findById(id: string): Promise<StageRecord | undefined>;
  findByGameKey(gameKey: string): Promise<StageRecord | undefined>;
  list(gameId: string, page: Page): Promise<StageRecord[]>;
  count(gameId: string): Promise<number>;
  /** Every stage that is being deleted, by itself or with its game: what a restart has to go on with. */
  listDeleting(): Promise<StageRecord[]>;
  /** Names are unique in a game, game keys everywhere. */
  insert(record: NewStage): Promise<void>;
  update(id: string, change: StageChange): Promise<void>;
  remove(id: string): Promise<void>;
}

export type StageChange = Partial<Pick<StageRecord, 'description' | 'role' | 'state'>> & Pick<StageRecord, 'updatedAt'>;

export interface AccessKeys {
  find(id: string): Promise<AccessKeyRecord | undefined>;
  /** All of them, the revoked ones too, in order of id. */
  list(): Promise<AccessKeyRecord[]>;
  /** Ids are unique, and there is at most one root key that is not revoked. */
  insert(record: AccessKeyRecord): Promise<void>;
  /** Whether the key was live until now. */
  revoke(id: string, revokedAt: number): Promise<boolean>;
  /** Forgets the keys that were revoked before `revokedAt`. */
  removeRevokedBefore(revokedAt: number): Promise<void>;
}

export interface ClientTokens {
  find(principal: string, operation: string, token: string): Promise<ClientTokenRecord | undefined>;
  insert(record: ClientTokenRecord): Promise<void>;
  remove(principal: string, operation: string, token: string): Promise<void>;
  /** Forgets the tokens that were made before `createdAt`. */
  removeOlderThan(createdAt: number): Promise<void>;
}

/** Small facts about the database itself, one text a key. */
export interface Meta {
  get(key: string): Promise<string | undefined>;
  set(key: string, value: string): Promise<void>;
}

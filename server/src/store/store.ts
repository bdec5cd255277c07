import type { MaybePromise } from '../maybe-promise.ts';
import type { BarTable } from './bars.ts';
import type { DisconnectJobTable } from './disconnect-jobs.ts';
import type { PageQuery } from './page-query.ts';
import type { WebhookTable } from './webhooks.ts';

/**
 * While a game or stage is `DELETING` its name is still taken, and it can be read and deleted again; every other call
 * treats it as missing.
 */
export type LifeState = 'ACTIVE' | 'DELETING';

export type Tags = Readonly<Record<string, string>>;

/** Times are milliseconds since 1970. `id` is internal, a UUIDv7: another game of the same name has another id. */
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
  /** The runtime on which players open their connections; undefined until something has been deployed. */
  readonly runtimeId: string | undefined;
  /** JSON text of who may be a player of the stage; undefined until that has been set. */
  readonly identity: string | undefined;
  readonly tags: Tags;
  readonly createdAt: number;
  readonly updatedAt: number;
}

/** What is stored for a new stage. The name and state of its game are not stored again, but read with the stage. */
export type NewStage = Omit<StageRecord, 'gameName' | 'gameState' | 'runtimeId' | 'identity'>;

/** A game's working copy; a game has none until something is written to it. */
export interface ConfigurationRecord {
  readonly gameId: string;
  /** JSON text of an object: section name → attributes. */
  readonly sections: string;
  readonly updatedAt: number;
}

export interface SnapshotRecord {
  /** Unique in its game. Ids sort in order of time. */
  readonly id: string;
  readonly gameId: string;
  readonly description: string;
  /** As in the configuration that it copies. */
  readonly sections: string;
  readonly createdAt: number;
  readonly updatedAt: number;
}

export type SnapshotSummary = Omit<SnapshotRecord, 'sections'>;

/**
 * A stage runs the snapshot, is about to, or has an older runtime of it; or a job is generating its code, which has no
 * stage.
 */
export type SnapshotUse =
  | { readonly kind: 'stage' | 'deployment' | 'runtime'; readonly stageName: string }
  | { readonly kind: 'job' };

export type DeploymentState = 'PENDING' | 'IN_PROGRESS' | 'COMPLETED' | 'FAILED';
export type DeploymentResultCode = 'SUCCESS' | 'INVALID_ROLE_FAILURE' | 'UNSPECIFIED_FAILURE';

/** The incarnation of the node that works on an unfinished record; undefined while no node has begun. */
interface Claimable {
  readonly claimedBy: string | undefined;
  /** How many incarnations of nodes have claimed it, one after the other, without those that have stopped in order. */
  readonly claims: number;
}

/** The id is a UUIDv7 and the id of the runtime that the deployment makes. */
export interface DeploymentRecord extends Claimable {
  readonly id: string;
  readonly stageId: string;
  /** The game of the stage. */
  readonly gameId: string;
  readonly snapshotId: string;
  readonly action: 'DEPLOY' | 'UNDEPLOY';
  readonly state: DeploymentState;
  /** Undefined until the deployment has ended. */
  readonly result: { readonly code: DeploymentResultCode; readonly message: string } | undefined;
  readonly createdAt: number;
  readonly updatedAt: number;
}

/** What a completed deployment has put on its stage; it outlives the deployment's own record. */
export interface RuntimeRecord {
  /** The deployment's id, so the ids of a stage's runtimes sort in order of time. */
  readonly id: string;
  readonly stageId: string;
  readonly snapshotId: string;
  readonly createdAt: number;
}

export interface GeneratedCodeJobRecord extends Claimable {
  /** A UUIDv7. */
  readonly id: string;
  readonly gameId: string;
  readonly snapshotId: string;
  readonly state: DeploymentState;
  /** Why a failed job failed; at most 250 characters. */
  readonly description: string;
  /** JSON text of what was asked for. */
  readonly generator: string;
  readonly createdAt: number;
  readonly updatedAt: number;
}

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
  /** From then on the key may not sign; undefined for one that does not end by itself. */
  readonly expiresAt: number | undefined;
  /** Who has signed in to get it, at which issuer; undefined for a key that somebody has made. */
  readonly subject: string | undefined;
}

/** What a create call with a ClientToken asked for, and what it made. */
export interface ClientTokenRecord {
  readonly principal: string;
  readonly operation: string;
  readonly token: string;
  readonly parametersDigest: string;
  readonly resourceId: string;
  readonly createdAt: number;
}

/**
 * What survives a restart. A write is on disk when its promise resolves or, within a transaction, when the promise of
 * the transaction does. Reads see every write that finished before, by this process or another.
 *
 * `find…` resolves with undefined when there is no such record. An `insert` that would break a uniqueness rejects with
 * a `ServiceError('conflict')` and changes nothing. `update` and `remove` change nothing when the record is gone. A
 * write rejects with a `ServiceError('internal')` that may be tried again when another process keeps the database busy,
 * and so does everything when the database cannot be reached.
 *
 * A look-up that gives a `MaybePromise` answers with the record itself where that is remembered, and otherwise with a
 * promise. It never throws: a failure is a promise that rejects. In PostgreSQL, what it finds may be up to a second behind
 * what other processes have written.
 */
export interface Store {
  /**
   * Runs `work` while no other writer of any process runs; `work` must use only the store that it is given. All that it
   * wrote is kept when it resolves, and nothing when it rejects; the rejection is passed on. A transaction within
   * another is all or nothing by itself, and part of the outer one.
   */
  transaction<T>(work: (store: Store) => Promise<T>): Promise<T>;
  readonly games: GameTable;
  readonly stages: StageTable;
  readonly configurations: ConfigurationTable;
  readonly snapshots: SnapshotTable;
  readonly deployments: DeploymentTable;
  readonly runtimes: RuntimeTable;
  readonly generatedCodeJobs: GeneratedCodeJobTable;
  readonly bars: BarTable;
  readonly disconnectJobs: DisconnectJobTable;
  readonly accessKeys: AccessKeyTable;
  readonly webhooks: WebhookTable;
  readonly clientTokens: ClientTokenTable;
  readonly meta: MetaTable;
  readonly usage: Usage;
}

export interface GameTable {
  find(name: string): Promise<GameRecord | undefined>;
  list(page: PageQuery): Promise<GameRecord[]>;
  count(): Promise<number>;
  /** Names are unique, also among games that are being deleted. */
  insert(record: GameRecord): Promise<void>;
  update(id: string, change: GameChange): Promise<void>;
  /** Removes the game with its stages, configuration and snapshots, and everything that belongs to those. */
  remove(id: string): Promise<void>;
}

export type GameChange = Partial<Pick<GameRecord, 'description' | 'state' | 'tags'>> & Pick<GameRecord, 'updatedAt'>;

export interface StageTable {
  find(gameName: string, stageName: string): MaybePromise<StageRecord | undefined>;
  findById(id: string): MaybePromise<StageRecord | undefined>;
  findByGameKey(gameKey: string): MaybePromise<StageRecord | undefined>;
  /** To be called when another process is known to have changed the stage: look-ups from now on are not behind that. */
  forget(id: string): void;
  list(gameId: string, page: PageQuery): Promise<StageRecord[]>;
  count(gameId: string): Promise<number>;
  /** Every stage that is being deleted, by itself or with its game. A restart goes on with these deletions. */
  listDeleting(): Promise<StageRecord[]>;
  /** Names are unique in a game, game keys everywhere. */
  insert(record: NewStage): Promise<void>;
  update(id: string, change: StageChange): Promise<void>;
  remove(id: string): Promise<void>;
}

/** A `runtimeId` that is present but undefined takes the runtime off the stage. */
export type StageChange = Partial<Pick<StageRecord, 'description' | 'role' | 'state' | 'tags' | 'runtimeId'>> &
  Pick<StageRecord, 'updatedAt'> & { readonly identity?: string };

export interface ConfigurationTable {
  find(gameId: string): Promise<ConfigurationRecord | undefined>;
  /** How many bytes of UTF-8 the sections have; undefined without a configuration. Costs little, however many. */
  bytes(gameId: string): Promise<number | undefined>;
  /** Replaces the game's configuration, if it has one. */
  set(record: ConfigurationRecord): Promise<void>;
}

/** Snapshots, deployments and jobs are listed newest first: ids in descending order, those below `after` if given. */
export interface SnapshotTable {
  find(gameId: string, id: string): Promise<SnapshotRecord | undefined>;
  findSummary(gameId: string, id: string): Promise<SnapshotSummary | undefined>;
  /** As for a configuration. */
  bytes(gameId: string, id: string): Promise<number | undefined>;
  list(gameId: string, page: PageQuery): Promise<SnapshotSummary[]>;
  count(gameId: string): Promise<number>;
  insert(record: SnapshotRecord): Promise<void>;
  update(gameId: string, id: string, change: Pick<SnapshotRecord, 'description' | 'updatedAt'>): Promise<void>;
  /** What needs the snapshot, the most important of it; undefined when nothing does. */
  findUse(gameId: string, id: string): Promise<SnapshotUse | undefined>;
  /** Removes the snapshot with its jobs of generated code. Deployments and runtimes keep its id. */
  remove(gameId: string, id: string): Promise<void>;
  /** Removes the jobs of generated code of the snapshot, some at a time, so that other calls get their turn. */
  removeCode(gameId: string, id: string): Promise<void>;
  /** Removes a game's snapshots and all that belongs to them, some at a time, so that other calls get their turn. */
  removeAll(gameId: string): Promise<void>;
}

export interface DeploymentTable {
  find(stageId: string, id: string): Promise<DeploymentRecord | undefined>;
  list(stageId: string, page: PageQuery): Promise<DeploymentRecord[]>;
  /** Everything that is PENDING or IN_PROGRESS. A restart goes on with these deployments. */
  listUnfinished(): Promise<DeploymentRecord[]>;
  insert(record: DeploymentRecord): Promise<void>;
  /**
   * Makes an unfinished deployment IN_PROGRESS for `owner`, even if another node has claimed it. Resolves with false
   * when it has ended or is gone.
   */
  claim(id: string, owner: string, updatedAt: number): Promise<boolean>;
  /** Counts the claim of `owner` no longer, who stops in order and leaves an unfinished deployment to the next claim. */
  leave(id: string, owner: string): Promise<void>;
  /**
   * Ends an unfinished deployment that `owner` has claimed. Resolves with false, and changes nothing, when the
   * deployment has ended, has another owner by now, or is gone.
   */
  end(id: string, owner: string, outcome: DeploymentOutcome): Promise<boolean>;
  /** Forgets all but the newest `keep` of the stage. */
  prune(stageId: string, keep: number): Promise<void>;
  /** Removes all of the stage, some at a time, so that other calls get their turn. */
  removeAll(stageId: string): Promise<void>;
}

/** How a deployment has ended. */
export type DeploymentOutcome = Pick<DeploymentRecord, 'result' | 'updatedAt'> & {
  readonly state: 'COMPLETED' | 'FAILED';
};

export interface RuntimeTable {
  find(id: string): Promise<RuntimeRecord | undefined>;
  /** All runtimes of the stage, oldest first. */
  list(stageId: string): Promise<RuntimeRecord[]>;
  /** Whether any stage has one. */
  areThere(): Promise<boolean>;
  /** Ids are unique. */
  insert(record: RuntimeRecord): Promise<void>;
  /** The ids of those that were replaced by one which was made before `at`, `limit` at most, the oldest first. */
  listReplaced(stageId: string, at: number, limit: number): Promise<string[]>;
  remove(ids: readonly string[]): Promise<void>;
  /** Removes all of the stage, some at a time, so that other calls get their turn. */
  removeAll(stageId: string): Promise<void>;
}

export type JobOutcome = Pick<GeneratedCodeJobRecord, 'description' | 'updatedAt'> & {
  readonly state: 'COMPLETED' | 'FAILED';
};

export interface GeneratedCodeJobTable {
  find(gameId: string, snapshotId: string, id: string): Promise<GeneratedCodeJobRecord | undefined>;
  list(gameId: string, snapshotId: string, page: PageQuery): Promise<GeneratedCodeJobRecord[]>;
  /** Everything that is PENDING or IN_PROGRESS. A restart goes on with these jobs. */
  listUnfinished(): Promise<GeneratedCodeJobRecord[]>;
  insert(record: GeneratedCodeJobRecord): Promise<void>;
  /** As for a deployment. */
  claim(id: string, owner: string, updatedAt: number): Promise<boolean>;
  /** As for a deployment. */
  leave(id: string, owner: string): Promise<void>;
  /** As for a deployment. */
  end(id: string, owner: string, outcome: JobOutcome): Promise<boolean>;
  /** The zip that a completed job has made. */
  archive(id: string): Promise<Uint8Array | undefined>;
  setArchive(id: string, archive: Uint8Array): Promise<void>;
  /** Forgets the snapshot's jobs that have ended, all but the newest `keep` of them. */
  prune(gameId: string, snapshotId: string, keep: number): Promise<void>;
}

export interface AccessKeyTable {
  find(id: string): MaybePromise<AccessKeyRecord | undefined>;
  /**
   * All access keys, including revoked ones, in order of id. There may be thousands, each with a policy of kilobytes, so it is
   * for commands: what answers calls asks for what it needs.
   */
  list(): Promise<AccessKeyRecord[]>;
  /** The same by pages. */
  listPage(page: PageQuery): Promise<AccessKeyRecord[]>;
  /** The root key that is not revoked. */
  findRoot(): Promise<AccessKeyRecord | undefined>;
  /** Those that may sign at a time and that the person has signed in to get, the newest first. */
  listLiveOf(subject: string, at: number): Promise<AccessKeyRecord[]>;
  /** How many may sign at a time, apart from the root key. */
  countLive(at: number): Promise<number>;
  /**
   * When the key ended that is at this place among those that had ended by `by`, counted from 1 and the newest first; undefined
   * when there are fewer. Either of those with a subject, or of those without one.
   */
  findEnd(place: number, which: { readonly by: number; readonly ofSignIns: boolean }): Promise<number | undefined>;
  /** Ids are unique, and there is at most one root key that is not revoked. */
  insert(record: AccessKeyRecord): Promise<void>;
  /** Revokes the key; resolves with whether it was live until now. */
  revoke(id: string, revokedAt: number): Promise<boolean>;
  /** Replaces the sealed secret of the key. */
  setSealedSecret(id: string, sealedSecret: Uint8Array): Promise<void>;
  /** Forgets the keys that were revoked, or had expired, before `at`: those with a subject, or those without one. */
  removeEndedBefore(at: number, which: { readonly ofSignIns: boolean }): Promise<void>;
}

export interface ClientTokenTable {
  find(principal: string, operation: string, token: string): Promise<ClientTokenRecord | undefined>;
  insert(record: ClientTokenRecord): Promise<void>;
  remove(principal: string, operation: string, token: string): Promise<void>;
  /** Forgets the oldest tokens that were made before `createdAt`, `limit` at most. */
  removeOlderThan(createdAt: number, limit: number): Promise<void>;
}

/** How much is stored. Asked in a transaction, it counts what that has written. */
export interface Usage {
  /** Bytes of the sections of a game's snapshots, and of the zips of its generated code as they are stored. */
  ofGame(gameId: string): Promise<number>;
  /** Bytes of everything, as it is on disk. What was removed does not count, because its room is used again. */
  inAll(): Promise<number>;
}

/** Small facts about the database itself, one text for each key. */
export interface MetaTable {
  get(key: string): Promise<string | undefined>;
  set(key: string, value: string): Promise<void>;
}

import type { PageQuery } from './page-query.ts';

/** `PENDING` and `IN_PROGRESS` are at work, `AWAITING_CONFIRMATION` and `PAUSED` wait for somebody, the others have ended. */
export type DisconnectJobState =
  | 'AWAITING_CONFIRMATION'
  | 'PENDING'
  | 'IN_PROGRESS'
  | 'PAUSED'
  | 'COMPLETED'
  | 'FAILED'
  | 'CANCELLED';

/** What its operators want of a job that is at work. The node that does the work acts on it after its present step. */
export type DisconnectJobWish = 'RUN' | 'PAUSE' | 'CANCEL';

/** A connection that a job ends. */
export interface JobTarget {
  readonly node: string;
  readonly playerId: string;
  readonly connectionId: string;
}

/** What a job has come to. */
export interface JobProgress {
  /** Connections that the job has ended, each with a proof of its owner. */
  readonly closed: number;
  /** Connections that were there when the job came to them, and that ended before it could. */
  readonly gone: number;
  /** Connections whose ends nothing proves. */
  readonly unproven: number;
  /** Connections that are asked to end, and of which nothing is known yet. */
  readonly inFlight: readonly JobTarget[];
  /** The first of those that are unproven. */
  readonly failures: readonly JobTarget[];
  /** Nodes that did not say which connections they have. */
  readonly silentNodes: readonly string[];
}

export interface DisconnectJobRecord extends JobProgress {
  /** A UUIDv7. */
  readonly id: string;
  readonly stageId: string;
  /** The game of the stage. */
  readonly gameId: string;
  readonly state: DisconnectJobState;
  readonly wish: DisconnectJobWish;
  /** The incarnation of the node that does the work or, once the job has ended, has still to report its end. */
  readonly claimedBy: string | undefined;
  /** JSON text of what was asked for, without the list of players. */
  readonly request: string;
  /** How many players the request names, if it names them. */
  readonly namedPlayers: number | undefined;
  readonly actor: string;
  readonly requestId: string;
  readonly confirmedBy: string | undefined;
  /** How many connections the job was about when it was last counted, and how many players. */
  readonly connections: number;
  readonly players: number;
  readonly createdAt: number;
  readonly updatedAt: number;
  /** The job is about connections from before then, by a clock that all nodes share; undefined until a node has begun. */
  readonly begunAt: number | undefined;
}

/** A job that is new has done nothing yet. */
export type NewDisconnectJob = Omit<
  DisconnectJobRecord,
  keyof JobProgress | 'gameId' | 'wish' | 'claimedBy' | 'namedPlayers' | 'confirmedBy' | 'begunAt'
> & { readonly playerIds: readonly string[] | undefined };

export type DisconnectJobChange = Partial<
  Pick<DisconnectJobRecord, 'state' | 'wish' | 'claimedBy' | 'confirmedBy' | 'connections' | 'players'>
> & { readonly updatedAt: number };

export interface DisconnectJobTable {
  find(stageId: string, id: string): Promise<DisconnectJobRecord | undefined>;
  /** Newest first. */
  list(stageId: string, page: PageQuery): Promise<DisconnectJobRecord[]>;
  /** Those at work, the oldest first. */
  listUnfinished(): Promise<DisconnectJobRecord[]>;
  /** At most `limit` of the jobs that have awaited their confirmation since before then, the oldest first. */
  listUnconfirmed(before: number, limit: number): Promise<DisconnectJobRecord[]>;
  /** At most `limit` of the jobs that have ended and whose end no node has reported yet. */
  listUntold(limit: number): Promise<DisconnectJobRecord[]>;
  /** Those of a stage that have not ended. */
  countOpen(stageId: string): Promise<number>;
  /** The players whom the job names, if it does. They are forgotten when it ends, since they may take half a megabyte. */
  playerIds(id: string): Promise<readonly string[] | undefined>;
  insert(job: NewDisconnectJob): Promise<void>;
  /** Must be made in a transaction that has found the job in a state that allows it. */
  update(id: string, change: DisconnectJobChange): Promise<void>;
  /**
   * Resolves with false, and changes nothing, unless the job is at work. The first claim of one that is not cancelled is its
   * beginning.
   */
  claim(id: string, owner: string, at: number): Promise<boolean>;
  /**
   * Writes how far the owner has come, and resolves with what is wanted of it; with undefined, and without a change, when
   * the job is another's, or not at work any more.
   */
  advance(id: string, owner: string, progress: JobProgress, at: number): Promise<DisconnectJobWish | undefined>;
  /**
   * Writes the last step; `state` is where that leaves the job. The claim on a job that has ended stays until its end has been
   * reported (`markTold`). Resolves with false when it changes nothing, for the same reasons.
   */
  end(id: string, owner: string, end: JobEnd): Promise<boolean>;
  /** Has `to` report the end of a job instead of `from`. Resolves with false, and changes nothing, when that is not its duty now. */
  handOverTelling(id: string, from: string, to: string): Promise<boolean>;
  /** Notes that the owner has reported the end of the job. */
  markTold(id: string, owner: string): Promise<void>;
  /** Forgets the jobs of the stage that have ended, all but the newest `keep` of them. */
  prune(stageId: string, keep: number): Promise<void>;
}

export interface JobEnd {
  readonly state: Exclude<DisconnectJobState, 'PENDING' | 'IN_PROGRESS'>;
  /** The wish on which the decision was made: `end` changes nothing if the job has another one by now. */
  readonly wish: DisconnectJobWish;
  readonly progress: JobProgress;
  readonly at: number;
}

/** What set a change off: an operator's call, a player's own script, or the server itself. */
export type AuditCause = 'operator' | 'script' | 'server';

/** What is about to be done, and by whom. Times are milliseconds since 1970. */
export interface AuditIntent {
  /** Of this change alone: the id of the call that made it, unless that made several. */
  readonly requestId: string;
  readonly at: number;
  readonly cause: AuditCause;
  /** The id of the principal who called, such as an access key id; of a script or the server, its name. */
  readonly actor: string;
  /** Where the call came from; empty when it did not come over a network. */
  readonly sourceAddress: string;
  readonly operation: string;
  /** The most specific ARN that the change is about; empty for an operation without a resource. */
  readonly resource: string;
  /** The player, where the operation is about one. */
  readonly playerId?: string | undefined;
}

/** What came of it. */
export interface AuditOutcome {
  /**
   * The code of the error, as in `errors.ts`; undefined for a success. Records from before there was a `cause` have the
   * name that the error has on the wire.
   */
  readonly error: string | undefined;
  readonly durationMs: number;
  /** The connection ids that a disconnect listed. */
  readonly successes?: readonly string[] | undefined;
  readonly failures?: readonly string[] | undefined;
}

/** An outcome is missing when the server stopped, or could not write, between the intent and it: it is not known then. */
export type AuditRecord = AuditIntent & { readonly outcome: AuditOutcome | undefined };

/** The place of a record among all: records are in order of time, those of one millisecond in order of their ids. */
export type AuditPosition = Pick<AuditRecord, 'at' | 'requestId'>;

export type AuditOrder = 'oldest_first' | 'newest_first';

export interface AuditFilter {
  readonly playerId?: string | undefined;
  readonly operation?: string | undefined;
  readonly actor?: string | undefined;
  /** Only records at or after this time. */
  readonly since?: number | undefined;
  /** Only records before this time. */
  readonly until?: number | undefined;
}

export interface AuditQuery extends AuditFilter {
  readonly order: AuditOrder;
  /** Only records that follow this place in the order asked for. */
  readonly after?: AuditPosition | undefined;
  /** At most this many. */
  readonly limit: number;
}

export interface AuditPage {
  /** Those that match, in the order asked for. */
  readonly records: readonly AuditRecord[];
  /**
   * Where to go on; undefined when there is nothing more. A page may have fewer records than the limit, even none, and
   * still name a place: one query looks at a bounded number of records, so that it holds nothing else up.
   */
  readonly next: AuditPosition | undefined;
}

export interface AuditReader {
  /** Includes what other processes have written. */
  find(query: AuditQuery): Promise<AuditPage>;
  /** Releases what is open. */
  close(): Promise<void>;
}

/** Who changed what, in a place of its own: records survive the end of the process, however it ends. */
export interface AuditLog extends AuditReader {
  /** Resolves when the intent is written; rejects when it is not, and for a request id that another change has. */
  begin(intent: AuditIntent): Promise<void>;
  /** Resolves when the outcome stands beside its intent; rejects when it does not. */
  finish(intent: AuditPosition, outcome: AuditOutcome): Promise<void>;
  removeBefore(at: number): Promise<void>;
  /** Writes what changes nothing; rejects while records cannot be written. */
  probe(): Promise<void>;
  /** Afterwards nothing can be written. */
  close(): Promise<void>;
}

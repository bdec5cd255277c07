/** What is about to be done, by whom. Times are milliseconds since 1970. */
export interface AuditIntent {
  readonly requestId: string;
  readonly at: number;
  readonly accessKeyId: string;
  readonly sourceAddress: string;
  readonly operation: string;
  /** The most specific ARN that the call is about; empty for an operation without a resource. */
  readonly resource: string;
  /** Of player operations. */
  readonly playerId: string | undefined;
}

/** What came of it. */
export interface AuditOutcome {
  readonly status: number;
  /** The wire name of the error; undefined for a success. */
  readonly error: string | undefined;
  readonly durationMs: number;
  /** The connection ids that a disconnect listed. */
  readonly successes?: readonly string[];
  readonly failures?: readonly string[];
}

/** An outcome is missing when the server stopped, or could not write, between the intent and it: nobody knows then. */
export type AuditRecord = AuditIntent & { readonly outcome: AuditOutcome | undefined };

export interface AuditQuery {
  readonly playerId?: string | undefined;
  readonly operation?: string | undefined;
  /** Only records at or after this time. */
  readonly since?: number | undefined;
  /** At most this many, the newest ones. */
  readonly limit: number;
}

export interface AuditReader {
  /** Oldest first, those of one millisecond in no order of their own; includes what other processes have written. */
  find(query: AuditQuery): Promise<readonly AuditRecord[]>;
  /** Releases what is open. */
  close(): Promise<void>;
}

/** Who changed what, in a place of its own: records survive the end of the process, however it ends. */
export interface AuditLog extends AuditReader {
  /** Resolves when the intent is written; rejects when it is not. */
  begin(intent: AuditIntent): Promise<void>;
  /** Resolves when the outcome stands beside its intent; rejects when it does not. */
  finish(intent: Pick<AuditIntent, 'requestId' | 'at'>, outcome: AuditOutcome): Promise<void>;
  removeBefore(at: number): Promise<void>;
  /** Writes what changes nothing; rejects while records cannot be written. */
  probe(): Promise<void>;
  /** Afterwards nothing can be written. */
  close(): Promise<void>;
}

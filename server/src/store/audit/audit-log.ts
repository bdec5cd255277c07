import type { ChainHead, LinkBody } from '../../audit-chain.ts';
import type { MaybePromise } from '../../maybe-promise.ts';

/** What set a change off: an operator's call, a player's own script, or the server itself. */
export type AuditCause = 'operator' | 'script' | 'server';

/** What is about to be done, and by whom. Times are milliseconds since 1970. */
export interface AuditIntent {
  /** Names this change alone. It is the id of the call that made the change, unless that call made several. */
  readonly requestId: string;
  readonly at: number;
  readonly cause: AuditCause;
  /** The id of the principal that called, such as an access key id; for a script or the server, its name. */
  readonly actor: string;
  /** Where the call came from; `unknown` when a proxy did not say, empty when it did not come over a network. */
  readonly sourceAddress: string;
  readonly operation: string;
  /** The most specific ARN that the change is about; empty for an operation without a resource. */
  readonly resource: string;
  /** The player that the operation is about, if it is about one. */
  readonly playerId?: string | undefined;
  /** What the rest does not say, such as the digest of a new key's policy. Never a secret. */
  readonly details?: Readonly<Record<string, string>> | undefined;
}

/** What came of a change. */
export interface AuditOutcome {
  /**
   * The code of the error, as in `errors.ts`; undefined for a success. In records from before there was a `cause` it is
   * the error's name on the wire.
   */
  readonly error: string | undefined;
  readonly durationMs: number;
  /** The connection ids that a disconnect listed. */
  readonly successes?: readonly string[] | undefined;
  readonly failures?: readonly string[] | undefined;
  /** What became of each connection, where the call has asked. */
  readonly connections?: readonly AuditedConnection[] | undefined;
  /** How many of what the change was about, by name, where the change is known by numbers only. */
  readonly counts?: Readonly<Record<string, number>> | undefined;
}

/** A connection that a disconnect was about. */
export interface AuditedConnection {
  readonly id: string;
  readonly outcome: string;
  /** How its end is known; missing where nothing proves it. */
  readonly proof?: string | undefined;
  /** By the clock of the node that owned it. */
  readonly closedAt?: number | undefined;
  readonly node?: string | undefined;
  readonly createdAt?: number | undefined;
}

/** The outcome is missing, and not known, when the server stopped or could not write after the intent. */
export type AuditRecord = AuditIntent & { readonly outcome: AuditOutcome | undefined };

/** The place of a record among all. Records are in order of time, those of one millisecond in order of their ids. */
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
  /** The records that match, in the order asked for. */
  readonly records: readonly AuditRecord[];
  /**
   * The place after which the next page begins; undefined when there is nothing more. A page may have fewer records
   * than the limit, even none, and still not be the last: one query looks at a bounded number of records, so that it
   * holds nothing else up.
   */
  readonly next: AuditPosition | undefined;
}

/** A chain of links over the items that one writer has put into the log: an intent and an outcome of each record. */
export interface AuditChain extends ChainHead {
  /** Names the writer within the log: the server, a node, or the commands. */
  readonly writer: string;
  readonly id: string;
  readonly installation: string;
  readonly beganAt: number;
  /** What the first link that is kept follows: those before it have nothing left, and were removed. */
  readonly base: ChainHead;
}

export interface AuditLink extends LinkBody {
  readonly previous: string;
  readonly hash: string;
  /** The digests of its items in order; undefined for a note, and when nothing of the items is left. */
  readonly digests: readonly string[] | undefined;
  /** What a link without items says, as a `ChainNote` in JSON. */
  readonly note: string | undefined;
  /** Which items were removed, as a mask. */
  readonly removed: string | undefined;
  /** The number of the newest note that says which of its items were removed. */
  readonly removedBy: number | undefined;
  /** What the records that say they are in this link are in it: at most as many as it may have, and a few more. */
  readonly items: readonly AuditItem[];
}

/** An intent or an outcome, as the text of which a link has the digest. */
export interface AuditItem {
  readonly requestId: string;
  readonly text: string;
}

/** What of the log belongs to no link. */
export interface LooseRecords {
  /** Records whose intent is in no chain: those from before there were chains. */
  readonly unchained: number;
  /** Request ids of some of them that are newer than the chain of their writer, which would have them. */
  readonly late: readonly string[];
  /** Request ids of some records that say they are in links which are not there. */
  readonly strays: readonly string[];
}

/** A record, and in which links its parts are; undefined for a part that is in none. */
export interface PlacedRecord {
  readonly record: AuditRecord;
  readonly writer: string;
  readonly intent: AuditItemPlace | undefined;
  readonly outcome: AuditItemPlace | undefined;
  /** Whether each part is what was hashed into the link that it names; if not, the log was changed beside the server. */
  readonly fits: boolean;
}

export interface AuditItemPlace extends ChainHead {
  /** The digest of the item. */
  readonly digest: string;
}

/** Reads what is in the database: what waits in a journal is in no chain yet. */
export interface ChainReader {
  /**
   * What the chains have is on disk when this resolves, and so is what was read of them before: a head, or a receipt, that
   * somebody keeps must not name a link that a loss of power takes away.
   */
  chains(): Promise<readonly AuditChain[]>;
  /**
   * The links after this number, in order. A page ends early when it has many items; an empty one means that there are no
   * more.
   */
  links(query: {
    readonly writer: string;
    readonly after: number;
    readonly limit: number;
  }): Promise<readonly AuditLink[]>;
  looseRecords(): Promise<LooseRecords>;
  /** The record of this request id, whose own time is at most some minutes away from that of the record. */
  place(requestId: string): Promise<PlacedRecord | undefined>;
}

export interface AuditReader {
  readonly chain: ChainReader;
  /** Includes what other processes have written. */
  find(query: AuditQuery): Promise<AuditPage>;
  /** Releases what is open. */
  close(): Promise<void>;
}

/** What is written at once is written when the call returns; otherwise when the promise resolves. */
export interface AuditWriter {
  /**
   * Writes the intent. Throws or rejects when that fails, or when a change with the same request id is on record already;
   * of older ones the log need only notice its own with the same time, whose place the new record would take.
   */
  begin(intent: AuditIntent): MaybePromise<void>;
  /** Writes the outcome beside its intent. Throws or rejects when that fails, or when there is no intent. */
  finish(intent: AuditPosition, outcome: AuditOutcome): MaybePromise<void>;
}

/** A record of every change and its author, in a place of its own. Records survive the process, however it ends. */
export interface AuditLog extends AuditReader, AuditWriter {
  /**
   * Removes all records from before this time, some at a time, so that other calls get their turn. A log that has a limit
   * of its size is then made smaller too, as it is soon after it has grown beyond the limit. First it loses the oldest
   * records of scripts, apart from those of the last two minutes whose outcome is to come; then others, the oldest first,
   * but none of the last day unless the log has twice its size.
   */
  removeBefore(at: number): Promise<void>;
  /** Moves what waits into the database, and so into the chain. Rejects while that is not possible. */
  settle(): Promise<void>;
  /** Tries whether records can be written, and rejects while they cannot. Changes nothing. */
  probe(): Promise<void>;
  /** Closes the log; afterwards nothing can be written. */
  close(): Promise<void>;
}

import type { MaybePromise } from '../maybe-promise.ts';
import type { PlayerKey } from '../player-key.ts';
import type { AnswerNodeCall, NodeCallKind, NodeReply, NodeRequest } from './node-calls.ts';

/** One entry of the directory: a registered connection, and which life of which node owns its socket. */
export interface DirectoryEntry {
  readonly connectionId: string;
  /** The owner's incarnation: the name of one life of a node. */
  readonly node: string;
  /** When the connection registered, milliseconds since 1970. */
  readonly createdAt: number;
  /** The runtime that the connection opened on. */
  readonly runtimeId: string;
}

/** What one incarnation of this node may do. A connection holds the lease under which it registered. */
export interface Lease {
  readonly node: string;
  /**
   * Whether the incarnation's connections may take and send messages. Other nodes go by this: once it is false it stays
   * so, and then they may take the incarnation for dead. Asked before every receive, send and welcome.
   */
  mayAct(): boolean;
}

/** A node of the cluster, as the directory has it. */
export interface NodeRecord {
  readonly node: string;
  /** What the node has said about itself when it joined, such as its version. */
  readonly facts: Readonly<Record<string, unknown>>;
}

/** The directory does not answer, or has lost its memory and is recovering: the caller may try again later. */
export class DirectoryUnavailable extends Error {}

/** A player's entries, as the directory knew them in one of its eras. */
export interface Listing {
  /** That an entry is there, or is missing, means something only within this life of the directory. */
  readonly era: string;
  /** Entries of owners that may still be alive; those of owners proven dead are left out. */
  readonly entries: readonly DirectoryEntry[];
  /** Those of the owners that were asked about that have left, or been declared dead, in this era. */
  readonly endedOwners: readonly string[];
}

/** What the directory checks in the same step in which it makes an entry. */
export interface Expectations {
  /** What `era()` gave before anything was looked up for the connection: what is announced later refuses it. */
  readonly era: string;
  readonly maxConnectionsPerPlayer: number;
}

/**
 * Why no entry was made. `runtime_changed` means that the stage has a newer runtime than the entry's: the caller looks the
 * stage up again, and may then register. `player_full` means that one more would exceed `maxConnectionsPerPlayer`; once one of those that
 * `list` returns has ended, the same registration may be tried again.
 */
export type RegistrationFault = 'era_changed' | 'stage_closed' | 'runtime_changed' | 'player_full';

/**
 * What the nodes share: the directory, which knows the node of every connection, and the links between nodes.
 *
 * Every asynchronous method may fail with an ordinary error when the directory cannot be reached. The caller then
 * knows nothing, and must report a failure rather than an empty result.
 */
export interface Cluster {
  /**
   * This node's incarnation: random, never reused, and the name that `request` addresses. A node whose lease has ended
   * gets another.
   */
  readonly node: string;

  /** The lease of the current incarnation. */
  readonly lease: Lease;

  /**
   * Names the era of the directory as far as this node knows it; what it gives while the era is unknown is refused by
   * `register`. An entry counts only in the era in which it was registered.
   */
  era(): string;

  /** Whether the directory answers this node: false while it is away, or has lost its memory and is recovering. */
  readonly isAvailable: boolean;

  /**
   * Makes an entry if every expectation holds; the checks and the entry are one atomic step. Returns the first fault,
   * or undefined on success. Registering the same connection again succeeds and changes nothing.
   */
  register(key: PlayerKey, entry: DirectoryEntry, expected: Expectations): MaybePromise<RegistrationFault | undefined>;

  /**
   * Removes these connections of the player, as far as they belong to this incarnation, and no others; an id that is
   * not listed is not an error. Resolves when `list` no longer returns them, which may be after the directory has come
   * back. Rejects when the incarnation ends before that: other nodes then drop its entries by themselves.
   */
  unregister(key: PlayerKey, connectionIds: readonly string[]): MaybePromise<void>;

  /**
   * Every entry of one player; an unknown player has none. The cost grows with the player's own entries only. Rejects
   * while the directory is recovering: entries may be missing. What the directory knows of `owners` is of the same moment:
   * an entry that is no longer there was removed by its owner, unless that has ended.
   */
  list(key: PlayerKey, owners?: readonly string[]): MaybePromise<Listing>;

  /**
   * Sends one node a request and resolves with its reply. Rejects when no reply comes within `timeoutMs` or the node
   * cannot be reached; neither proves that the request was not carried out.
   */
  request<Kind extends NodeCallKind>(
    node: string,
    kind: Kind,
    request: NodeRequest<Kind>,
    timeoutMs: number,
  ): MaybePromise<NodeReply<Kind>>;

  /** Sends every node of `nodes()` a request, this one included. Rejects unless all of them reply. */
  requestAll<Kind extends NodeCallKind>(
    kind: Kind,
    request: NodeRequest<Kind>,
    timeoutMs: number,
  ): Promise<readonly NodeReply<Kind>[]>;

  /**
   * Sets the handler for requests of this kind that come to this node, its own included. Must be called before the
   * first `register`; throws when the kind already has a handler.
   */
  answer<Kind extends NodeCallKind>(kind: Kind, handler: AnswerNodeCall<Kind>): void;

  /**
   * Whether this life of a node may still be going on: false only when it has certainly ended. Work that a node has
   * claimed stays with it as long as this is true.
   */
  isAlive(node: string): Promise<boolean>;

  /** Whether this node has seen the proof that a life of a node has ended. Its entries then prove nothing any more. */
  isProvenDead(node: string): boolean;

  /** The nodes that have joined and neither left nor been proven dead. */
  nodes(): MaybePromise<readonly NodeRecord[]>;

  /**
   * Refuses every later registration in the stage, then asks each node to close its connections there. Resolves when
   * all nodes have done so; rejects after `timeoutMs`, with the refusal still in force. The caller goes on by calling
   * it again.
   */
  closeStage(stageId: string, timeoutMs: number): Promise<void>;

  /**
   * Refuses every later registration on an older runtime of the stage, then tells each node. Resolves when all nodes know;
   * rejects after `timeoutMs`, with the refusal still in force where the directory has taken it.
   */
  announceRuntime(stageId: string, runtimeId: string, timeoutMs: number): Promise<void>;

  /** Calls the listener once for each lease that ends while the node goes on. Its connections must then be closed. */
  onLeaseEnd(listener: (lease: Lease) => void): void;

  /** The number of entries that this node has made and not yet removed: 0 when every player is gone. */
  readonly size: number;

  /** Leaves the cluster, and releases timers and links. No method may be called afterwards. */
  close(): Promise<void>;
}

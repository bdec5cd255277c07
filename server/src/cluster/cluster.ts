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

/** A player's entries, as the directory knew them in one of its eras. */
export interface Listing {
  /** That an entry is there, or is missing, means something only within this life of the directory. */
  readonly era: string;
  /** Entries of owners that may still be alive; those of owners proven dead are left out. */
  readonly entries: readonly DirectoryEntry[];
}

/** What the directory checks in the same step in which it makes an entry. */
export interface Expectations {
  readonly era: string;
  readonly maxConnectionsPerPlayer: number;
}

/**
 * Why no entry was made. `player_full` means that one more would exceed `maxConnectionsPerPlayer`; once one of those that
 * `list` returns has ended, the same registration may be tried again.
 */
export type RegistrationFault = 'era_changed' | 'stage_closed' | 'player_full';

/**
 * What the nodes share: the directory, which knows the node of every connection, and the links between nodes.
 *
 * Every asynchronous method may fail with an ordinary error when the directory cannot be reached. The caller then
 * knows nothing, and must report a failure rather than an empty result.
 */
export interface Cluster {
  /** This node's incarnation: random, never reused, and the name that `request` addresses. */
  readonly node: string;

  /** The current era. An entry counts only in the era in which it was registered. */
  era(): string;

  /**
   * Makes an entry if every expectation holds; the checks and the entry are one atomic step. Returns the first fault,
   * or undefined on success. Registering the same connection again succeeds and changes nothing.
   */
  register(key: PlayerKey, entry: DirectoryEntry, expected: Expectations): MaybePromise<RegistrationFault | undefined>;

  /**
   * Removes these connections of the player, as far as they belong to this node, and no others; an id that is not
   * listed is not an error. Resolves when `list` no longer returns them.
   */
  unregister(key: PlayerKey, connectionIds: readonly string[]): MaybePromise<void>;

  /** Every entry of one player; an unknown player has none. The cost grows with the player's own entries only. */
  list(key: PlayerKey): MaybePromise<Listing>;

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

  /**
   * Refuses every later registration in the stage, then asks each node to close its connections there. Resolves when
   * all nodes have done so; rejects after `timeoutMs`, with the refusal still in force. The caller goes on by calling
   * it again.
   */
  closeStage(stageId: string, timeoutMs: number): Promise<void>;

  /** The number of entries that this node has made and not yet removed: 0 when every player is gone. */
  readonly size: number;

  /** Releases timers and links. No method may be called afterwards. */
  close(): Promise<void>;
}

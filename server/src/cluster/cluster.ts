import type { PlayerKey } from '../player-key.ts';
import type { AnswerNodeCall, NodeCallKind, NodeReply, NodeRequest } from './node-calls.ts';

/** One entry of the directory: a registered connection and the life of the node that owns its socket. */
export interface DirectoryEntry {
  readonly connectionId: string;
  /** The owner's incarnation: one life of one node. */
  readonly node: string;
  /** When the connection registered, milliseconds since 1970. */
  readonly createdAt: number;
  readonly runtimeId: string;
}

export interface Listing {
  /** What is listed, or is not, counts only within this life of the directory. */
  readonly era: string;
  /** Entries of owners that may still be alive; those of owners proven dead are left out. */
  readonly entries: readonly DirectoryEntry[];
}

/** What must hold at the very step that makes an entry. */
export interface Expectations {
  readonly era: string;
  readonly maxConnectionsPerPlayer: number;
}

/** The one expectation that did not hold; `player_full` counts the entry that would have been made. */
export type RegistrationFault = 'era_changed' | 'stage_closed' | 'player_full';

/**
 * What the nodes must agree on: the directory (who is connected where) and the links between nodes.
 *
 * Every method may reject with an ordinary error when the directory is away; callers then know nothing and say so.
 */
export interface Cluster {
  /** This node's incarnation: random, never reused, and the name that `request` addresses. */
  readonly node: string;

  /** The current era; an entry counts only in the era it was registered in. */
  era(): string;

  /**
   * Makes an entry if every expectation holds, in one atomic step with the checks; returns the first that does not, or
   * undefined on success. Registering the same connection again changes nothing and succeeds.
   */
  register(key: PlayerKey, entry: DirectoryEntry, expected: Expectations): Promise<RegistrationFault | undefined>;

  /**
   * Removes exactly these connections of the player, if they are this node's; ids that are not listed are not an error.
   * Resolves when `list` no longer returns them.
   */
  unregister(key: PlayerKey, connectionIds: readonly string[]): Promise<void>;

  /** Every entry of one player; an unknown player has none. Costs what the player's own entries cost. */
  list(key: PlayerKey): Promise<Listing>;

  /**
   * Asks one node and gives its reply. Rejects when no reply comes within `timeoutMs` or the node is not there: that
   * never proves that the request was not carried out.
   */
  request<Kind extends NodeCallKind>(
    node: string,
    kind: Kind,
    request: NodeRequest<Kind>,
    timeoutMs: number,
  ): Promise<NodeReply<Kind>>;

  /**
   * Sets what answers this kind of request to this node, its own requests included. Each kind is set once, before the
   * first `register`; throws for a kind that is set already.
   */
  answer<Kind extends NodeCallKind>(kind: Kind, handler: AnswerNodeCall<Kind>): void;

  /**
   * Whether this life of a node may still go on: false only when it is proven over. Work that a node has claimed is left
   * to it for as long as this is true.
   */
  isAlive(node: string): Promise<boolean>;

  /**
   * Refuses every later registration in the stage, then asks each node to close its connections there. Resolves when all
   * have, rejects after `timeoutMs` with the refusal still in force. Calling it again is how to go on.
   */
  closeStage(stageId: string, timeoutMs: number): Promise<void>;

  /** How many entries this node has made and not removed: 0 when every player is gone. */
  readonly size: number;

  /** Releases timers and links. Nothing may be called afterwards. */
  close(): Promise<void>;
}

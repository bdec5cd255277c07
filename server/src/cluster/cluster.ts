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
   * Whether the incarnation's connections may receive and send messages. Once it is false it stays so, and only then
   * may other nodes take the incarnation for dead. Asked before every receive, send and welcome, and before a message
   * that has waited is handled.
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
  /** The presence or absence of an entry means something only within this life of the directory. */
  readonly era: string;
  /** Entries of owners that may still be alive; those of owners proven dead are left out. */
  readonly entries: readonly DirectoryEntry[];
  /** Which of the owners that were asked about have left, or been declared dead, in this era. */
  readonly endedOwners: readonly string[];
}

/** Which players of a stage are asked for: the first `limit` of them, in order of their ids. */
export interface StagePage {
  /** Only ids from this one on. */
  readonly from?: string | undefined;
  /** Only ids that begin with this. */
  readonly prefix?: string | undefined;
  /** At least 1. */
  readonly limit: number;
}

export interface StageListing {
  /** In order of their ids. Each has entries; those of owners proven dead are left out. */
  readonly players: readonly { readonly playerId: string; readonly entries: readonly DirectoryEntry[] }[];
  /** The last player that was looked at; there may be others behind. Undefined at the end. */
  readonly last: string | undefined;
}

export interface StageCounts {
  /** Players with entries, including those of a dead owner until the directory has removed them. */
  readonly players: number;
  /**
   * How many connections each owner has on each runtime, without owners proven dead. A pair may appear several times,
   * each time with a part of its connections.
   */
  readonly groups: readonly { readonly node: string; readonly runtimeId: string; readonly connections: number }[];
}

/** What the directory checks in the same step in which it makes an entry. */
export interface Expectations {
  /**
   * What `era()` gave before anything was looked up for the connection: a new era may lack what was announced before,
   * so it refuses the entry.
   */
  readonly era: string;
  readonly maxConnectionsPerPlayer: number;
  readonly newcomer: Newcomer;
}

/** A player who asks to be let in, and what decides whether a bar applies. */
export interface Newcomer {
  /** The names of the bars that may keep the player out. The first of them that holds does. */
  readonly barNames: readonly string[];
  /** The caller's wall clock: a bar ends by the clock of the node that asks. */
  readonly at: number;
  /** When the player got what they sign in with. */
  readonly signedInAt: number;
}

/** Where a bar is kept: with the player's entries, or everywhere if it is about more than one player in a stage. */
export interface BarTarget {
  /** Unique among all bars. */
  readonly name: string;
  readonly player?: PlayerKey | undefined;
}

/** What keeps newcomers out. It never ends a connection that is listed already. */
export interface Bar {
  /** Grows with each change of the bar. A version older than one that the directory has heard of changes nothing. */
  readonly version: number;
  /** When the bar ends by itself, milliseconds since 1970; undefined for one that does not. */
  readonly until: number | undefined;
  /** Keeps out only those who signed in before this time; undefined for a bar that keeps out everybody. */
  readonly signedInBefore: number | undefined;
  /** What the player who is kept out is told; the directory does not look at it. */
  readonly note: string;
}

/** The bar that keeps a newcomer out. */
export interface Barred extends Pick<Bar, 'until' | 'note'> {
  readonly barName: string;
}

/** The era and the incarnation from before the caller read or wrote what it now tells the directory. */
export interface Standing {
  readonly era: string;
  readonly node: string;
}

/**
 * Reads a page of the bars that hold. `next` asks for the page behind, and is undefined at the end. Bars that were set
 * before the call are among them. Rejects when they cannot be read at the moment.
 */
export type LoadBars = (after: string | undefined) => Promise<{
  readonly bars: readonly { readonly target: BarTarget; readonly bar: Bar }[];
  readonly next: string | undefined;
}>;

/**
 * Why no entry was made. `runtime_changed` means that the stage has a newer runtime than the entry's: the caller looks the
 * stage up again, and may then register. `player_full` means that one more would exceed `maxConnectionsPerPlayer`; once one
 * of those that `list` returns has ended, the same registration may be tried again.
 */
export type RegistrationFault = 'era_changed' | 'stage_closed' | 'runtime_changed' | 'player_full';

/** What the directory knew of a bar that was lifted. */
export interface Lifting {
  /** Whether an older version held until now. */
  readonly hasHeld: boolean;
  /** The newer version that the directory has heard of, if there is one: then nothing was lifted. */
  readonly newer: number | undefined;
}

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
   * Names the era of the directory as far as this node knows it. While the era is unknown, `register` refuses what this
   * gives. An entry counts only in the era in which it was registered.
   */
  era(): string;

  /** Whether the directory answers this node: false while it is away, or has lost its memory and is recovering. */
  readonly isAvailable: boolean;

  /**
   * Makes an entry if every expectation holds and no bar keeps the newcomer out; the checks and the entry are one atomic
   * step. Returns the first fault, or undefined on success. Registering the same connection again succeeds and changes
   * nothing. Rejects with `DirectoryUnavailable` in an era that does not have all bars yet.
   */
  register(
    key: PlayerKey,
    entry: DirectoryEntry,
    expected: Expectations,
  ): MaybePromise<RegistrationFault | Barred | undefined>;

  /**
   * Sets a bar, unless the directory has heard of a newer version of it, set or lifted, and resolves with that version. When
   * it resolves, no later registration passes the bar. Rejects when the era, or this node's incarnation, is no longer that of
   * `asOf`: the caller may have read what is out of date, and must read it again.
   */
  setBar(target: BarTarget, bar: Bar, asOf: Standing): MaybePromise<number | undefined>;

  /**
   * Lifts a bar, unless the directory has heard of a newer version. When it resolves, no later registration is refused because
   * of an older version, even if a late call sets that again.
   */
  liftBar(target: BarTarget, version: number): MaybePromise<Lifting>;

  /** The bar that keeps this player out, if one does. Rejects as `register` does. */
  findBar(key: PlayerKey, newcomer: Newcomer): MaybePromise<Barred | undefined>;

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
   * A page of the stage's players, at a cost that grows with the page alone. A player who has entries throughout is on exactly
   * one page, if each begins behind the last player of the page before; and a player's entries are of one moment. Rejects as
   * `list` does, and while a node of an earlier version is there, which keeps no list of its players.
   */
  listStage(stageId: string, page: StagePage): MaybePromise<StageListing>;

  /** How many players and connections a stage has, at a cost that does not grow with them. Rejects as `listStage` does. */
  countStage(stageId: string): MaybePromise<StageCounts>;

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

  /**
   * The nodes that have joined and neither left nor been proven dead: each that may act is among them. Rejects while the
   * directory is recovering, for some of them may not have joined it again.
   */
  nodes(): MaybePromise<readonly NodeRecord[]>;

  /** The same, as far as they have joined: while the directory is recovering, nodes that may act can be missing. */
  joinedNodes(): MaybePromise<readonly NodeRecord[]>;

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

import type { PageQuery } from './page-query.ts';

/**
 * What keeps players from connecting: a `block` keeps out one player, for good or for a time; a `revocation` every player who
 * comes with a token from before it; a `closure` every player of a stage.
 */
export type BarKind = 'block' | 'revocation' | 'closure';

/** A bar that is lifted is kept until the directory of connections knows. */
export type BarState = 'SET' | 'LIFTED';

export interface BarRecord {
  /** Unique; says what kind of bar it is, and whom it is about. */
  readonly name: string;
  readonly kind: BarKind;
  readonly gameId: string;
  /** Undefined for a bar in all stages of the game. */
  readonly stageId: string | undefined;
  /** Undefined for a closure. */
  readonly playerId: string | undefined;
  /** Undefined for a bar that does not end by itself. */
  readonly until: number | undefined;
  /** Given for a revocation: tokens that were issued before this time are refused. */
  readonly signedInBefore: number | undefined;
  /** Whether those who are connected are sent away. */
  readonly endsConnections: boolean;
  readonly reason: string;
  /** What players are told, by locale; the one under `` is for all others. */
  readonly messages: Readonly<Record<string, string>>;
  readonly evidence: string;
  readonly actor: string;
  readonly requestId: string;
  readonly createdAt: number;
  /** Greater than that of every change of any bar before, also of bars that are gone. */
  readonly version: number;
  readonly state: BarState;
  /** Whether the directory has acknowledged this version, and the connections that it ends have ended. */
  readonly isEnforced: boolean;
}

/** A bar without its evidence, which may be long and is shown only with a single bar. */
export type ListedBar = Omit<BarRecord, 'evidence'>;

export type NewBar = Omit<BarRecord, 'version' | 'state' | 'isEnforced'>;

/** Bars are listed in order of name. Those that have ended by `at` are left out, as are those that are lifted. */
export interface BarTable {
  /** Whatever its state, and also when it has ended. */
  find(name: string): Promise<BarRecord | undefined>;
  /**
   * Sets a bar, in place of an earlier one of its name. The tokens that the earlier one refused stay refused, unless its clock
   * was more than an hour ahead.
   */
  set(record: NewBar): Promise<BarRecord>;
  /**
   * Lifts a bar; resolves with the record. Where there is none, it changes none, and resolves with a version that is greater
   * than that of any bar of the name that there has been.
   */
  lift(name: string, at: number): Promise<BarRecord | number>;
  /**
   * Gives the bar a version that is greater than `above`, which is still to be enforced. Resolves with undefined, and changes
   * nothing, when it has another version by now, or is gone.
   */
  renew(name: string, version: number, above: number): Promise<BarRecord | undefined>;
  /** Resolves with false, and changes nothing, when the bar has another version by now, or is gone. */
  markEnforced(name: string, version: number): Promise<boolean>;
  /** The same for removing it. */
  remove(name: string, version: number): Promise<boolean>;
  /**
   * A game's, or, with a stage, those that are about this stage alone: those among the next few hundred that hold. There may be
   * very many that have ended, so there may be few of them, or none, although others follow.
   */
  list(scope: BarScope, at: number, page: PageQuery): Promise<ListedBars>;
  /** Every bar that is set, also when its time seems to have passed: the clock that says so may be ahead. */
  listAll(page: PageQuery): Promise<BarRecord[]>;
  /** Those of which the directory has not acknowledged the latest change, the oldest first. */
  listUnfinished(limit: number): Promise<BarRecord[]>;
  /**
   * How many bars of the kind a game has, or, with a stage, how many are about this stage alone; whatever their state, and also
   * those that have ended.
   */
  count(scope: BarScope): Promise<number>;
  /** Forgets at most `limit` bars, of one game or of all, that are enforced and have ended by `at`; resolves with how many. */
  removeEnded(at: number, limit: number, gameId?: string): Promise<number>;
  /**
   * Forgets all bars of a stage, or, without one, of a game, a few at a time: there may be as many as settings allow. `leaving`
   * is called with each few before they are forgotten; when it rejects, so does this, and they stay.
   */
  removeAll(
    place: Pick<BarScope, 'gameId' | 'stageId'>,
    leaving: (bars: readonly LeavingBar[]) => Promise<void>,
  ): Promise<void>;
}

export type LeavingBar = Pick<BarRecord, 'name' | 'stageId' | 'playerId' | 'version'>;

export interface ListedBars {
  readonly bars: readonly ListedBar[];
  /** Where to go on; undefined when nothing follows. */
  readonly next: string | undefined;
}

export interface BarScope {
  readonly gameId: string;
  readonly stageId?: string | undefined;
  readonly kind: BarKind;
}

/** A connection that an event opens or ends. The log knows which connections have opened and not ended. */
export interface TrackedConnection {
  readonly id: string;
  readonly change: 'opened' | 'ended';
  /** The incarnation of the node that holds the connection. */
  readonly owner: string;
}

/**
 * What has happened, as it is kept and sent. Times are milliseconds since 1970. Every event is made with its members in
 * this order, because filters search its text.
 */
export interface LoggedEvent {
  /** A UUIDv7. Ids of one node sort in the order in which it emitted them. */
  readonly id: string;
  readonly type: string;
  readonly at: number;
  readonly game: string;
  readonly stage?: string;
  readonly player?: string;
  readonly node: string;
  readonly data: Readonly<Record<string, unknown>>;
}

/** An event in its game's log. */
export interface PlacedEvent {
  /** 1 for the first event of the game, and one more for each after it. No position is ever used again. */
  readonly position: number;
  readonly event: LoggedEvent;
}

/** Which events of a game a reader wants; an empty list stands for all. */
export interface EventFilter {
  readonly stages: readonly string[];
  readonly types: readonly string[];
  readonly playerId?: string | undefined;
}

export interface EventQuery {
  readonly after: number;
  /** The most events to return. There are fewer when more would hold the process up. */
  readonly limit: number;
  /** Leaves out most of the events that it does not want, which costs less than looking at them, but not all. */
  readonly filter?: EventFilter | undefined;
}

/** What one small step of a reader has found. */
export interface EventPage {
  /** In order of position. */
  readonly events: readonly PlacedEvent[];
  /** How many events beyond `after` were dropped before they could be read. */
  readonly missed: number;
  /**
   * Everything up to here was looked at: where the next step begins. It is less than `after` for a reader that is ahead
   * of the log because a crash of the database has undone events: otherwise it would miss those that take their places.
   */
  readonly cursor: number;
  /** Whether there was nothing behind the cursor. */
  readonly isEnd: boolean;
}

/** How far a receiver of a game's events has come. */
export interface EventCursor {
  /** Everything up to this position is settled. */
  readonly position: number;
  /** Since when the receiver has accepted nothing; undefined while it accepts. */
  readonly failingSince: number | undefined;
}

export interface ClaimedCursor {
  readonly receiver: string;
  readonly owner: string | undefined;
}

export interface EventLogLimits {
  readonly maxEventsPerGame: number;
}

/**
 * The events of each game, in one order that all nodes see. The newest are kept, as many as the limit allows.
 *
 * What was appended survives the end of the process at once, because it is in a journal beside the database, and can be
 * read within a second, or as soon as the database is there again. An event can be read only when every event of the game
 * with a lower position can be read or has been dropped, so a reader that goes on from a position misses none without
 * being told. Events of one node are in the order in which they were appended; between nodes, the order is that of their
 * arrival.
 *
 * Every method but `append` rejects with a `ServiceError('internal')` that may be tried again when the database is away.
 */
export interface EventLog {
  /**
   * Appends without waiting for the database. Returns false, and keeps nothing, when the journal is full or cannot be
   * written. An event that ends a connection is kept only if the log has the connection's opening and no earlier end,
   * whichever node ends it.
   */
  append(gameId: string, event: LoggedEvent, connection?: TrackedConnection): boolean;
  /**
   * Looks at some events behind a position: so few that the process is not held up, and all reads of the process share
   * one turn of the event loop. A reader goes on until `isEnd`, or as far as it needs.
   */
  read(gameId: string, query: EventQuery): Promise<EventPage>;
  /** The positions of the first event that is kept and of the last; 1 and 0 in a log that never had any. */
  ends(gameId: string): Promise<{ readonly first: number; readonly last: number }>;
  /** The position in front of all events of this time or later. */
  positionBefore(gameId: string, at: number): Promise<number>;
  /** Calls the listener when this process has made events readable. Returns a function that removes it. */
  onMoved(listener: () => void): () => void;

  /** Removes events from before this time, some at a time. */
  removeBefore(at: number): Promise<void>;
  /** The ids of the games that have events, or have had some. */
  games(): Promise<readonly string[]>;
  /** Removes everything of a game, some at a time. */
  removeGame(gameId: string): Promise<void>;

  /**
   * Takes the cursor of a receiver for `owner`; undefined, and nothing is changed, when another than `owner` or `from`
   * has it. A receiver without a cursor gets one at the end of the log.
   */
  claim(claim: {
    readonly receiver: string;
    readonly gameId: string;
    readonly owner: string;
    readonly from?: string | undefined;
  }): Promise<EventCursor | undefined>;
  /** Moves a cursor; false, and nothing is changed, when `owner` has lost it. */
  save(receiver: string, owner: string, cursor: EventCursor): Promise<boolean>;
  release(receiver: string, owner: string): Promise<void>;
  /** Moves a cursor to a position, and takes it from its owner. */
  rewind(receiver: string, gameId: string, position: number): Promise<void>;
  removeCursor(receiver: string): Promise<void>;
  cursors(): Promise<readonly ClaimedCursor[]>;

  /** Notes that the game's events are watched until this time. */
  watch(game: { readonly id: string; readonly name: string }, until: number): Promise<void>;
  /** The games that are watched at this time. */
  watched(at: number): Promise<readonly { readonly id: string; readonly name: string }[]>;

  /** The owners of connections that have opened and not ended. */
  owners(): Promise<readonly string[]>;
  /**
   * Ends, in the log, the connections of an owner that is dead: `toEnd` makes the event of each from that of its opening.
   * Resolves with how many there were. Several nodes may try; each connection ends once.
   */
  endConnections(owner: string, toEnd: (opened: LoggedEvent) => LoggedEvent): Promise<number>;

  /** How many events wait in the journal. */
  readonly waiting: number;
  /** Moves what waits if the database is there; the journal keeps the rest for the next start. Later calls reject. */
  close(): Promise<void>;
}

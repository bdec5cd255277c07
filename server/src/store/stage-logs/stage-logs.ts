/** The least severe first. */
export const LOG_LEVELS = ['debug', 'info', 'warn', 'error'] as const;

export type LogLevel = (typeof LOG_LEVELS)[number];

/** How much one stage keeps. */
export interface StageLogsLimits {
  readonly maxLinesPerStage: number;
  /** The texts and facts of the lines together, as UTF-8. */
  readonly maxBytesPerStage: number;
}

/** A line that cloud code wrote, or that is about it. */
export interface NewLogLine {
  /** Milliseconds since 1970. */
  readonly at: number;
  readonly level: LogLevel;
  readonly text: string;
  /** The facts: whose message it was, what answered it, and the message's own id. Undefined where there is none. */
  readonly playerId: string | undefined;
  readonly handler: string | undefined;
  readonly requestId: string | undefined;
}

export interface LogLine extends NewLogLine {
  /** 1 for the first line of the stage, and one more for each that follows it; a dropped line's is not used again. */
  readonly position: number;
}

export interface LogQuery {
  /** In order of position, whatever the lines' times are. */
  readonly order: 'oldest_first' | 'newest_first';
  /** Only lines beyond this position in that order: the cursor of the page before. */
  readonly after?: number;
  /** At most this many lines, and at least one. */
  readonly limit: number;
  /** Only lines of this level or a more severe one. */
  readonly minLevel?: LogLevel;
  /** Only lines at or after this time. */
  readonly since?: number;
  /** Only lines before this time. */
  readonly until?: number;
}

export interface LogPage {
  readonly lines: readonly LogLine[];
  /**
   * The `after` with which the same query goes on. When the oldest come first it can be used at the end too, to follow:
   * it is beyond all lines that there were, those that the query leaves out included.
   */
  readonly cursor: number;
  /** Whether there was no further line for the query. */
  readonly isEnd: boolean;
  /**
   * When the oldest come first: how many lines after `after` had been dropped before this read, whether or not the query
   * asked for them. 0 otherwise, and without `after`.
   */
  readonly missed: number;
}

/**
 * The log of each stage's cloud code: its newest lines, as many of them in a row as both limits allow; each append drops
 * the oldest ones that are too many.
 *
 * A line that was appended survives the end of the process, but perhaps not that of the machine's power. Reads see every
 * append that finished before, by this process or another. A line can be read only when all of the stage with a lower
 * position can, or have been dropped: a reader that follows misses none unnoticed.
 *
 * Every method rejects with a `ServiceError('internal')`, and may be tried again, when the logs cannot be reached.
 */
export interface StageLogs {
  /**
   * Appends all of the lines, one right after another, or none. Appends under way at once follow each other in any
   * order. U+0000 and lone surrogates, which databases cannot keep, become U+FFFD. Rejects with a
   * `ServiceError('quota_exceeded')` when one line alone is longer than a stage's limit.
   */
  append(stageId: string, lines: readonly NewLogLine[]): Promise<void>;

  /** A page of the stage's log; a stage that has none gives an empty one. */
  read(stageId: string, query: LogQuery): Promise<LogPage>;

  /**
   * Removes the stage's log: some lines at a time, so that calls in between are not held up. What is appended meanwhile
   * may stay; after a rejection some are gone, and calling it again is how to go on.
   */
  remove(stageId: string): Promise<void>;

  /** Waits for what is under way, then releases what is open. Later calls reject. */
  close(): Promise<void>;
}

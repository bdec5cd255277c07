/** The least severe first. */
export const LOG_LEVELS = ['debug', 'info', 'warn', 'error'] as const;

export type LogLevel = (typeof LOG_LEVELS)[number];

/** How much one stage keeps. */
export interface StageLogsLimits {
  readonly maxLinesPerStage: number;
  /** The texts and facts of the lines together, as UTF-8. */
  readonly maxBytesPerStage: number;
}

/** A line that cloud code wrote, or that the server wrote about it. */
export interface NewLogLine {
  /** Milliseconds since 1970. */
  readonly at: number;
  readonly level: LogLevel;
  readonly text: string;
  /** The facts: the player whose message it was, the handler that answered it, and the message's own id, if any. */
  readonly playerId: string | undefined;
  readonly handler: string | undefined;
  readonly requestId: string | undefined;
}

export interface LogLine extends NewLogLine {
  /** 1 for the first line of the stage, and one more for each line after it. No position is ever used again. */
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
   * The `after` with which the same query goes on. With `oldest_first` it can be used at the end too, to follow the
   * log: it is beyond all lines that there are, including those that the query leaves out, and less than `after` for a reader
   * that is ahead of the log, as one is whose lines a loss of power has undone: otherwise it would miss those in their places.
   */
  readonly cursor: number;
  /** True when there was no further line for the query. */
  readonly isEnd: boolean;
  /**
   * With `oldest_first` and an `after`: how many lines beyond `after` had been dropped before this read, whether or not
   * the query asked for them. Otherwise 0.
   */
  readonly missed: number;
}

/**
 * The log of each stage's cloud code. It keeps the newest lines, as many in a row as both limits allow; each append
 * drops the oldest lines that are too many.
 *
 * A line that was appended survives the end of the process, but perhaps not a loss of power, or of the database. Reads see every append
 * that finished before, by this process or another. A line can be read only when every line of the stage with a lower
 * position can be read or has been dropped, so a reader that follows the log misses no line without being told.
 *
 * Every method rejects with a `ServiceError('internal')` that may be tried again when the logs cannot be reached.
 */
export interface StageLogs {
  /**
   * Appends all of the lines, one right after another, or none. Appends under way at the same time follow each other in
   * any order. U+0000 and lone surrogates, which databases cannot keep, become U+FFFD. Rejects with a
   * `ServiceError('quota_exceeded')` when one line alone is longer than a stage's limit.
   */
  append(stageId: string, lines: readonly NewLogLine[]): Promise<void>;

  /** Reads a page of the stage's log; the page of a stage without a log is empty. */
  read(stageId: string, query: LogQuery): Promise<LogPage>;

  /**
   * Removes the stage's log, some lines at a time, so that other calls get their turn. What is appended meanwhile may
   * stay. After a rejection some lines are gone, and another call goes on with the rest.
   */
  remove(stageId: string): Promise<void>;

  /** Waits for what is under way, then releases what is open. Later calls reject. */
  close(): Promise<void>;
}

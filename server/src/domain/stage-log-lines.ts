import type { Clock } from '../clock.ts';
import type { LogLevel, LogLine, StageLogs } from '../store/stage-logs/stage-logs.ts';
import type { Store } from '../store/store.ts';
import { createListShare } from './list-turns.ts';
import { getStage } from './stages.ts';

export type { LogLine } from '../store/stage-logs/stage-logs.ts';

export interface LinesAsked {
  readonly order: 'oldest_first' | 'newest_first';
  /** The cursor of the page before. */
  readonly after?: number | undefined;
  /** At most this many lines. */
  readonly limit: number;
  readonly minLevel?: LogLevel | undefined;
  readonly playerId?: string | undefined;
  /** The name of the message that the lines are about. */
  readonly message?: string | undefined;
  readonly since?: number | undefined;
  readonly until?: number | undefined;
}

export interface LinesPage {
  readonly lines: readonly LogLine[];
  /** Where the next page begins. With `oldest_first` it serves to follow the log, too. */
  readonly cursor: number;
  /** Whether there were no further lines. */
  readonly isEnd: boolean;
  /** With `oldest_first` and `after`: how many lines behind it were dropped before they could be read. */
  readonly missed: number;
}

/** What the scripts of a stage have written, and what the server wrote about them. */
export interface StageLogLines {
  /**
   * One page of a stage's lines. One call looks at a bounded number of them, so a page may have few lines, or none, and
   * still not be the end. Throws `not_found` when there is no such stage.
   */
  list(gameName: string, stageName: string, asked: LinesAsked): Promise<LinesPage>;
}

const MAX_EXAMINED = 5_000;
const BATCH = 500;

export function createStageLogLines({
  store,
  stageLogs,
  clock,
}: {
  store: Pick<Store, 'games' | 'stages'>;
  stageLogs: Pick<StageLogs, 'read'>;
  clock: Clock;
}): StageLogLines {
  const share = createListShare(clock);
  return {
    async list(gameName, stageName, { limit, playerId, message, after, minLevel, since, until, order }) {
      const { id, gameId } = await getStage(store, gameName, stageName);
      const isWanted = (line: LogLine) =>
        (playerId === undefined || line.playerId === playerId) && (message === undefined || line.handler === message);
      const isFiltered = playerId !== undefined || message !== undefined;
      const isSearch = isFiltered || minLevel !== undefined || since !== undefined || until !== undefined;
      const lines: LogLine[] = [];
      let cursor = after;
      let missed = 0;
      for (let examined = 0; ; ) {
        const query = {
          order,
          limit: isFiltered ? BATCH : limit,
          ...(cursor === undefined ? {} : { after: cursor }),
          ...(minLevel === undefined ? {} : { minLevel }),
          ...(since === undefined ? {} : { since }),
          ...(until === undefined ? {} : { until }),
        };
        const read = () => stageLogs.read(id, query);
        // What leaves lines out goes through hundreds of them, or all, which takes milliseconds and a session with the database.
        const page = await (isSearch ? share(gameId, read) : read());
        missed += page.missed;
        examined += page.lines.length;
        for (const line of page.lines) {
          if (!isWanted(line)) continue;
          lines.push(line);
          // What is left of the page is read again with the next one.
          if (lines.length === limit) {
            const isEnd = page.isEnd && line === page.lines.at(-1);
            return { lines, cursor: isEnd ? page.cursor : line.position, isEnd, missed };
          }
        }
        cursor = page.cursor;
        if (page.isEnd || examined >= MAX_EXAMINED) return { lines, cursor, isEnd: page.isEnd, missed };
      }
    },
  };
}

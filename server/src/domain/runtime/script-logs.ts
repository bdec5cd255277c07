import type { Clock } from '../../clock.ts';
import type { Log } from '../../log.ts';
import type { NewLogLine, StageLogs } from '../../store/stage-logs/stage-logs.ts';

/** Lines that wait to be kept, of all stages, and the length of their texts; more are left out. */
const MAX_WAITING = 10_000;
const MAX_WAITING_CHARACTERS = 16_777_216;
/** Lines are kept together with others, which costs far less than one by one. */
const DELAY_MS = 20;

export interface LineWriter {
  /** Keeps a line soon. Never fails: a line that cannot be kept is counted and left out. */
  write(stageId: string, line: NewLogLine): void;
  /** Resolves when the lines that were written before have been kept or left out. */
  flush(): Promise<void>;
}

/** Hands the lines of scripts to the logs of their stages, many at a time, in the order in which they were written. */
export function createLineWriter({
  stageLogs,
  clock,
  log,
}: {
  stageLogs: Pick<StageLogs, 'append'>;
  clock: Clock;
  log: Log;
}): LineWriter {
  /** Stage id → its lines. */
  let waiting = new Map<string, NewLogLine[]>();
  let count = 0;
  let characters = 0;
  let dropped = 0;
  let cancelTimer: (() => void) | undefined;
  let writing: Promise<void> = Promise.resolve();

  async function append(stageId: string, lines: readonly NewLogLine[]): Promise<void> {
    try {
      await stageLogs.append(stageId, lines);
    } catch (error) {
      log.warn({ err: error, stageId, lines: lines.length }, 'lines of scripts could not be kept');
    }
  }

  function flush(): Promise<void> {
    cancelTimer?.();
    cancelTimer = undefined;
    const batch = waiting;
    waiting = new Map();
    count = 0;
    characters = 0;
    if (dropped > 0) log.warn({ dropped }, 'scripts wrote more lines than could be kept');
    dropped = 0;
    writing = writing.then(async () => {
      for (const [stageId, lines] of batch) await append(stageId, lines);
    });
    return writing;
  }

  return {
    write(stageId, line) {
      if (count >= MAX_WAITING || characters + line.text.length > MAX_WAITING_CHARACTERS) {
        dropped += 1;
        return;
      }
      count += 1;
      characters += line.text.length;
      const lines = waiting.get(stageId);
      if (lines === undefined) waiting.set(stageId, [line]);
      else lines.push(line);
      cancelTimer ??= clock.after(DELAY_MS, () => void flush());
    },
    flush,
  };
}

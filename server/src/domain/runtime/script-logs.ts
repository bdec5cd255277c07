import type { Clock } from '../../clock.ts';
import type { Log } from '../../log.ts';
import type { MaybePromise } from '../../maybe-promise.ts';
import { createRareWarnings } from '../../rare-warnings.ts';
import type { NewLogLine, StageLogs } from '../../store/stage-logs/stage-logs.ts';
import { createTokenBuckets } from '../../token-bucket.ts';
import { HeldLines, type Turn } from './held-lines.ts';

/** How long a line waits for others: keeping them together costs far less than one by one. */
const DELAY_MS = 20;
/**
 * What each stage may keep on average, and at once: far more than people read, and too little for the stages of one
 * game to keep the logs busy. A line takes one token, and one more for each `CHARACTERS_OF_TOKEN` that it has.
 */
const OF_STAGE = { ratePerSecond: 5_000, burst: 10_000, maxKeys: 10_000 };
const CHARACTERS_OF_TOKEN = 1_024;
/** How often the log of a stage says how many lines were left out. */
const NOTE_MS = 1_000;

export interface LineWriter {
  /** Keeps a line soon. Never fails: a line that cannot be kept is left out, and the log of its stage says how many were. */
  write(stageId: string, line: NewLogLine): void;
  /** Resolves when the lines that were written before have been kept or left out. */
  flush(): Promise<void>;
}

/**
 * Hands the lines of scripts to the logs of their stages, many at a time, in the order in which each stage has written
 * its own. A stage that floods takes neither the room of others nor their turns.
 */
export function createLineWriter({
  stageLogs,
  isThere,
  clock,
  log,
}: {
  stageLogs: Pick<StageLogs, 'append'>;
  /** Whether the stage of this id still exists and is not being deleted. */
  isThere: (stageId: string) => MaybePromise<boolean>;
  clock: Clock;
  log: Log;
}): LineWriter {
  const held = new HeldLines();
  const buckets = createTokenBuckets({ ...OF_STAGE, clock });
  const leftOut = createLeftOut({ clock, log, addNote });
  let cancelTimer: (() => void) | undefined;
  let draining: Promise<void> | undefined;
  let round: Promise<unknown> = Promise.resolve();

  function addNote(stageId: string, note: NewLogLine): void {
    held.add(stageId, note);
    plan();
  }

  function plan(): void {
    if (draining === undefined) cancelTimer ??= clock.after(DELAY_MS, start);
  }

  function start(): void {
    draining ??= drain();
  }

  /** Never rejects. What comes during the last round waits for others to join it. */
  async function drain(): Promise<void> {
    cancelTimer?.();
    cancelTimer = undefined;
    for (let isMore = true; isMore; ) {
      const taken = held.take();
      round = Promise.all(taken.turns.map(keep));
      await round;
      isMore = taken.isMore;
    }
    draining = undefined;
    if (!held.isEmpty) plan();
  }

  async function keep(turn: Turn): Promise<void> {
    try {
      // Scripts may outlive their stage, and nothing would remove what they write then.
      if (await isThere(turn.stageId)) await stageLogs.append(turn.stageId, turn.lines);
      leftOut.kept(turn);
    } catch (error) {
      leftOut.failed(turn, error);
    }
    held.settle(turn);
  }

  return {
    write(stageId, line) {
      const tokens = 1 + Math.floor(line.text.length / CHARACTERS_OF_TOKEN);
      if (!held.hasRoom(stageId, line) || buckets.take(stageId, tokens) > 0) {
        leftOut.count(stageId, 1);
        return;
      }
      held.add(stageId, line);
      plan();
    },
    async flush() {
      leftOut.note();
      const isSettled = held.mark();
      while (!isSettled()) {
        start();
        await round;
      }
    },
  };
}

/** Counts lines that are left out, and says so: now and then in the log of the stage, and rarely in that of the server. */
function createLeftOut({
  clock,
  log,
  addNote,
}: {
  clock: Clock;
  log: Log;
  addNote: (stageId: string, note: NewLogLine) => void;
}) {
  const warnRarely = createRareWarnings({ clock, log });
  const counts = new Map<string, number>();
  /** Stage → the line that says how many were left out, until it is kept. There is at most one, however long that takes. */
  const notes = new Map<string, { readonly line: NewLogLine; readonly lines: number }>();
  let cancelTimer: (() => void) | undefined;

  function note(): void {
    cancelTimer?.();
    cancelTimer = undefined;
    const facts = { playerId: undefined, handler: undefined, requestId: undefined };
    for (const [stageId, lines] of [...counts]) {
      if (notes.has(stageId)) {
        count(stageId, 0);
        continue;
      }
      counts.delete(stageId);
      const what = lines === 1 ? '1 line was' : `${lines} lines were`;
      const text = `${what} left out: there were more than could be kept`;
      const line: NewLogLine = { at: clock.now(), level: 'warn', text, ...facts };
      notes.set(stageId, { line, lines });
      warnRarely(stageId, { stageId, lines }, 'lines of scripts were left out');
      addNote(stageId, line);
    }
  }

  function count(stageId: string, lines: number): void {
    counts.set(stageId, (counts.get(stageId) ?? 0) + lines);
    cancelTimer ??= clock.after(NOTE_MS, note);
  }

  /** Returns the note of the stage if it is among the lines, and no longer waits for it. */
  function takeNote({ stageId, lines }: Turn) {
    const found = notes.get(stageId);
    if (found === undefined || !lines.includes(found.line)) return undefined;
    notes.delete(stageId);
    return found;
  }

  return {
    note,
    count,
    kept: (turn: Turn): void => void takeNote(turn),
    failed(turn: Turn, error: unknown): void {
      const { stageId, lines } = turn;
      warnRarely(stageId, { err: error, stageId, lines: lines.length }, 'lines of scripts could not be kept');
      const found = takeNote(turn);
      // The note is no line of a script: it stands for those that were left out before.
      count(stageId, lines.length + (found === undefined ? 0 : found.lines - 1));
    },
  };
}

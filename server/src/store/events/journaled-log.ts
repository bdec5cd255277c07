import { join } from 'node:path';
import type { Clock } from '../../clock.ts';
import { describeFileFault } from '../../file-fault.ts';
import type { Log } from '../../log.ts';
import { createRareWarnings, type WarnRarely } from '../../rare-warnings.ts';
import { StartupError } from '../../startup-error.ts';
import { createTurns, inTurn, type Turns } from '../../turns.ts';
import { HighestPositions } from '../highest-positions.ts';
import { openJournalFile } from '../journal-file.ts';
import type {
  ClaimedCursor,
  EventCursor,
  EventFilter,
  EventLog,
  EventLogLimits,
  EventPage,
  EventQuery,
  LoggedEvent,
  TrackedConnection,
} from './event-log.ts';
import { EVENT_JOURNAL_FILE, type EventJournal, type JournaledEvent, readEventJournal } from './journal.ts';
import { ask, dropBefore, type EventDatabase, endSome, listIn, moveJournaled } from './work.ts';

/** How many events may wait in the journal and in memory. One beyond that is lost, and its caller is told. */
const MAX_WAITING = 100_000;
/** How long events wait to be moved, unless there are `DUE` of them before. */
const MOVE_PERIOD_MS = 200;
const DUE = 256;
const MOVED_AT_ONCE = 512;
/** The same after a failure. */
const RETRY_PERIOD_MS = 1_000;
/** When the journal has this many events that no longer wait, it is replaced by one with those that do. */
const MOVED_IN_JOURNAL = 4_000;
const BYTES_OF_EVENT = 500;
const REMOVED_AT_ONCE = 2_000;
/** How long all reads of events together hold the event loop up before everything else has its turn. */
const READ_TURN_MS = 1;
/**
 * How many positions one step of a reader looks at, and how many events it gives. Either takes a few tenths of a
 * millisecond: an event has a few kilobytes at most.
 */
const POSITIONS_OF_STEP = 256;
const EVENTS_OF_STEP = 32;

export interface JournaledLogParts {
  /** The data directory, where the journal is. */
  readonly directory: string;
  /** Names the data directory among those of all nodes, for good. */
  readonly node: string;
  readonly database: EventDatabase;
  readonly limits: EventLogLimits;
  readonly clock: Clock;
  readonly log: Pick<Log, 'warn'>;
  /** Called when the disk of the journal is full; returns whether there is room now. */
  readonly onFull?: () => boolean;
}

/**
 * Opens a journal in `directory` in front of the database, and moves what a killed process has left in it, if the database
 * takes it; otherwise later. Only one process at a time may do so. Throws a `StartupError`.
 */
export async function openJournaledLog(parts: JournaledLogParts): Promise<EventLog> {
  const file = join(parts.directory, EVENT_JOURNAL_FILE);
  const moved = Number((await parts.database.read('findSeq', [parts.node]))?.seq ?? 0);
  let opened: { journal: EventJournal; left: JournaledEvent[] };
  try {
    const { events: left, length, brokenLines } = readEventJournal(file);
    if (brokenLines > 0) parts.log.warn({ file, brokenLines }, 'broken lines of the journal of events were left out');
    opened = { journal: openJournalFile({ file, length, onFull: parts.onFull }), left };
  } catch (error) {
    throw new StartupError(`cannot use the journal of events ${file}: ${describeFileFault(error)}`, { cause: error });
  }
  const log = new JournaledLog({ ...parts, ...opened, moved });
  await log.moveAll().catch(() => {});
  return log;
}

/**
 * An event is appended to the journal and kept in memory, then written to the database, then dropped from memory, and
 * it leaves the journal soon after. The process may be killed at any step, because what was moved is not moved again.
 */
class JournaledLog implements EventLog {
  readonly #parts: JournaledLogParts;
  readonly #journal: EventJournal;
  readonly #warnRarely: WarnRarely;
  /** What is in the journal and not known to be in the database, the oldest first. */
  readonly #waiting: JournaledEvent[];
  readonly #listeners = new Set<() => void>();
  /**
   * The highest positions that readers here have seen, so that no event takes the position of one that the database has
   * lost.
   */
  readonly #highest = new HighestPositions();
  readonly #places: Parameters<typeof moveJournaled>[2];
  readonly #turns: Turns;
  #seq: number;
  /** How many events are in the journal, including those that the database has already. */
  #journaled: number;
  #cancelMoving: (() => void) | undefined;
  #moving: Promise<void> | undefined;
  #isFailing = false;
  #isClosed = false;

  constructor(parts: JournaledLogParts & { journal: EventJournal; left: JournaledEvent[]; moved: number }) {
    this.#parts = parts;
    this.#journal = parts.journal;
    this.#warnRarely = createRareWarnings(parts);
    this.#places = { maxEventsPerGame: parts.limits.maxEventsPerGame, highest: this.#highest };
    this.#turns = createTurns({ clock: parts.clock, turnMs: READ_TURN_MS });
    this.#waiting = parts.left;
    this.#journaled = parts.left.length;
    this.#seq = Math.max(parts.moved, parts.left.at(-1)?.seq ?? 0);
  }

  get waiting(): number {
    return this.#waiting.length;
  }

  append(gameId: string, event: LoggedEvent, connection?: TrackedConnection): boolean {
    if (this.#isClosed || this.#waiting.length >= MAX_WAITING) return false;
    const journaled = { seq: this.#seq + 1, gameId, event, ...(connection && { connection }) };
    try {
      this.#journal.append(journaled);
    } catch (error) {
      this.#warnRarely('journal', { err: error }, 'an event could not be written to the journal');
      return false;
    }
    this.#seq += 1;
    this.#journaled += 1;
    this.#waiting.push(journaled);
    this.#planMove();
    return true;
  }

  #planMove(delayMs = this.#isFailing ? RETRY_PERIOD_MS : MOVE_PERIOD_MS): void {
    this.#cancelMoving ??= this.#parts.clock.after(delayMs, () => this.#moveInBackground());
    if (this.#waiting.length >= DUE && !this.#isFailing && this.#moving === undefined) this.#moveInBackground();
  }

  #moveInBackground(): void {
    this.#cancelMoving?.();
    this.#cancelMoving = undefined;
    // What failed is in the log, and is tried again.
    this.moveAll().catch(() => {});
  }

  /** Rejects when something cannot be moved, which then goes on waiting. */
  moveAll(): Promise<void> {
    this.#moving ??= this.#moveInSteps().finally(() => {
      this.#moving = undefined;
      if (!this.#isClosed && this.#waiting.length > 0) this.#planMove();
    });
    return this.#moving;
  }

  async #moveInSteps(): Promise<void> {
    const { database, node, log } = this.#parts;
    do {
      const batch = this.#waiting.slice(0, MOVED_AT_ONCE);
      try {
        await database.write(batch.length * BYTES_OF_EVENT, () => moveJournaled(node, batch, this.#places));
      } catch (error) {
        if (!this.#isFailing) log.warn({ err: error }, 'events wait in the journal for the database');
        this.#isFailing = true;
        throw error;
      }
      this.#isFailing = false;
      this.#waiting.splice(0, batch.length);
      this.#tidy();
      this.#moved();
    } while (this.#waiting.length >= DUE);
  }

  #moved(): void {
    for (const listener of this.#listeners) listener();
  }

  /** Leaves in the journal only what waits, once enough in it no longer does. */
  #tidy(): void {
    const isEmpty = this.#waiting.length === 0;
    if (this.#journal.isEmpty || (!isEmpty && this.#journaled - this.#waiting.length < MOVED_IN_JOURNAL)) return;
    try {
      this.#journal.clear(this.#waiting);
      this.#journaled = this.#waiting.length;
    } catch (error) {
      // This does no harm, because what was moved is not moved again.
      this.#warnRarely('clear', { err: error }, 'the journal of events cannot be replaced');
    }
  }

  onMoved(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async read(gameId: string, { after, limit, filter }: EventQuery): Promise<EventPage> {
    const upTo = after + POSITIONS_OF_STEP;
    const most = Math.min(limit, EVENTS_OF_STEP);
    const row = await this.#readInTurn(gameId, 'read', [gameId, after, upTo, most, ...textsOf(filter)]);
    if (row === undefined) return { events: [], missed: 0, cursor: 0, isEnd: true };
    const [first, last] = [Number(row.first), Number(row.last)];
    this.#highest.note(gameId, last);
    if (after > last) return { events: [], missed: 0, cursor: last, isEnd: true };
    const events = (listIn(row) as [number, string][])
      .map(([position, body]) => ({ position, event: JSON.parse(body) as LoggedEvent }))
      .sort((a, b) => a.position - b.position);
    // A step that has found as many events as it may has not looked at what follows.
    const isFull = events.length === most;
    const reached = isFull ? (events.at(-1)?.position ?? after) : Math.min(Math.max(upTo, first - 1), last);
    const cursor = Math.max(after, reached);
    return { events, missed: Math.max(0, first - after - 1), cursor, isEnd: cursor >= last };
  }

  /** Readers of one game share a lane, so that those of a busy game do not hold up those of another. */
  #readInTurn(gameId: string, ...asked: Parameters<EventDatabase['read']>): ReturnType<EventDatabase['read']> {
    return inTurn(this.#turns, gameId, () => this.#parts.database.read(...asked));
  }

  async ends(gameId: string): Promise<{ first: number; last: number }> {
    const row = await this.#parts.database.read('ends', [gameId]);
    if (row !== undefined) this.#highest.note(gameId, Number(row.last));
    return { first: Number(row?.first ?? 1), last: Number(row?.last ?? 0) };
  }

  async positionBefore(gameId: string, at: number): Promise<number> {
    const row = await this.#readInTurn(gameId, 'findAt', [gameId, at]);
    const found = row?.position;
    return typeof found === 'number' ? found - 1 : (await this.ends(gameId)).last;
  }

  async removeBefore(at: number): Promise<void> {
    for (const [gameId, first] of await this.#logs()) {
      const until = (await this.positionBefore(gameId, at)) + 1;
      await this.#drop(gameId, first, until);
    }
  }

  async #logs(): Promise<[id: string, first: number, last: number][]> {
    return listIn(await this.#parts.database.read('logs', [])) as [string, number, number][];
  }

  async games(): Promise<readonly string[]> {
    return (await this.#logs()).map(([gameId]) => gameId);
  }

  async #drop(gameId: string, first: number, until: number): Promise<void> {
    for (let from = first; from < until && !this.#isClosed; ) {
      from = Math.min(from + REMOVED_AT_ONCE, until);
      const position = from;
      await this.#parts.database.write(0, () => dropBefore(gameId, position));
    }
  }

  /**
   * Moves what was appended up to `seq`. Otherwise the latest events of a removed game, such as the ends of its
   * connections, would be written after the removal and stay.
   */
  async #moveUpTo(seq: number): Promise<void> {
    try {
      while ((this.#waiting[0]?.seq ?? Number.POSITIVE_INFINITY) <= seq) await this.moveAll();
    } catch {
      // The log says why, and what cannot be moved must not keep the game from being removed.
    }
  }

  async removeGame(gameId: string): Promise<void> {
    const { database } = this.#parts;
    await this.#moveUpTo(this.#seq);
    const { first, last } = await this.ends(gameId);
    await this.#drop(gameId, first, last + 1);
    await database.write(0, function* () {
      // Connections are locked before the log, as they are where they are ended.
      for (const name of ['removeConnectionsOf', 'removeLog', 'removeCursorsOf', 'removeWatch'] as const) {
        yield { name, values: [gameId] };
      }
    });
    this.#highest.forget(gameId);
  }

  async claim({
    receiver,
    gameId,
    owner,
    from = owner,
  }: {
    receiver: string;
    gameId: string;
    owner: string;
    from?: string | undefined;
  }): Promise<EventCursor | undefined> {
    const row = await this.#change('claim', receiver, gameId, owner, from);
    if (row === undefined) return undefined;
    const failingSince = row.failingSince === null ? undefined : Number(row.failingSince);
    return { position: Number(row.position), failingSince };
  }

  async save(receiver: string, owner: string, { position, failingSince = null }: CursorToSave): Promise<boolean> {
    return (await this.#change('save', receiver, owner, position, failingSince)) !== undefined;
  }

  async release(receiver: string, owner: string): Promise<void> {
    await this.#change('release', receiver, owner);
  }

  async rewind(receiver: string, gameId: string, position: number): Promise<void> {
    await this.#change('rewind', receiver, gameId, position);
  }

  async removeCursor(receiver: string): Promise<void> {
    await this.#change('removeCursor', receiver);
  }

  #change(name: Parameters<EventDatabase['read']>[0], ...values: (string | number | null)[]) {
    return this.#parts.database.write(0, () => ask(name, ...values));
  }

  async cursors(): Promise<readonly ClaimedCursor[]> {
    const rows = listIn(await this.#parts.database.read('cursors', [])) as [string, string | null][];
    return rows.map(([receiver, owner]) => ({ receiver, owner: owner ?? undefined }));
  }

  async watch({ id, name }: { id: string; name: string }, until: number): Promise<void> {
    await this.#change('watch', id, name, until);
  }

  async watched(at: number): Promise<readonly { id: string; name: string }[]> {
    const rows = listIn(await this.#parts.database.read('watched', [at])) as [string, string][];
    return rows.map(([id, name]) => ({ id, name }));
  }

  async owners(): Promise<readonly string[]> {
    return listIn(await this.#parts.database.read('owners', [])).map(String);
  }

  async endConnections(owner: string, toEnd: (opened: LoggedEvent) => LoggedEvent): Promise<number> {
    const { database } = this.#parts;
    let ended = 0;
    for (let found = 1; found > 0 && !this.#isClosed; ended += found) {
      found = await database.write(0, () => endSome(owner, toEnd, this.#places));
    }
    if (ended > 0) this.#moved();
    return ended;
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#cancelMoving?.();
    try {
      await this.#moving?.catch(() => {});
      while (this.#waiting.length > 0) await this.#moveInSteps();
    } catch {
      // The journal keeps the events for the next start.
    } finally {
      this.#journal.close();
    }
    await this.#parts.database.close();
  }
}

interface CursorToSave {
  readonly position: number;
  readonly failingSince?: number | null | undefined;
}

/** The parameters by which the statement `read` filters; an empty text lets all events through. */
function textsOf({ stages, types, playerId }: EventFilter = { stages: [], types: [] }): string[] {
  const list = (items: readonly string[]) => (items.length === 0 ? '' : JSON.stringify(items));
  return [playerId === undefined ? '' : `"player":${JSON.stringify(playerId)}`, list(types), list(stages)];
}

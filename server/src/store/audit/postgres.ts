import { join } from 'node:path';
import { type Clock, systemClock } from '../../clock.ts';
import { isFull } from '../../file-fault.ts';
import type { Log } from '../../log.ts';
import type { MaybePromise } from '../../maybe-promise.ts';
import { createRareWarnings, type WarnRarely } from '../../rare-warnings.ts';
import type { Sessions } from '../postgres/sessions.ts';
import type {
  AuditIntent,
  AuditLog,
  AuditOutcome,
  AuditPage,
  AuditPosition,
  AuditQuery,
  AuditReader,
  AuditRecord,
  AuditWriter,
  ChainReader,
} from './audit-log.ts';
import {
  type AuditJournal,
  type Journaled,
  type OpenRecord,
  openRecord,
  readAuditJournal,
  toOutcome,
} from './journal.ts';
import { AUDIT_JOURNAL_FILE, openJournal } from './open-journal.ts';
import { firstOf, pageOf } from './pages.ts';
import { type AuditTable, openAuditTable } from './postgres-table.ts';

/** How many records the journal, and memory, may hold. Beyond that `begin` rejects, and its call is refused. */
const MAX_WAITING = 10_000;
const MOVE_PERIOD_MS = 1_000;
/** How many waiting records are moved before their second is over. */
const DUE = 256;
const MOVED_AT_ONCE = 1_000;
/** When the journal has so many records more than wait, those that wait get another journal. */
const MOVED_IN_JOURNAL = 4_000;
/** The most calls whose outcome may come after their record was moved. */
const MAX_UNFINISHED = 100_000;
/** The writer of the chain that all commands share. */
const COMMANDS = 'commands';
/**
 * The size of the log is looked at after so many records of this node at least. They may take a share of the room that is
 * left, because other nodes write too, or a hundredth of the limit when there is none.
 */
const LEAST_UNTIL_SHRINK = 1_000;
const SHARES_OF_ROOM = 4;

interface Parts {
  /** The data directory, where the journal is. */
  readonly directory: string;
  /** Names the data directory among those of all nodes, for good. */
  readonly node: string;
  /** The id of the installation, which a new chain begins with. */
  readonly installation?: string;
  readonly sessions: Sessions;
  readonly clock: Clock;
  readonly log: Log;
  /** Called when the disk of the journal is full; returns whether there is room now. */
  readonly onFull?: () => boolean;
  /** How large the log may grow before it loses its oldest records. */
  readonly maxBytes?: number;
}

/**
 * Opens a journal in `directory` in front of the table of all nodes. Only one process at a time may do so; others use
 * `openPostgresAuditBeside`. What a killed process has left in the journal is moved to the table soon.
 */
export async function openPostgresAuditLog(parts: Parts): Promise<AuditLog> {
  const { directory, node, installation = '', sessions, clock, log } = parts;
  const { onFull = () => false, maxBytes = Number.POSITIVE_INFINITY } = parts;
  const table = openAuditTable({ sessions, node, writer: node, installation, now: () => clock.now() });
  const movedTo = (await table.newestAt()) ?? Number.NEGATIVE_INFINITY;
  const { journal, journaled } = openJournal({ directory, log, onFull });
  return new PostgresAuditLog({ table, journal, journaled, movedTo, clock, log, onFull, maxBytes });
}

/**
 * For a process beside the server of this data directory, or on another machine. It writes straight to the table, and
 * reads what this directory's journal has as well; other nodes' last second is not to be seen from here.
 */
export function openPostgresAuditBeside({
  directory,
  node,
  installation = '',
  sessions,
}: Pick<Parts, 'directory' | 'node' | 'installation' | 'sessions'>): AuditReader & AuditWriter {
  const now = () => systemClock.now();
  const table = openAuditTable({ sessions, node, writer: COMMANDS, installation, now });
  const file = join(directory, AUDIT_JOURNAL_FILE);
  return {
    chain: table.chain,
    async find(query) {
      // The journal is read first: what has left it by then is in the table.
      const { journaled } = readAuditJournal(file);
      return pageOf(query, journaled, await table.find(query));
    },
    async begin(intent) {
      if (await table.has(intent)) throw new Error(`there is already an audit record ${intent.requestId}`);
      await table.write([openRecord(intent)], []);
    },
    async finish({ requestId, at }, outcome) {
      if (!(await table.has({ requestId, at }))) throw new Error(`there is no audit record ${requestId} to finish`);
      await table.write([], [{ requestId, at, outcome: toOutcome(outcome) }]);
    },
    async close() {},
  };
}

/**
 * The way of a record: it is appended to the journal and kept in memory, then written to the table, then dropped from
 * memory, and it leaves the journal soon after. A kill may come at any step, because moving a record again changes
 * nothing: its key has this node's name.
 */
class PostgresAuditLog implements AuditLog {
  readonly chain: ChainReader;
  readonly #parts: Required<Omit<Parts, 'directory' | 'node' | 'installation' | 'sessions'>> & {
    readonly table: AuditTable;
    readonly journal: AuditJournal;
  };
  readonly #warnRarely: WarnRarely;
  /** What is in the journal and not known to be in the table. */
  readonly #waiting: Journaled;
  /** Records that were moved and still lack their outcome. */
  readonly #unfinished = new Set<string>();
  /** No record of this process that is in the table is of a later time. */
  #movedTo: number;
  /** How many intents are in the journal, including those that the table has already. */
  #journaled: number;
  #cancelMoving: (() => void) | undefined;
  #moving: Promise<void> | undefined;
  #shrinking: Promise<void> = Promise.resolve();
  /** How many records are to be moved before the size of the log is looked at. */
  #untilShrink = LEAST_UNTIL_SHRINK;
  /** Whether the last move failed. While it is true, only the clock or a probe tries again. */
  #isFailing = false;
  #isClosed = false;

  constructor({
    journaled,
    movedTo,
    ...parts
  }: Required<Omit<Parts, 'directory' | 'node' | 'installation' | 'sessions'>> & {
    table: AuditTable;
    journal: AuditJournal;
    journaled: Journaled;
    movedTo: number;
  }) {
    this.chain = parts.table.chain;
    this.#parts = parts;
    this.#warnRarely = createRareWarnings(parts);
    this.#waiting = journaled;
    this.#journaled = journaled.records.size;
    this.#movedTo = movedTo;
    if (!parts.journal.isEmpty) this.#planMove();
  }

  begin(intent: AuditIntent): MaybePromise<void> {
    this.#assertOpen();
    const record = openRecord(intent);
    // The time comes first: to ask the table costs more than all the rest.
    if (record.at > this.#movedTo) return this.#append(record);
    return this.#parts.table.has(record).then((isThere) => {
      if (isThere) throw alreadyThere(record);
      this.#append(record);
    });
  }

  #append(record: OpenRecord): void {
    const { records } = this.#waiting;
    if (records.has(record.requestId)) throw alreadyThere(record);
    if (records.size >= MAX_WAITING) throw new Error(`${MAX_WAITING} audit records are already waiting`);
    this.#parts.journal.append(record);
    this.#journaled += 1;
    records.set(record.requestId, record);
    this.#planMove();
  }

  finish({ requestId, at }: AuditPosition, outcome: AuditOutcome): void {
    this.#assertOpen();
    const { records, lateOutcomes } = this.#waiting;
    const record = records.get(requestId);
    if (record === undefined && !this.#unfinished.has(requestId)) {
      throw new Error(`there is no audit record ${requestId} to complete`);
    }
    const late = { requestId, at, outcome };
    this.#parts.journal.append(late);
    this.#unfinished.delete(requestId);
    if (record === undefined) lateOutcomes.set(requestId, late);
    else record.outcome = outcome;
    this.#planMove();
  }

  async find(query: AuditQuery): Promise<AuditPage> {
    // Taken before the table is asked: what is moved meanwhile is then in both.
    const { records, lateOutcomes } = this.#waiting;
    const waiting = { records: new Map(records), lateOutcomes: new Map(lateOutcomes) };
    return pageOf(query, waiting, await this.#parts.table.find(query));
  }

  async removeBefore(at: number): Promise<void> {
    await this.#moveAll();
    while (!this.#isClosed && (await this.#parts.table.removeSomeBefore(at)));
    await this.#shrink();
  }

  /** Makes the log smaller if it is too large, after an attempt that is under way. */
  #shrink(): Promise<void> {
    this.#shrinking = this.#shrinking.catch(() => {}).then(() => this.#shrinkNow());
    return this.#shrinking;
  }

  /** Decides as well after how many more records the size is looked at again. */
  async #shrinkNow(): Promise<void> {
    const { table, clock, maxBytes } = this.#parts;
    if (this.#isClosed || maxBytes === Number.POSITIVE_INFINITY) return;
    this.#untilShrink = LEAST_UNTIL_SHRINK;
    const size = await table.shrink({ maxBytes, now: clock.now() });
    if (size === undefined) return;
    const { bytes, bytesOfRecord } = size;
    const room = Math.max(maxBytes / 100, (maxBytes - bytes) / SHARES_OF_ROOM);
    this.#untilShrink = Math.max(LEAST_UNTIL_SHRINK, Math.floor(room / bytesOfRecord));
    if (bytes <= maxBytes) return;
    const message = 'the audit log is larger than it may be, but all of it is of the last day';
    this.#warnRarely('size', { bytes, maxBytes }, message);
  }

  async settle(): Promise<void> {
    this.#assertOpen();
    const { records, lateOutcomes } = this.#waiting;
    // A move that is under way may have begun before the newest of them came.
    await this.#moving;
    if (records.size + lateOutcomes.size > 0) await this.#moveAll();
  }

  async probe(): Promise<void> {
    this.#assertOpen();
    if (this.#waiting.records.size >= MAX_WAITING) await this.#moveAll();
    this.#parts.journal.probe();
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#cancelMoving?.();
    try {
      await this.#moving?.catch(() => {});
      await this.#moveInSteps();
    } catch {
      // The journal keeps the records for the next start.
    } finally {
      this.#parts.journal.close();
    }
  }

  #assertOpen(): void {
    if (this.#isClosed) throw new Error('the audit log is closed');
  }

  #planMove(): void {
    this.#cancelMoving ??= this.#parts.clock.after(MOVE_PERIOD_MS, () => this.#moveInBackground());
    const isDue = this.#waiting.records.size >= DUE && !this.#isFailing;
    if (isDue && this.#moving === undefined) this.#moveInBackground();
  }

  #moveInBackground(): void {
    this.#cancelMoving?.();
    this.#cancelMoving = undefined;
    const planNext = () => {
      if (!this.#isClosed) this.#planMove();
    };
    this.#moveAll().then(() => {
      const { records, lateOutcomes } = this.#waiting;
      // What came during the move has no timer if that passed during the move as well.
      if (records.size > 0 || lateOutcomes.size > 0) planNext();
      this.#shrinkWhenDue();
    }, planNext);
  }

  /** To count the records of all nodes takes long, so it is done when this one has written enough to make a difference. */
  #shrinkWhenDue(): void {
    if (this.#untilShrink > 0) return;
    this.#untilShrink = LEAST_UNTIL_SHRINK;
    this.#shrink().catch((error: unknown) => {
      if (this.#isClosed) return;
      this.#warnRarely('removal', { err: error }, 'audit records that are too many could not be removed');
    });
  }

  /** Rejects when something cannot be moved, which then goes on waiting. */
  #moveAll(): Promise<void> {
    this.#moving ??= this.#moveInSteps().finally(() => {
      this.#moving = undefined;
      const { records, lateOutcomes } = this.#waiting;
      // What came meanwhile may have had its second already, and found this move under way.
      if (!this.#isClosed && records.size + lateOutcomes.size > 0) this.#planMove();
    });
    return this.#moving;
  }

  /** Moves what waits; a little that comes meanwhile has a second of its own. */
  async #moveInSteps(): Promise<void> {
    const { records, lateOutcomes } = this.#waiting;
    do {
      for (let left = records.size + lateOutcomes.size; left > 0; ) left -= await this.#moveSome();
      this.#tidy();
    } while (records.size >= DUE);
  }

  /** Resolves with how many records and outcomes were moved. */
  async #moveSome(): Promise<number> {
    const { table, log } = this.#parts;
    const { records, lateOutcomes } = this.#waiting;
    const batch: readonly AuditRecord[] = firstOf(records.values(), MOVED_AT_ONCE).map((record) => ({ ...record }));
    const lateBatch = firstOf(lateOutcomes.values(), MOVED_AT_ONCE);
    try {
      await table.write(batch, lateBatch);
    } catch (error) {
      if (!this.#isFailing) log.warn({ err: error }, 'audit records wait in the journal for the database');
      this.#isFailing = true;
      throw error;
    }
    this.#isFailing = false;
    for (const moved of batch) this.#moved(moved);
    this.#untilShrink -= batch.length;
    for (const { requestId } of lateBatch) lateOutcomes.delete(requestId);
    return batch.length + lateBatch.length;
  }

  #moved({ requestId, at, outcome: written }: AuditRecord): void {
    const { records, lateOutcomes } = this.#waiting;
    const outcome = records.get(requestId)?.outcome;
    records.delete(requestId);
    this.#movedTo = Math.max(this.#movedTo, at);
    if (outcome === undefined) {
      if (this.#unfinished.size < MAX_UNFINISHED) this.#unfinished.add(requestId);
    } else if (written === undefined) {
      // It came while the record was being written without it.
      lateOutcomes.set(requestId, { requestId, at, outcome });
    }
  }

  /** Leaves in the journal only what waits, as soon as that is little beside the rest. */
  #tidy(): void {
    const { journal, onFull, log } = this.#parts;
    const { records, lateOutcomes } = this.#waiting;
    const isEmpty = records.size === 0 && lateOutcomes.size === 0;
    if (journal.isEmpty || (!isEmpty && this.#journaled - records.size < MOVED_IN_JOURNAL)) return;
    try {
      journal.clear([...records.values(), ...lateOutcomes.values()]);
      this.#journaled = records.size;
    } catch (error) {
      // What is in it twice changes nothing.
      if (isFull(error)) onFull();
      log.warn({ err: error }, 'the journal of audit records cannot be replaced');
    }
  }
}

function alreadyThere({ requestId }: AuditPosition): Error {
  return new Error(`there is already an audit record ${requestId}`);
}

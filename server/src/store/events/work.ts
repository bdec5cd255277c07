import type { HighestPositions } from '../highest-positions.ts';
import type { LoggedEvent } from './event-log.ts';
import type { JournaledEvent } from './journal.ts';
import type { EventStatement } from './statements.ts';

type Value = string | number | null;

/** A statement to run. Its `yield` returns its only row, or undefined. */
interface Asked {
  readonly name: EventStatement;
  readonly values: readonly Value[];
}

type Row = Readonly<Record<string, unknown>> | undefined;

/** The work of a transaction, in the same code for both databases. It does nothing but run statements. */
export type EventWork<T> = Generator<Asked, T, Row>;

/** Where the statements run. */
export interface EventDatabase {
  /** Resolves when what the work wrote is committed. The work may run again after a conflict of transactions. */
  write<T>(bytes: number, work: () => EventWork<T>): Promise<T>;
  read(name: EventStatement, values: readonly Value[]): Promise<Row>;
  close(): Promise<void>;
}

/** How many rows one statement handles: nothing else runs in the process while SQLite works. */
const ROWS_AT_ONCE = 64;
/** How many events one transaction may drop beyond as many as it adds. */
const DROPPED_AT_ONCE = 2_000;

export function* ask(name: EventStatement, ...values: Value[]): EventWork<Row> {
  return yield { name, values };
}

export function listIn(row: Row): readonly unknown[] {
  return row === undefined ? [] : JSON.parse(String(row.json));
}

/** What decides on the positions of events. */
interface Places {
  readonly maxEventsPerGame: number;
  readonly highest: Pick<HighestPositions, 'of'>;
}

interface Kept {
  readonly gameId: string;
  readonly event: LoggedEvent;
}

/**
 * Moves what a journal has and was not moved before. The row of the journal's node says how far that is, so the process
 * may be killed between this and the clearing of the journal.
 */
export function* moveJournaled(node: string, batch: readonly JournaledEvent[], places: Places): EventWork<void> {
  // This waits for a commit of this node that may still be under way, because its answer was lost or its process was
  // killed.
  const moved = Number((yield* ask('lockSeq', node))?.seq ?? 0);
  const fresh = batch.filter(({ seq }) => seq > moved);
  const last = fresh.at(-1);
  if (last === undefined) return;
  yield* openConnections(fresh);
  const ending = fresh.flatMap(({ connection }) => (connection?.change === 'ended' ? [connection.id] : []));
  const ended = yield* takeConnections(ending);
  yield* place(
    // A connection ends once, also where one batch has two ends of it.
    fresh.filter(({ connection }) => connection?.change !== 'ended' || ended.delete(connection.id)),
    places,
  );
  yield* ask('setSeq', node, last.seq);
}

function* openConnections(events: readonly JournaledEvent[]): EventWork<void> {
  const rows = events.flatMap(({ gameId, event, connection }) =>
    connection?.change === 'opened' ? [[connection.id, connection.owner, gameId, JSON.stringify(event)]] : [],
  );
  for (const some of chunksOf(rows)) yield* ask('addConnections', JSON.stringify(some));
}

/** Ends these connections, and gives those that had not ended before. */
function* takeConnections(ids: readonly string[]): EventWork<Set<string>> {
  const taken = new Set<string>();
  for (const some of chunksOf(ids)) {
    for (const id of listIn(yield* ask('takeConnections', JSON.stringify(some)))) taken.add(String(id));
    yield* ask('forgetConnections', JSON.stringify(some));
  }
  return taken;
}

/** Gives events their positions. Every node locks games in the same order. */
function* place(events: readonly Kept[], { maxEventsPerGame, highest }: Places): EventWork<void> {
  const byGame = new Map<string, LoggedEvent[]>();
  for (const { gameId, event } of events) {
    const known = byGame.get(gameId);
    if (known === undefined) byGame.set(gameId, [event]);
    else known.push(event);
  }
  for (const gameId of [...byGame.keys()].sort()) {
    const placed = byGame.get(gameId) ?? [];
    const row = yield* ask('allocate', gameId, placed.length, highest.of(gameId));
    const [first, last] = [Number(row?.first), Number(row?.last)];
    const rows = placed.map((event, index) => [
      gameId,
      last - placed.length + 1 + index,
      event.at,
      JSON.stringify(event),
    ]);
    for (const some of chunksOf(rows)) yield* ask('insert', JSON.stringify(some));
    const least = Math.min(last - maxEventsPerGame + 1, first + placed.length + DROPPED_AT_ONCE);
    if (least > first) yield* dropBefore(gameId, least);
  }
}

export function* dropBefore(gameId: string, position: number): EventWork<void> {
  // Locks the log first, as an append does: otherwise two nodes that drop the same events would wait for each other.
  yield* ask('setFirst', gameId, position);
  yield* ask('removeUntil', gameId, position);
}

/** Ends some connections of an owner. Returns how many it has found. */
export function* endSome(
  owner: string,
  toEnd: (opened: LoggedEvent) => LoggedEvent,
  places: Places,
): EventWork<number> {
  const found = listIn(yield* ask('findConnections', owner, ROWS_AT_ONCE)) as [string, string, string][];
  const taken = yield* takeConnections(found.map(([id]) => id));
  const events = found
    .filter(([id]) => taken.has(id))
    .map(([, gameId, body]) => ({ gameId, event: toEnd(JSON.parse(body) as LoggedEvent) }));
  yield* place(events, places);
  return found.length;
}

function chunksOf<Item>(items: readonly Item[]): Item[][] {
  return Array.from({ length: Math.ceil(items.length / ROWS_AT_ONCE) }, (_, index) =>
    items.slice(index * ROWS_AT_ONCE, (index + 1) * ROWS_AT_ONCE),
  );
}

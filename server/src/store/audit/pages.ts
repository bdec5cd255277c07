import type { AuditOrder, AuditPage, AuditPosition, AuditQuery, AuditRecord } from './audit-log.ts';
import type { Journaled } from './journal.ts';

/** What a database knows of a query: at most one record more than the limit, in the order asked for. */
export interface StoredRecords {
  readonly records: readonly AuditRecord[];
  /** The last place that was looked at; undefined when everything was. */
  readonly lookedTo: AuditPosition | undefined;
}

/** The page of records that wait and records in the database. When a record is in both, the one with the outcome counts. */
export function pageOf(query: AuditQuery, { records, lateOutcomes }: Journaled, stored: StoredRecords): AuditPage {
  const { order, after, limit } = query;
  const compare = comparisons[order];
  // A record that waits beyond the last place looked at comes with a later page, in its place among the others.
  const isLookedAt = (record: AuditRecord) => stored.lookedTo === undefined || compare(record, stored.lookedTo) <= 0;
  const found = new Map(stored.records.map((record) => [placeOf(record), record]));
  for (const record of records.values()) {
    const isOnPage =
      matches(record, query) && (after === undefined || compare(record, after) > 0) && isLookedAt(record);
    if (isOnPage && found.get(placeOf(record))?.outcome === undefined) found.set(placeOf(record), { ...record });
  }
  for (const { outcome, ...position } of lateOutcomes.values()) {
    const record = found.get(placeOf(position));
    if (record !== undefined) found.set(placeOf(position), { ...record, outcome });
  }
  const inOrder = [...found.values()].sort(compare);
  const page = inOrder.slice(0, limit);
  const last = page.at(-1);
  const isCut = inOrder.length > limit;
  return { records: page, next: isCut ? last && { at: last.at, requestId: last.requestId } : stored.lookedTo };
}

function placeOf({ at, requestId }: AuditPosition): string {
  return `${at} ${requestId}`;
}

function matches(record: AuditRecord, { playerId, operation, actor, since = 0, until }: AuditQuery): boolean {
  return (
    record.at >= since &&
    (until === undefined || record.at < until) &&
    (playerId === undefined || record.playerId === playerId) &&
    (operation === undefined || record.operation === operation) &&
    (actor === undefined || record.actor === actor)
  );
}

function byTime(a: AuditPosition, b: AuditPosition): number {
  if (a.at !== b.at) return a.at - b.at;
  if (a.requestId === b.requestId) return 0;
  return a.requestId < b.requestId ? -1 : 1;
}

const comparisons = {
  oldest_first: byTime,
  newest_first: (a, b) => byTime(b, a),
} satisfies Record<AuditOrder, (a: AuditPosition, b: AuditPosition) => number>;

export function firstOf<T>(values: Iterable<T>, count: number): T[] {
  const first: T[] = [];
  for (const value of values) {
    if (first.length === count) break;
    first.push(value);
  }
  return first;
}

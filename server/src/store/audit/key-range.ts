import type { AuditPosition, AuditQuery } from './audit-log.ts';

/**
 * A range of the primary key (`at`, `request_id`) in the order of a query, as SQL. It has one lower and one upper bound only: for an
 * `OR`, or a second bound, SQLite would read everything before or behind the range, page by page.
 */
export interface KeyRange {
  readonly orderBy: string;
  /** The condition, in which the sign and a number from 1 to 4 stand for the values. */
  where(sign: '?' | '$'): string;
  readonly values: readonly [number, string, number, string];
  /** The part of the range up to this place, which is in it. */
  upTo(last: AuditPosition): KeyRange;
}

interface Bound extends AuditPosition {
  readonly than: '<' | '<=' | '>' | '>=';
}

/** The range in which the records of a page are. */
export function rangeOf({
  order,
  after,
  since = 0,
  until = Number.MAX_SAFE_INTEGER,
}: Pick<AuditQuery, 'order' | 'after' | 'since' | 'until'>): KeyRange {
  const isAscending = order === 'oldest_first';
  // No request id sorts before the empty one.
  const lower: Bound = { than: '>=', at: since, requestId: '' };
  const upper: Bound = { than: '<', at: until, requestId: '' };
  if (after === undefined) return between(isAscending, lower, upper);
  return isAscending ? between(true, { than: '>', ...after }, upper) : between(false, lower, { than: '<', ...after });
}

function between(isAscending: boolean, lower: Bound, upper: Bound): KeyRange {
  return {
    orderBy: isAscending ? 'ORDER BY at, request_id' : 'ORDER BY at DESC, request_id DESC',
    where: (s) => `(at, request_id) ${lower.than} (${s}1, ${s}2) AND (at, request_id) ${upper.than} (${s}3, ${s}4)`,
    values: [lower.at, lower.requestId, upper.at, upper.requestId],
    upTo: (last) =>
      isAscending ? between(true, lower, { than: '<=', ...last }) : between(false, { than: '>=', ...last }, upper),
  };
}

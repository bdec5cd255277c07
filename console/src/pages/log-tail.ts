import type { Outputs } from '../api/operations.ts';

type Line = Pick<NonNullable<Outputs['ListStageLogLines']['LogLines']>[number], 'Position'>;

/** How many lines are kept to look back at. */
const KEPT_LINES = 200;

/** The newest lines with earlier ones below them, and how many in between were never shown. */
export interface LogTail<L extends Line> {
  readonly lines: readonly L[];
  readonly missed: number;
}

/**
 * What is shown after another look, which brings the newest lines, the newest first. If more have come than one look
 * brings, the others are counted instead of shown: no person reads a thousand lines a second, and no page should try to
 * draw them. A log that ends before what is shown has begun anew, with its stage or after a loss of power.
 */
export function continuedTail<L extends Line>(shown: LogTail<L>, newest: readonly L[]): LogTail<L> {
  const end = newest[0]?.Position;
  const isAnew = end !== undefined && end < (shown.lines[0]?.Position ?? 0);
  const before: LogTail<L> = isAnew ? { lines: [], missed: 0 } : shown;
  const last = before.lines[0]?.Position ?? -1;
  const fresh = newest.filter(({ Position = 0 }) => Position > last);
  const oldest = fresh.at(-1)?.Position ?? 0;
  const gap = before.lines.length > 0 && fresh.length === newest.length ? Math.max(0, oldest - last - 1) : 0;
  return { lines: [...fresh, ...before.lines].slice(0, KEPT_LINES), missed: before.missed + gap };
}

import { ServiceError } from '../../errors.ts';
import type { NewLogLine, StageLogsLimits } from './stage-logs.ts';

/** What no database keeps in a text. */
const CANNOT_BE_KEPT = /[\0\p{Surrogate}]/gu;

/** A line with nothing in it that cannot be kept. */
export interface KeptLine {
  readonly line: NewLogLine;
  /** The size of the text and the facts, as UTF-8. */
  readonly bytes: number;
}

/** Throws a `ServiceError('quota_exceeded')` for a line that is longer than all that a stage may have. */
export function toKept(line: NewLogLine, { maxBytesPerStage }: StageLogsLimits): KeptLine {
  const { at, level, playerId, handler, requestId } = line;
  const keep = (text: string | undefined) => text?.replace(CANNOT_BE_KEPT, '\ufffd');
  const facts = { playerId: keep(playerId), handler: keep(handler), requestId: keep(requestId) };
  const kept = { at, level, ...facts, text: line.text.replace(CANNOT_BE_KEPT, '\ufffd') };
  const texts = [kept.text, ...Object.values(facts)];
  const bytes = texts.reduce((sum, text = '') => sum + Buffer.byteLength(text), 0);
  if (bytes <= maxBytesPerStage) return { line: kept, bytes };
  const message = `a line of the log has ${bytes} bytes, and a stage may have ${maxBytesPerStage}: log less at once`;
  throw new ServiceError('quota_exceeded', message);
}

import { writePrivateFile } from '../../data-directory/private-file.ts';
import { type JournalFile, readJournalFile } from '../journal-file.ts';
import type { AuditIntent, AuditOutcome, AuditPosition } from './audit-log.ts';

/** A record whose outcome may still come. */
export type OpenRecord = AuditIntent & { outcome: AuditOutcome | undefined };

export function openRecord(intent: AuditIntent): OpenRecord {
  const { requestId, at, cause, actor, sourceAddress, operation, resource, playerId, details } = intent;
  const about = { requestId, at, cause, actor, sourceAddress, operation, resource, playerId, outcome: undefined };
  return details === undefined ? about : { ...about, details };
}

/** The outcome of an intent that has left the journal. */
export type LateOutcome = AuditPosition & { readonly outcome: AuditOutcome };

/** Leaves out the status of the reply, which older records have beside the error's name and which follows from it. */
export function toOutcome({ error, durationMs, successes, failures, connections, counts }: AuditOutcome): AuditOutcome {
  const lists = { ...(successes && { successes }), ...(failures && { failures }), ...(connections && { connections }) };
  return { error, durationMs, ...lists, ...(counts && { counts }) };
}

/** What is in a journal, by request id. */
export interface Journaled {
  readonly records: Map<string, OpenRecord>;
  readonly lateOutcomes: Map<string, LateOutcome>;
}

/** An entry is an intent, with its outcome if that is there already, or the outcome of an intent that has left. */
export type AuditJournal = JournalFile<OpenRecord | LateOutcome>;

/**
 * Reads what is in the journal now, also while another process writes to it. `length` is the length of all whole lines in
 * bytes, and `brokenLines` is how many of them are neither an intent nor an outcome.
 */
export function readAuditJournal(file: string): { journaled: Journaled; length: number; brokenLines: number } {
  const { lines, length } = readJournalFile(file);
  const journaled: Journaled = { records: new Map(), lateOutcomes: new Map() };
  let brokenLines = 0;
  for (const line of lines) if (!take(line, journaled)) brokenLines += 1;
  return { journaled, length, brokenLines };
}

/** Copies the whole lines of a journal, which another process may be writing, into a new private file. */
export function copyAuditJournal({ from, to }: { from: string; to: string }): void {
  const { lines } = readJournalFile(from);
  writePrivateFile(to, lines.map((line) => `${line}\n`).join(''));
}

/** Takes what a line says; false when it is neither an intent nor an outcome. */
function take(line: string, { records, lateOutcomes }: Journaled): boolean {
  const entry = parse(line);
  if (isIntent(entry)) {
    records.set(entry.requestId, openRecord(entry));
    return true;
  }
  if (!isOutcome(entry)) return false;
  const record = records.get(entry.requestId);
  const outcome = toOutcome(entry.outcome);
  if (record === undefined) lateOutcomes.set(entry.requestId, { ...entry, outcome });
  else record.outcome = outcome;
  return true;
}

type Unchecked = { readonly [Key in keyof OpenRecord | 'accessKeyId']?: unknown };

/** A killed server of an older version may have left lines, which name an access key where there is an actor now. */
function parse(line: string): Unchecked {
  try {
    const entry: Unchecked = Object(JSON.parse(line));
    return entry.accessKeyId === undefined ? entry : { cause: 'operator', actor: entry.accessKeyId, ...entry };
  } catch {
    return {};
  }
}

function isIntent(entry: Unchecked): entry is AuditIntent {
  const { playerId, cause, actor, sourceAddress, operation, resource, details = {} } = entry;
  if (typeof details !== 'object' || details === null) return false;
  const texts = [cause, actor, sourceAddress, operation, resource, playerId ?? '', ...Object.values(details)];
  return isNamed(entry) && texts.every((text) => typeof text === 'string');
}

function isOutcome(entry: Unchecked): entry is LateOutcome {
  return isNamed(entry) && typeof entry.outcome === 'object' && entry.outcome !== null;
}

function isNamed({ requestId, at }: Unchecked): boolean {
  return typeof requestId === 'string' && Number.isSafeInteger(at);
}

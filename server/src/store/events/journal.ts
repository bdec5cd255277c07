import { type JournalFile, readJournalFile } from '../journal-file.ts';
import type { LoggedEvent, TrackedConnection } from './event-log.ts';

/** The file in the data directory. */
export const EVENT_JOURNAL_FILE = 'events.journal';

/** An event on its way to the database. */
export interface JournaledEvent {
  /** One more than that of the event before it in this data directory. */
  readonly seq: number;
  readonly gameId: string;
  readonly event: LoggedEvent;
  readonly connection?: TrackedConnection | undefined;
}

export type EventJournal = JournalFile<JournaledEvent>;

/**
 * Reads what a killed process has left. `length` is the length of all whole lines in bytes, and `brokenLines` is how
 * many of them are not events.
 */
export function readEventJournal(file: string): { events: JournaledEvent[]; length: number; brokenLines: number } {
  const { lines, length } = readJournalFile(file);
  const events = lines.flatMap((line) => parse(line) ?? []);
  return { events, length, brokenLines: lines.length - events.length };
}

function parse(line: string): JournaledEvent | undefined {
  try {
    const entry: Partial<JournaledEvent> = Object(JSON.parse(line));
    const { seq, gameId, event } = entry;
    const isWhole = Number.isSafeInteger(seq) && typeof gameId === 'string' && typeof event?.id === 'string';
    return isWhole ? (entry as JournaledEvent) : undefined;
  } catch {
    return undefined;
  }
}

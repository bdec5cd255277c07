import { closeSync, openSync, renameSync, rmSync, truncateSync, writeSync } from 'node:fs';
import { createPrivateFile, openNewFile, readIfPresent } from '../../data-directory/private-file.ts';
import { isFull } from '../../file-fault.ts';
import type { LoggedEvent, TrackedConnection } from './event-log.ts';

/** The file in the data directory. */
export const EVENT_JOURNAL_FILE = 'events.journal';
const LINE_END = 10;
const OPEN_ON_WINDOWS = ['EPERM', 'EACCES', 'EBUSY'];

/** An event on its way to the database. */
export interface JournaledEvent {
  /** One more than that of the event before it in this data directory. */
  readonly seq: number;
  readonly gameId: string;
  readonly event: LoggedEvent;
  readonly connection?: TrackedConnection | undefined;
}

/** A file of one JSON line for each event, in the order in which they were appended. */
export interface EventJournal {
  /** When this returns, the operating system has the line; when it throws, the journal is as it was before. */
  append(event: JournaledEvent): void;
  readonly isEmpty: boolean;
  /** Replaces the file in one step by one of what is kept. A throw leaves all as it was. */
  clear(kept: Iterable<JournaledEvent>): void;
  /** Closes the journal; an empty one leaves no file behind. */
  close(): void;
}

/** Appends after the first `length` bytes of `file` and cuts off what follows. Only one process at a time may do so. */
export function openEventJournal({
  file,
  length,
  onFull = () => false,
}: {
  file: string;
  length: number;
  /** Called when the disk is full; gives whether there is room now. */
  onFull?: () => boolean;
}): EventJournal {
  createPrivateFile(file);
  let descriptor = openSync(file, 'a');
  let end = length;
  /** Whether there may be bytes after `end`, as a failed write leaves them. */
  let isTorn = true;

  function write(text: string): void {
    if (isTorn) {
      // By its path, because Windows cuts nothing off through a descriptor that may only append.
      truncateSync(file, end);
      isTorn = false;
    }
    try {
      end += writeAll(descriptor, text);
    } catch (error) {
      isTorn = true;
      throw error;
    }
  }

  /** Windows does not replace a file that is open, so there the journal is closed for that moment. */
  function replaceBy(next: string): void {
    try {
      renameSync(next, file);
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && OPEN_ON_WINDOWS.includes(String(error.code)))) throw error;
      closeSync(descriptor);
      try {
        renameSync(next, file);
      } finally {
        descriptor = openSync(file, 'a');
      }
    }
  }

  return {
    append(event) {
      const line = lineOf(event);
      try {
        write(line);
      } catch (error) {
        if (!isFull(error) || !onFull()) throw error;
        write(line);
      }
    },
    get isEmpty() {
      return end === 0;
    },
    clear(kept) {
      const next = `${file}.new`;
      const text = Array.from(kept, lineOf).join('');
      const nextDescriptor = openNewFile(next);
      try {
        if (text !== '') writeAll(nextDescriptor, text);
        replaceBy(next);
      } catch (error) {
        closeSync(nextDescriptor);
        throw error;
      }
      closeSync(descriptor);
      descriptor = nextDescriptor;
      end = Buffer.byteLength(text);
      isTorn = false;
    },
    close() {
      closeSync(descriptor);
      if (end === 0) rmSync(file, { force: true });
    },
  };
}

const lineOf = (event: JournaledEvent): string => `${JSON.stringify(event)}\n`;

/** Gives how many bytes the text has; a part of them does not count. */
function writeAll(descriptor: number, text: string): number {
  const bytes = Buffer.byteLength(text);
  const written = writeSync(descriptor, text);
  if (written === bytes) return bytes;
  const message = `only ${written} of ${bytes} bytes could be written: the disk is full`;
  throw Object.assign(new Error(message), { code: 'ENOSPC' });
}

/**
 * Reads what a killed process has left. A last line without its end was not acknowledged, and does not count. `length` is
 * that of all whole lines in bytes, and `brokenLines` is how many of them are no event.
 */
export function readEventJournal(file: string): { events: JournaledEvent[]; length: number; brokenLines: number } {
  const bytes = readIfPresent(file) ?? Buffer.alloc(0);
  const length = bytes.lastIndexOf(LINE_END) + 1;
  const events: JournaledEvent[] = [];
  let brokenLines = 0;
  for (const line of bytes.toString('utf8', 0, length).split('\n')) {
    if (line === '') continue;
    const event = parse(line);
    if (event === undefined) brokenLines += 1;
    else events.push(event);
  }
  return { events, length, brokenLines };
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

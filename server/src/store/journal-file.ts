import { closeSync, openSync, renameSync, rmSync, truncateSync, writeSync } from 'node:fs';
import { createPrivateFile, openNewFile, readIfPresent } from '../data-directory/private-file.ts';
import { isFull } from '../file-fault.ts';

/** Longer than any entry: a disk without room for this counts as full. */
const PROBE = '\n'.repeat(16_384);
const LINE_END = 10;
const OPEN_ON_WINDOWS = ['EPERM', 'EACCES', 'EBUSY'];

/** A file of one JSON line for each entry, in the order in which they were appended. */
export interface JournalFile<Entry> {
  /** When this returns, the operating system has the line; when it throws, the journal is as it was before. */
  append(entry: Entry): void;
  /** Throws while nothing can be appended. Changes nothing. */
  probe(): void;
  /** True when nothing has been appended since the journal was opened empty or cleared. */
  readonly isEmpty: boolean;
  /**
   * Replaces the file in one step by an empty one, or one of what is kept; a reader of the old one may go on. A throw
   * leaves all as it was.
   */
  clear(kept?: Iterable<Entry>): void;
  /** Closes the journal; an empty one leaves no file behind. */
  close(): void;
}

/**
 * Appends after the first `length` bytes of `file` and cuts off what follows. Only one process at a time may do so. When
 * the disk is full, `onFull` is called, and the line is tried once more if it gives true.
 */
export function openJournalFile<Entry>({
  file,
  length,
  onFull = () => false,
}: {
  file: string;
  length: number;
  onFull?: (() => boolean) | undefined;
}): JournalFile<Entry> {
  createPrivateFile(file);
  let descriptor = openSync(file, 'a');
  let end = length;
  /** Whether there may be bytes after `end`, as a failed write leaves them. */
  let isTorn = true;

  function cutOff(): void {
    isTorn = true;
    // By its path, because Windows cuts nothing off through a descriptor that may only append.
    truncateSync(file, end);
    isTorn = false;
  }

  function write(text: string): void {
    if (isTorn) cutOff();
    try {
      end += writeAll(descriptor, text);
    } catch (error) {
      cutOff();
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
        // After a failure this is the old journal again; otherwise `clear` closes it and goes on with its own descriptor.
        descriptor = openSync(file, 'a');
      }
    }
  }

  return {
    append(entry) {
      const line = lineOf(entry);
      try {
        write(line);
      } catch (error) {
        if (!isFull(error) || !onFull()) throw error;
        write(line);
      }
    },
    probe() {
      const before = end;
      write(PROBE);
      end = before;
      cutOff();
    },
    get isEmpty() {
      return end === 0;
    },
    clear(kept = []) {
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

function lineOf(entry: unknown): string {
  return `${JSON.stringify(entry)}\n`;
}

/** Returns the number of bytes of the text. Throws when only a part of it could be written. */
function writeAll(descriptor: number, text: string): number {
  const bytes = Buffer.byteLength(text);
  const written = writeSync(descriptor, text);
  if (written === bytes) return bytes;
  const message = `only ${written} of ${bytes} bytes could be written: the disk is full`;
  throw Object.assign(new Error(message), { code: 'ENOSPC' });
}

/**
 * The whole lines of a journal as they are now, also while another process writes to it, and their length in bytes. A last
 * line without its line end was not acknowledged, and does not count. A missing file is an empty journal.
 */
export function readJournalFile(file: string): { readonly lines: readonly string[]; readonly length: number } {
  const bytes = readIfPresent(file) ?? Buffer.alloc(0);
  const length = bytes.lastIndexOf(LINE_END) + 1;
  const lines = bytes.toString('utf8', 0, length).split('\n');
  return { lines: lines.filter((line) => line !== ''), length };
}

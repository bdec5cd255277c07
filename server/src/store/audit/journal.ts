import { closeSync, openSync, renameSync, rmSync, truncateSync, writeSync } from 'node:fs';
import { createPrivateFile, openNewFile, readIfPresent, writePrivateFile } from '../../data-directory/private-file.ts';
import { isFull } from '../../file-fault.ts';
import type { AuditIntent, AuditOutcome, AuditPosition } from './audit-log.ts';

/** Longer than any record: a disk without room for this counts as full. */
const PROBE = '\n'.repeat(16_384);
const LINE_END = 10;
const OPEN_ON_WINDOWS = ['EPERM', 'EACCES', 'EBUSY'];

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

/** A file of one JSON line for each intent and each outcome, in the order in which they were written. */
export interface AuditJournal {
  /** When this returns, the operating system has the line; when it throws, the journal is as it was before. */
  append(entry: OpenRecord | LateOutcome): void;
  /** Throws while nothing can be appended. Changes nothing. */
  probe(): void;
  /** True when nothing has been appended since the journal was opened empty or cleared. */
  readonly isEmpty: boolean;
  /**
   * Replaces the file in one step by an empty one, or one of what is kept; a reader of the old one may go on. A throw
   * leaves all as it was.
   */
  clear(kept?: Iterable<OpenRecord | LateOutcome>): void;
  /** Closes the journal; an empty one leaves no file behind. */
  close(): void;
}

/**
 * Appends after the first `length` bytes of `file` and cuts off what follows. Only one process at a time may do so. When
 * the disk is full, `onFull` is called, and the line is tried once more if it gives true.
 */
export function openAuditJournal({
  file,
  length,
  onFull = () => false,
}: {
  file: string;
  length: number;
  onFull?: () => boolean;
}): AuditJournal {
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
      const text = [...kept].map(lineOf).join('');
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

function lineOf(entry: OpenRecord | LateOutcome): string {
  return `${JSON.stringify(entry)}\n`;
}

/** Gives how many bytes the text has; a part of them does not count. */
function writeAll(descriptor: number, text: string): number {
  const bytes = Buffer.byteLength(text);
  const written = writeSync(descriptor, text);
  if (written === bytes) return bytes;
  const message = `only ${written} of ${bytes} bytes could be written: the disk is full`;
  throw Object.assign(new Error(message), { code: 'ENOSPC' });
}

/**
 * Reads what is in the journal now, also while another process writes to it: a last line without its line end was not
 * acknowledged, and does not count. A missing file is an empty journal. `length` is the length of all whole lines in
 * bytes, and `brokenLines` is how many of them are neither an intent nor an outcome.
 */
export function readAuditJournal(file: string): { journaled: Journaled; length: number; brokenLines: number } {
  const bytes = readIfPresent(file) ?? Buffer.alloc(0);
  const length = bytes.lastIndexOf(LINE_END) + 1;
  const journaled: Journaled = { records: new Map(), lateOutcomes: new Map() };
  let brokenLines = 0;
  for (const line of bytes.toString('utf8', 0, length).split('\n')) {
    if (line !== '' && !take(line, journaled)) brokenLines += 1;
  }
  return { journaled, length, brokenLines };
}

/** Copies the whole lines of a journal, which another process may be writing, into a new private file. */
export function copyAuditJournal({ from, to }: { from: string; to: string }): void {
  const bytes = readIfPresent(from) ?? Buffer.alloc(0);
  writePrivateFile(to, bytes.toString('utf8', 0, bytes.lastIndexOf(LINE_END) + 1));
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

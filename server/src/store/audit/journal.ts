import { closeSync, ftruncateSync, openSync, renameSync, rmSync, writeSync } from 'node:fs';
import { createPrivateFile, readIfPresent } from '../../data-directory/private-file.ts';
import type { AuditIntent, AuditOutcome, AuditPosition } from './audit-log.ts';

/** More than any record has: a disk with room for less is full. */
const PROBE = '\n'.repeat(16_384);
const LINE_END = 10;

/** A record whose outcome may still come. */
export type OpenRecord = AuditIntent & { outcome: AuditOutcome | undefined };

export function openRecord(intent: AuditIntent): OpenRecord {
  const { requestId, at, cause, actor, sourceAddress, operation, resource, playerId } = intent;
  return { requestId, at, cause, actor, sourceAddress, operation, resource, playerId, outcome: undefined };
}

/** The outcome of an intent that has left the journal. */
export type LateOutcome = AuditPosition & { readonly outcome: AuditOutcome };

/** Older records have the status of the reply beside the name of the error; that follows from the name. */
export function toOutcome({ error, durationMs, successes, failures }: AuditOutcome): AuditOutcome {
  return { error, durationMs, ...(successes && { successes }), ...(failures && { failures }) };
}

/** By request id. */
export interface Journaled {
  readonly records: Map<string, OpenRecord>;
  readonly lateOutcomes: Map<string, LateOutcome>;
}

/** A file of one JSON line for each intent and each outcome, in the order of their writing. */
export interface AuditJournal {
  /** The line is in the operating system's hands when this returns; when it throws, the journal is as it was before. */
  append(entry: OpenRecord | LateOutcome): void;
  /** Throws while nothing can be appended; changes nothing. */
  probe(): void;
  /** Whether nothing was appended since it was opened empty, or cleared. */
  readonly isEmpty: boolean;
  /** An empty file takes its place at once; a reader of the old one may go on. When it throws, all is as it was before. */
  clear(): void;
  /** Leaves no file behind when it is empty. */
  close(): void;
}

/** Appends behind the first `length` bytes of `file`; what follows them is cut off. One process at a time may. */
export function openAuditJournal({ file, length }: { file: string; length: number }): AuditJournal {
  createPrivateFile(file);
  let descriptor = openSync(file, 'a');
  let end = length;
  /** Whether something may stand behind `end`. */
  let isTorn = true;

  function cutOff(): void {
    isTorn = true;
    ftruncateSync(descriptor, end);
    isTorn = false;
  }

  function write(text: string): void {
    if (isTorn) cutOff();
    try {
      const bytes = Buffer.byteLength(text);
      const written = writeSync(descriptor, text);
      if (written !== bytes) throw new Error(`only ${written} of ${bytes} bytes could be written: the disk is full`);
      end += bytes;
    } catch (error) {
      cutOff();
      throw error;
    }
  }

  return {
    append: (entry) => write(`${JSON.stringify(entry)}\n`),
    probe() {
      const before = end;
      write(PROBE);
      end = before;
      cutOff();
    },
    get isEmpty() {
      return end === 0;
    },
    clear() {
      const next = `${file}.new`;
      createPrivateFile(next);
      const nextDescriptor = openSync(next, 'a');
      try {
        renameSync(next, file);
      } catch (error) {
        closeSync(nextDescriptor);
        throw error;
      }
      closeSync(descriptor);
      descriptor = nextDescriptor;
      end = 0;
      isTorn = false;
    },
    close() {
      closeSync(descriptor);
      if (end === 0) rmSync(file, { force: true });
    },
  };
}

/**
 * What is in the journal now, also while another process writes it: a last line without its end was not acknowledged. A
 * missing file is an empty journal. `length` is that of all whole lines, `brokenLines` how many of them say nothing.
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

/** Whether the line was one of ours. */
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

/** A line of an older version, which a kill may have left, names the access key where there is an actor now. */
function parse(line: string): Unchecked {
  try {
    const entry: Unchecked = Object(JSON.parse(line));
    return entry.accessKeyId === undefined ? entry : { cause: 'operator', actor: entry.accessKeyId, ...entry };
  } catch {
    return {};
  }
}

function isIntent(entry: Unchecked): entry is AuditIntent {
  const { playerId, cause, actor, sourceAddress, operation, resource } = entry;
  const texts = [cause, actor, sourceAddress, operation, resource, playerId ?? ''];
  return isNamed(entry) && texts.every((text) => typeof text === 'string');
}

function isOutcome(entry: Unchecked): entry is LateOutcome {
  return isNamed(entry) && typeof entry.outcome === 'object' && entry.outcome !== null;
}

function isNamed({ requestId, at }: Unchecked): boolean {
  return typeof requestId === 'string' && Number.isSafeInteger(at);
}

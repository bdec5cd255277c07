import { closeSync, existsSync, openSync, readSync } from 'node:fs';
import { basename } from 'node:path';
import type Libsql from 'libsql';
import { inSteps, type MaybePromise, settled } from '../maybe-promise.ts';

/** How every database of SQLite begins. What else is in the file is said by SQLite. */
const MAGIC = 'SQLite format 3\0';

/** Bytes of a WAL before its first page, and the part of those that belongs to the page rather than to the file. */
const WAL_HEADER_BYTES = 32;
const FRAME_HEADER_BYTES = 24;
const SALT = { inHeader: 16, inFrame: WAL_HEADER_BYTES + 8, bytes: 8 };
/** While a reader holds a checkpoint up, each try costs two commits. */
const COMMITS_BETWEEN_TRIES = 64;

/** The numbers that SQLite keeps for applications in the first page, and where they are in that page. */
const OFFSETS = { user_version: 60, application_id: 68 } as const;

/**
 * Recognises a database file that has lost its WAL, as a copy of that file alone has, and files that were copied at
 * different times. SQLite itself takes such a file for an older state of the database, which can be an empty one.
 *
 * The mark is a number in the first page that only grows. While the WAL may have commits that the file lacks, the file's
 * mark is even, and the first commit in the WAL makes it odd. So the file has an odd mark as soon as the whole WAL has
 * been moved into it, whichever program does that. A database from before there were marks has 0.
 */
export interface WalMark {
  /** Must be called after each commit. Never throws: the commit is on disk, and the next one tries again. */
  committed(): void;
  /** Whether the file may be closed, which can remove its WAL. */
  mayClose(): boolean;
}

/** The same where the statements that set the mark run in a thread. Never rejects; one call must end before the next. */
export interface WalMarkInThread {
  committed(): MaybePromise<void>;
  /**
   * Moves the WAL into the file, which says of itself meanwhile, and afterwards, that it needs its WAL: a copy that is made in the
   * middle has pages of two times.
   */
  checkpoint(): MaybePromise<void>;
  mayClose(): MaybePromise<boolean>;
}

/**
 * Reads the marks of a database in WAL mode before SQLite opens it. The file stays open until the process ends, because
 * closing it would drop every lock that SQLite holds on it in this process: also that of a connection which is closed,
 * but whose statements are not collected, and a later connection counts on that very lock. Without it, any other program
 * that closes the database takes itself for the last one and removes the WAL under this process.
 */
export function openWalMark({ file, name }: { file: string; name: keyof typeof OFFSETS }) {
  const offset = OFFSETS[name];
  // The WAL is read first: later the file can only be ahead of it.
  const first = firstMarkInWal(`${file}-wal`, offset);
  const descriptor = openSync(file, 'r');
  const markInFile = () => readBytes(descriptor, offset, 4)?.readInt32BE() ?? 0;
  const isDatabase = readBytes(descriptor, 0, MAGIC.length)?.toString() === MAGIC;
  const found = isDatabase ? markInFile() : 0;

  function markOf(connection: Libsql.Database): () => number {
    const statement = connection.prepare(`SELECT ${name} AS mark FROM pragma_${name}`);
    const mark = () => (statement.all()[0] as { mark: number }).mark;
    if (found > mark()) throw new Error(mixed(file));
    return mark;
  }

  return {
    /** Throws when the file is newer than its WAL. Returns what keeps the mark from then on. */
    watch(connection: Libsql.Database): WalMark {
      const exec = (sql: string) => void connection.exec(sql);
      // What is executed at once leaves nothing to wait for.
      return watchMark({ exec, name, mark: markOf(connection), markInFile }) as WalMark;
    },

    /** The same for a connection that executes in a thread. `reader` is another one of this process. */
    watchInThread(reader: Libsql.Database, exec: (sql: string) => Promise<void>): WalMarkInThread {
      return watchMark({ exec, name, mark: markOf(reader), markInFile });
    },

    /** Throws when the WAL is missing, or newer. To be called before SQLite opens the file and makes a new WAL. */
    assertWhole(): void {
      if (found > 0 && !isOdd(found) && !existsSync(`${file}-wal`)) throw new Error(alone(file));
      if (first !== undefined && isOdd(first) && found < first - 1) throw new Error(mixed(file));
    },
  };
}

/** Completes the mark of a database that has no WAL. */
export function markWhole(connection: Libsql.Database, name: keyof typeof OFFSETS): void {
  const [{ mark }] = connection.prepare(`SELECT ${name} AS mark FROM pragma_${name}`).all() as [{ mark: number }];
  if (mark > 0 && !isOdd(mark)) connection.exec(`PRAGMA ${name} = ${mark + 1}`);
}

/** Keeps connections from the garbage collector, which would close them. */
const leftOpen: Libsql.Database[] = [];

/** Keeps a connection until the process ends, which leaves the WAL where it is. */
export function leaveOpen(connection: Libsql.Database): void {
  leftOpen.push(connection);
}

/**
 * Closes a connection that may be the last one to its database, at once or when its statements are collected. That moves the
 * WAL into the file and removes it, so the mark must say first that the file is whole then: after a crash it may not. Where
 * that cannot be written, the connection stays open.
 */
export function closeWhole(connection: Libsql.Database, name: keyof typeof OFFSETS): void {
  try {
    // Nothing else may set the mark in between.
    connection.exec('BEGIN IMMEDIATE');
    markWhole(connection, name);
    connection.exec('COMMIT');
    connection.close();
  } catch {
    endTransaction(connection);
    leaveOpen(connection);
  }
}

/** Gives back what would keep this process, too, from writing for as long as the connection is open. */
function endTransaction(connection: Libsql.Database): void {
  try {
    connection.exec('ROLLBACK');
  } catch {
    // There is none.
  }
}

function watchMark({
  exec,
  name,
  mark,
  markInFile,
}: {
  exec: (sql: string) => MaybePromise<void>;
  name: string;
  mark: () => number;
  markInFile: () => number;
}): WalMarkInThread {
  let triesIn = 0;
  /** The odd mark that is to follow an even one, as a kill or a full disk may have left it. */
  let due = isOdd(mark()) || mark() === 0 ? undefined : mark() + 1;
  const set = (value: number) => exec(`PRAGMA ${name} = ${value}`);

  /** Another process may have set the odd mark meanwhile, or later ones. The mark must never go back. */
  const complete = inSteps(function* () {
    if (due !== undefined && mark() === due - 1) yield* settled(set(due));
    due = undefined;
  });

  const renew = inSteps(function* () {
    try {
      yield* settled(complete());
      const next = mark() + (isOdd(mark()) ? 1 : 2);
      yield* settled(set(next));
      due = next + 1;
      yield* settled(exec('PRAGMA wal_checkpoint(PASSIVE)'));
      yield* settled(complete());
      if (!isOdd(markInFile())) triesIn = 0;
    } catch {
      // Another process writes, or the disk is full.
    }
  });

  return {
    committed() {
      const inFile = markInFile();
      if (triesIn > 0) triesIn -= 1;
      if (due === undefined && (triesIn > 0 || (inFile > 0 && !isOdd(inFile)))) return;
      triesIn = COMMITS_BETWEEN_TRIES;
      return renew();
    },
    checkpoint() {
      triesIn = COMMITS_BETWEEN_TRIES;
      return renew();
    },
    mayClose: inSteps(function* () {
      try {
        yield* settled(complete());
        // Another process may have set an even one and been killed before the odd one.
        if (mark() > 0 && !isOdd(mark())) yield* settled(set(mark() + 1));
        return true;
      } catch {
        return false;
      }
    }),
  };
}

/** The mark in the first page that the WAL holds, if that is the database's first page, as it is after a checkpoint. */
function firstMarkInWal(wal: string, offset: number): number | undefined {
  if (!existsSync(wal)) return undefined;
  const descriptor = openSync(wal, 'r');
  try {
    const head = readBytes(descriptor, 0, WAL_HEADER_BYTES + FRAME_HEADER_BYTES);
    if (head === undefined || head.readUInt32BE(WAL_HEADER_BYTES) !== 1) return undefined;
    const salt = (at: number) => head.subarray(at, at + SALT.bytes);
    if (!salt(SALT.inHeader).equals(salt(SALT.inFrame))) return undefined;
    return readBytes(descriptor, head.length + offset, 4)?.readInt32BE();
  } finally {
    closeSync(descriptor);
  }
}

/** Undefined when the file ends before that. */
function readBytes(descriptor: number, position: number, count: number): Buffer | undefined {
  const bytes = Buffer.alloc(count);
  return readSync(descriptor, bytes, 0, count, position) === count ? bytes : undefined;
}

function isOdd(mark: number): boolean {
  return mark % 2 === 1;
}

const CURE =
  'copy the whole data directory of a stopped server, or use "respark backup" and "respark restore" (docs/deploying.md)';

function alone(file: string): string {
  return `its newest changes are in ${basename(file)}-wal, which is missing, as when the file is copied without it: put that file back; to move data, ${CURE}`;
}

function mixed(file: string): string {
  return `${basename(file)} and ${basename(file)}-wal are not of the same time, as when they are copied from a running server: ${CURE}`;
}

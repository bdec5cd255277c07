import { statSync } from 'node:fs';
import AsyncLibsql from 'libsql/promise';
import type { MaybePromise } from '../maybe-promise.ts';

/** What a commit writes beside what is new: the last page once more, and those that lead to it. */
const PAGES_OF_COMMIT = 3;

/**
 * Moves what the WAL has into the database file. That takes some tenths of a second and synchronises the disk, so it
 * happens in a thread of the binding, while calls go on. Writes wait for its end.
 */
export interface Checkpoints {
  /**
   * Must be called after each commit, with about the number of pages that it filled or changed. Ends, or gives a promise that
   * does, when the commit is `settled`, and waits for no checkpoint. Never fails.
   */
  committed(pages: number): MaybePromise<void>;
  /** Waits for the end of a checkpoint that is under way. Never rejects. */
  end(): MaybePromise<void>;
}

/**
 * Begins a checkpoint when the WAL has about `pages` pages. Calls `settled`, which must not fail, after each commit, but after
 * those of the time of a checkpoint only when that has ended.
 */
export function createCheckpoints({
  file,
  pages,
  settled,
  checkpoint = createCheckpoint(file),
}: {
  file: string;
  pages: number;
  settled: () => MaybePromise<void>;
  /** Never fails. */
  checkpoint?: () => MaybePromise<void>;
}): Checkpoints {
  let pagesInWal = 0;
  let underWay: Promise<void> | undefined;

  async function checkpointAfter(settling: MaybePromise<void>): Promise<void> {
    await settling;
    await checkpoint();
    await settled();
  }

  function keep(work: Promise<void>): void {
    underWay = work.finally(() => {
      underWay = undefined;
    });
  }

  return {
    committed(changed) {
      pagesInWal += PAGES_OF_COMMIT + changed;
      // Until all pages are copied, the file is not what it will be.
      if (underWay !== undefined) return;
      const settling = settled();
      if (pagesInWal >= pages) {
        pagesInWal = 0;
        keep(checkpointAfter(settling));
      } else if (settling !== undefined) keep(settling);
      return settling;
    },
    end: () => underWay,
  };
}

function createCheckpoint(file: string): () => Promise<void> {
  const exec = createExecInThread(file);
  return async () => {
    try {
      await exec('PRAGMA wal_checkpoint(PASSIVE)');
    } catch {
      // The disk is full, or fails, or the file is gone: the WAL keeps all of it, and there will be another checkpoint.
    }
  };
}

/** Executes statements by a connection of their own, in a thread of the binding, so that nothing here waits for the disk. */
type ExecInThread = (statements: string) => Promise<void>;

/**
 * Must be called when the database is open. Refuses to execute anything once its file is no longer in its place: to open that
 * would make an empty database there, or change one that was put there and is none of this process.
 */
export function createExecInThread(file: string): ExecInThread {
  const opened = identityOf(file);
  return async (statements) => {
    const found = identityOf(file);
    if (found === undefined || found !== opened) throw new Error(`${file} is no longer the file that was opened`);
    const connection = new AsyncLibsql(file, {});
    try {
      await connection.exec(statements);
    } finally {
      connection.close();
    }
  };
}

function identityOf(file: string): string | undefined {
  const { dev, ino } = statSync(file, { bigint: true, throwIfNoEntry: false }) ?? {};
  return ino === undefined ? undefined : `${dev} ${ino}`;
}

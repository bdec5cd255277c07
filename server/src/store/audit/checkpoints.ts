import AsyncLibsql from 'libsql/promise';
import type { MaybePromise } from '../../maybe-promise.ts';

/** What a commit writes beside what is new: the last page once more, and those that lead to it. */
const PAGES_OF_COMMIT = 3;

/**
 * Moves what the WAL has into the database file. That takes some tenths of a second and synchronises the disk, so it
 * happens in a thread of the binding, while calls go on: their records wait in the journal.
 */
export interface Checkpoints {
  /** Must be called after each commit, with about the number of pages that it filled or changed. Never throws. */
  committed(pages: number): void;
  /** Waits for the end of a checkpoint that is under way. Never rejects. */
  end(): MaybePromise<void>;
}

/**
 * Begins a checkpoint when the WAL has about `pages` pages. Calls `settled` after each commit, but after those of the time
 * of a checkpoint only when that has ended.
 */
export function createCheckpoints({
  file,
  pages,
  settled,
}: {
  file: string;
  pages: number;
  settled: () => void;
}): Checkpoints {
  let pagesInWal = 0;
  let underWay: Promise<void> | undefined;

  async function checkpoint(): Promise<void> {
    try {
      const connection = new AsyncLibsql(file, {});
      try {
        await connection.exec('PRAGMA wal_checkpoint(PASSIVE)');
      } finally {
        connection.close();
      }
    } catch {
      // The disk is full, or fails: the WAL keeps all of it, and there will be another checkpoint.
    }
  }

  return {
    committed(changed) {
      pagesInWal += PAGES_OF_COMMIT + changed;
      // Until all pages are copied, the file is not what it will be.
      if (underWay !== undefined) return;
      settled();
      if (pagesInWal < pages) return;
      pagesInWal = 0;
      underWay = checkpoint().then(() => {
        underWay = undefined;
        settled();
      });
    },
    end: () => underWay,
  };
}

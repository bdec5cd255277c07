import { open } from 'node:fs/promises';

/**
 * Puts on disk what has been committed to a database with `synchronous=NORMAL`, which does that itself only when it moves the WAL
 * into the file. Rejects when that fails. Those who ask while one is under way share the next. SQLite's locks are on the
 * other two files, so this one may be closed.
 */
export function createWalSync(file: string, put: (wal: string) => Promise<void> = sync): () => Promise<void> {
  let current: Promise<void> | undefined;
  let next: Promise<void> | undefined;
  const begin = () => {
    next = undefined;
    const syncing = put(`${file}-wal`).finally(() => {
      if (current === syncing) current = undefined;
    });
    current = syncing;
    return syncing;
  };
  return () => {
    if (current === undefined) return begin();
    next ??= current.then(begin, begin);
    return next;
  };
}

async function sync(wal: string): Promise<void> {
  // Windows does so only for who may write.
  const mode = process.platform === 'win32' ? 'r+' : 'r';
  const handle = await open(wal, mode).catch((error: unknown) => {
    // All of it is in the file, and on disk.
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  });
  try {
    await handle?.datasync();
  } finally {
    await handle?.close();
  }
}

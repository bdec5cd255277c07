import { execFile } from 'node:child_process';
import { open, readdir, readFile } from 'node:fs/promises';
import { devNull } from 'node:os';
import type { Clock } from './clock.ts';
import type { Log } from './log.ts';

/** Open files of a server besides the sockets of players: the store, listeners, management clients. */
const SPARE_OPEN_FILES = 256;

const REPLY_TIMEOUT_MS = 5_000;
const WATCH_PERIOD_MS = 1_000;

export function neededOpenFiles({ maxConnections }: { readonly maxConnections: number }): number {
  return maxConnections + SPARE_OPEN_FILES;
}

/**
 * How many files this process may have open: `Infinity` without a limit, and on Windows, whose limit does not matter;
 * undefined when that cannot be found out. Node.js has raised the limit as far as it may, so that a shell that this
 * process starts has the same one.
 */
export async function findOpenFileLimit(platform: NodeJS.Platform): Promise<number | undefined> {
  if (platform === 'win32') return Number.POSITIVE_INFINITY;
  return (await readLimitOfProcess()) ?? (await askShell());
}

/** What Linux says of this process; each is undefined elsewhere. */
export async function readOpenFiles(): Promise<{ open: number | undefined; max: number | undefined }> {
  const [names, max] = await Promise.all([readdir('/proc/self/fd').catch(() => undefined), readLimitOfProcess()]);
  // The directory that is being read is one of them.
  return { open: names && names.length - 1, max };
}

/**
 * Has the log say when no more files can be open, and when they can again. Nothing else would: the system takes new
 * sockets and ends them, and the server is not told.
 */
export function watchOpenFiles({
  clock,
  log,
  probe = openAndClose,
}: {
  clock: Pick<Clock, 'after'>;
  log: Pick<Log, 'error' | 'info'>;
  /** Rejects, as Node.js does, while no file can be opened. */
  probe?: () => Promise<void>;
}): { close(): void } {
  let isOut = false;
  let isClosed = false;
  let cancel = clock.after(WATCH_PERIOD_MS, look);

  function look(): void {
    void probe().then(
      () => told(false),
      (error) => told(/^E[MN]FILE$/.test(String(Object(error).code))),
    );
  }

  function told(isOutNow: boolean): void {
    if (isClosed) return;
    if (isOutNow && !isOut) {
      log.error({}, 'no more files can be open: new players and calls are cut off; raise the limit (ulimit -n)');
    }
    if (isOut && !isOutNow) log.info({}, 'files can be open again: new players and calls are taken');
    isOut = isOutNow;
    cancel = clock.after(WATCH_PERIOD_MS, look);
  }

  return {
    close() {
      isClosed = true;
      cancel();
    },
  };
}

async function openAndClose(): Promise<void> {
  const file = await open(devNull);
  await file.close();
}

async function readLimitOfProcess(): Promise<number | undefined> {
  const limits = await readFile('/proc/self/limits', 'utf8').catch(() => '');
  return toLimit(/^Max open files +(\S+)/m.exec(limits)?.[1]);
}

async function askShell(): Promise<number | undefined> {
  const stdout = await new Promise<string>((settle) => {
    execFile('sh', ['-c', 'ulimit -n'], { timeout: REPLY_TIMEOUT_MS }, (error, text) => settle(error ? '' : text));
  });
  return toLimit(stdout.trim());
}

function toLimit(text: string | undefined): number | undefined {
  if (text === 'unlimited') return Number.POSITIVE_INFINITY;
  return text !== undefined && /^\d+$/.test(text) ? Number(text) : undefined;
}

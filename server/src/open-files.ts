import { execFile } from 'node:child_process';
import { readdir, readFile } from 'node:fs/promises';

/** Open files of a server besides the sockets of players: the store, listeners, management clients. */
const SPARE_OPEN_FILES = 256;

const REPLY_TIMEOUT_MS = 5_000;

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

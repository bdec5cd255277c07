import { readFileSync } from 'node:fs';
import type { DataDirectory } from '../data-directory/data-directory.ts';
import { RUNNING_FILE } from '../data-directory/local-files.ts';
import type { Log } from '../log.ts';

/** Names the time for which the machine has been up. Undefined where the system does not say: that is every one but Linux. */
export function findBootId(): string | undefined {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  } catch {
    return undefined;
  }
}

/**
 * Says when the machine may have stopped under the server, which then has left its file, of another boot than this one: what is
 * appended to journals, and moved to databases from there, survives the process, but the system puts it on disk only within
 * about half a minute. A server that was killed long before its machine stopped, or whose directory was moved to another machine,
 * leaves the same.
 */
export function warnOfLostPower({
  directory,
  log,
  bootId = findBootId(),
}: {
  directory: Pick<DataDirectory, 'path' | 'readFile'>;
  log: Pick<Log, 'warn'>;
  bootId?: string | undefined;
}): void {
  const former = bootIdIn(directory.readFile(RUNNING_FILE));
  if (former === undefined || bootId === undefined || former === bootId) return;
  const advice = 'changes themselves are there; compare their records, events and lines of logs with what others know';
  log.warn(
    { dataDir: directory.path, advice },
    'the server was not stopped, and since then its machine was started anew, or is another one: if it stopped under the server, what was recorded in the last half minute before may be missing',
  );
}

function bootIdIn(text: string | undefined): string | undefined {
  try {
    const { bootId } = Object(JSON.parse(text ?? '')) as { bootId?: unknown };
    return typeof bootId === 'string' ? bootId : undefined;
  } catch {
    return undefined;
  }
}

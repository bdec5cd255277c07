import type { Clock } from '../clock.ts';
import type { Settings } from '../config/config.ts';
import type { Manifest, Progress } from '../data-directory/archive.ts';
import { backUp } from '../data-directory/backup.ts';
import { type Restored, restore } from '../data-directory/restore.ts';
import { createRecording } from '../domain/audit/audit.ts';
import { createRecordLocally } from '../domain/local-changes.ts';
import type { Log } from '../log.ts';
import type { RandomBytes } from '../random.ts';
import { StartupError } from '../startup-error.ts';
import { openUnpacked } from './backends.ts';
import { Closers } from './closers.ts';
import { osUser } from './os-user.ts';
import { readVersion } from './server-info.ts';
import { LIVE_FILES } from './sqlite-files.ts';

type DataSettings = Pick<Settings, 'dataDir' | 'secretKey' | 'nextSecretKey' | 'databaseUrl'>;

/** Backs up the data directory of the settings, whether or not a server is running on it. See `backUp`. */
export async function writeBackup({
  settings: { dataDir, databaseUrl },
  clock,
  ...options
}: {
  settings: DataSettings;
  clock: Clock;
  file: string;
  hasSecretKey: boolean;
  progress: Progress;
  signal: AbortSignal;
}): Promise<Manifest> {
  assertEmbedded(databaseUrl, 'pg_dump writes a backup of it');
  return await backUp({ ...options, dataDir, version: readVersion(), live: LIVE_FILES, now: () => clock.now() });
}

/**
 * Restores a backup into the data directory of the settings. The restored audit log has this on record before anything
 * is put in its place. See `restore`.
 */
export async function restoreBackup({
  settings: { dataDir, secretKey, nextSecretKey, databaseUrl },
  log,
  clock,
  random,
  ...options
}: {
  settings: DataSettings;
  log: Log;
  clock: Clock;
  random: RandomBytes;
  file: string;
  isForced: boolean;
  progress: Progress;
}): Promise<Restored> {
  assertEmbedded(databaseUrl, 'pg_restore puts a backup of pg_dump into it');
  return await restore({
    ...{ ...options, dataDir, secretKey, nextSecretKey, live: LIVE_FILES },
    now: () => clock.now(),
    async accept({ directory, keyrings, manifest: { madeAt, version } }) {
      const closers = new Closers();
      try {
        const { auditLog } = await openUnpacked({ directory, keyrings, log, clock, closers });
        const audit = createRecording({ auditLog, clock, log });
        const record = createRecordLocally({ audit, actor: osUser(), clock, random });
        // What follows only renames files, and the log must be closed by then.
        await record({ operation: 'RestoreBackup', details: { madeAt, version } }, async () => {});
      } finally {
        await closers.close({ clock, log });
      }
    },
  });
}

/** A backup of the data directory would lack what matters. */
function assertEmbedded(databaseUrl: string | undefined, advice: string): void {
  if (databaseUrl === undefined) return;
  throw new StartupError(
    `RESPARK_DATABASE_URL is set, so the data is in that database and not in the data directory: ${advice} (docs/deploying.md, "On PostgreSQL")`,
  );
}

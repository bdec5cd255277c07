import { statSync } from 'node:fs';
import { join } from 'node:path';
import type { Clock } from '../clock.ts';
import { backUp, type LiveFiles } from '../data-directory/backup.ts';
import type { DataDirectory } from '../data-directory/data-directory.ts';
import { removeLeftParts } from '../data-directory/left-parts.ts';
import { DATABASE_FILE } from '../data-directory/server-files.ts';
import { describeFileFault } from '../file-fault.ts';
import type { Log } from '../log.ts';
import { StartupError } from '../startup-error.ts';
import { copyAuditJournal } from '../store/audit/journal.ts';
import { AUDIT_JOURNAL_FILE } from '../store/audit/open-journal.ts';
import { AUDIT_DATABASE_FILE } from '../store/audit/sqlite.ts';
import {
  AUDIT_FORM,
  assertUndamaged,
  copyDatabase,
  type DatabaseForm,
  EVENTS_FORM,
  examineDatabase,
  findOutdated,
  PLAYER_DATA_FORM,
  STAGE_LOGS_FORM,
  STORE_FORM,
  sizeOfDatabase,
} from '../store/database-copy.ts';
import { EVENT_JOURNAL_FILE } from '../store/events/journal.ts';
import { EVENTS_FILE } from '../store/events/sqlite.ts';
import { PLAYER_DATA_FILE } from '../store/player-data/sqlite.ts';
import { STAGE_LOGS_FILE } from '../store/stage-logs/sqlite.ts';
import { readVersion } from './server-info.ts';

/**
 * A migration cannot be undone, so what was there before is kept, in a file for each version. One of the same version is
 * replaced, because a server of that version may have gone on after it.
 */
export async function backUpOutdated({
  directory,
  log,
  clock,
}: {
  directory: DataDirectory;
  log: Log;
  clock: Clock;
}): Promise<void> {
  removeLeftParts(directory.path, clock.now());
  const versions = Object.entries(FORMS).map(([name, form]) => findOutdated({ form, file: directory.file(name) }));
  if (versions.every((version) => version === undefined)) return;
  const name = `before-upgrade-${versions.map((version) => version ?? 'same').join('-')}.tar.gz`;
  const file = directory.file(name);
  try {
    directory.removeFile(name);
    await backUp({
      ...{ dataDir: directory.path, file, hasSecretKey: true, live: LIVE_FILES, version: readVersion() },
      now: () => clock.now(),
    });
  } catch (error) {
    const reason = error instanceof StartupError ? error.message : describeFileFault(error);
    throw new StartupError(`the databases need an upgrade, before which a backup is made: ${reason}`, { cause: error });
  }
  log.info({ file }, 'a backup was made before the databases are brought up to this version');
}

/**
 * Databases that others in the directory lack, which SQLite makes anew without a word: as when some files were copied from
 * another directory, such as that of the games without those of the players. A file without a byte counts as missing: no server
 * leaves one, but a file system may after a loss of power. None for a new directory.
 */
export function findMissing({ file }: Pick<DataDirectory, 'file'>): readonly string[] {
  const names = Object.keys(FORMS);
  const missing = names.filter((name) => (statSync(file(name), { throwIfNoEntry: false })?.size ?? 0) === 0);
  return missing.length === names.length ? [] : missing;
}

/** The SQLite databases of a data directory, by their files. */
export const FORMS: Readonly<Record<string, DatabaseForm>> = {
  [DATABASE_FILE]: STORE_FORM,
  [AUDIT_DATABASE_FILE]: AUDIT_FORM,
  [PLAYER_DATA_FILE]: PLAYER_DATA_FORM,
  [STAGE_LOGS_FILE]: STAGE_LOGS_FORM,
  [EVENTS_FILE]: EVENTS_FORM,
};

/**
 * How the files of a data directory are copied. A journal is read before the database to which it is moved. What
 * stages have is copied before the stages: a stage that is deleted meanwhile may leave data in the copy without a stage,
 * but never loses data that a stage of the copy should have.
 */
export const LIVE_FILES: LiveFiles = {
  names: [
    ...[PLAYER_DATA_FILE, STAGE_LOGS_FILE, EVENT_JOURNAL_FILE, EVENTS_FILE, DATABASE_FILE],
    ...[AUDIT_JOURNAL_FILE, AUDIT_DATABASE_FILE],
  ],
  copy(name, from, to) {
    const form = FORMS[name];
    if (form === undefined) copyAuditJournal({ from, to });
    else copyDatabase({ form, from, to });
  },
  examine(name, file) {
    const form = FORMS[name];
    if (form !== undefined) examineDatabase({ form, file });
  },
  sizeOf: sizeOfDatabase,
};

/** What can be looked through in a second or two. */
const MAX_EXAMINED_BYTES = 268_435_456;

/** What is wrong with the databases of a data directory that are not too large to look, a sentence each. Changes nothing. */
export async function findDamage(path: string): Promise<string[]> {
  const found: string[] = [];
  for (const name of Object.keys(FORMS)) {
    const file = join(path, name);
    const { size } = statSync(file, { throwIfNoEntry: false }) ?? {};
    if (size === undefined || size > MAX_EXAMINED_BYTES) continue;
    try {
      assertUndamaged(file);
    } catch (error) {
      found.push(error instanceof StartupError ? error.message : describeFileFault(error));
    }
  }
  return found;
}

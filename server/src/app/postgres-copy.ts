import { existsSync } from 'node:fs';
import type { Clock } from '../clock.ts';
import type { Settings } from '../config/config.ts';
import type { DataDirectory } from '../data-directory/data-directory.ts';
import { DATABASE_FILE } from '../data-directory/server-files.ts';
import { createRecording } from '../domain/audit/audit.ts';
import type { Installation } from '../domain/installation.ts';
import { createRecordLocally } from '../domain/local-changes.ts';
import type { Log } from '../log.ts';
import type { RandomBytes } from '../random.ts';
import { StartupError } from '../startup-error.ts';
import type { AuditWriter } from '../store/audit/audit-log.ts';
import { openAuditTable } from '../store/audit/postgres-table.ts';
import { AUDIT_DATABASE_FILE, openSqliteAuditLog } from '../store/audit/sqlite.ts';
import { COPIED_NODE } from '../store/copied-tables.ts';
import { type CopiedCounts, copyToPostgres } from '../store/copy-to-postgres.ts';
import { AUDIT_FORM, EVENTS_FORM, findOutdated, PLAYER_DATA_FORM, STAGE_LOGS_FORM } from '../store/database-copy.ts';
import { EVENTS_FILE, openSqliteEventLog } from '../store/events/sqlite.ts';
import { PLAYER_DATA_FILE } from '../store/player-data/sqlite.ts';
import { openPostgres, patientSessions } from '../store/postgres.ts';
import { STAGE_LOGS_FILE } from '../store/stage-logs/sqlite.ts';
import type { Closers } from './closers.ts';
import { osUser } from './os-user.ts';
import { storedLimitsOf } from './stored-limits.ts';

/**
 * Copies what a data directory keeps into an empty database, whose schema is made. Both audit logs have this on record,
 * the intent from before anything is copied. The directory must be open for a command that keeps servers out.
 */
export async function copyToDatabase({
  directory,
  installation,
  auditLog,
  settings,
  progress,
  log,
  clock,
  random,
  closers,
}: {
  directory: DataDirectory;
  installation: Pick<Installation, 'id'>;
  auditLog: AuditWriter;
  /** Name the database to copy to. */
  settings: Settings & { readonly databaseUrl: string };
  progress: (name: string, rows: number) => void;
  log: Log;
  clock: Clock;
  random: RandomBytes;
  closers: Closers;
}): Promise<CopiedCounts> {
  const files = {
    store: directory.file(DATABASE_FILE),
    playerData: directory.file(PLAYER_DATA_FILE),
    stageLogs: directory.file(STAGE_LOGS_FILE),
    audit: directory.file(AUDIT_DATABASE_FILE),
    events: directory.file(EVENTS_FILE),
  };
  assertCurrent(files);
  // What a killed server has left in its journal belongs to the audit log too.
  await openSqliteAuditLog({ directory: directory.path, installation: installation.id, clock, log }).close();
  const limits = storedLimitsOf(settings).events;
  await (await openSqliteEventLog({ file: files.events, limits, clock, log })).close();
  const { database } = await openPostgres({ settings, clock, log, isWatching: false });
  closers.push('database of the copy', () => database.close());
  await database.migrate();
  const sessions = patientSessions({ settings, clock, log });
  closers.push('connections of the copy', () => sessions.end());

  let isCopied = false;
  const both: AuditWriter = {
    begin: (intent) => auditLog.begin(intent),
    async finish(position, outcome) {
      await auditLog.finish(position, outcome);
      const table = openAuditTable({
        sessions,
        node: COPIED_NODE,
        writer: COPIED_NODE,
        installation: installation.id,
        now: () => clock.now(),
      });
      if (isCopied) await table.write([], [{ at: position.at, requestId: position.requestId, outcome }]);
    },
  };
  const record = createRecordLocally({
    audit: createRecording({ auditLog: both, clock, log }),
    ...{ actor: osUser(), clock, random },
  });
  return await record({ operation: 'CopyStore' }, async () => {
    const counts = await copyToPostgres({ files, sessions, progress });
    isCopied = true;
    return counts;
  });
}

/** The files beside the store, which a server makes with it. */
function assertCurrent(files: { playerData: string; stageLogs: string; audit: string; events: string }): void {
  const forms = {
    playerData: PLAYER_DATA_FORM,
    stageLogs: STAGE_LOGS_FORM,
    audit: AUDIT_FORM,
    events: EVENTS_FORM,
  } as const;
  for (const name of ['playerData', 'stageLogs', 'audit', 'events'] as const) {
    const file = files[name];
    const isCurrent = existsSync(file) && findOutdated({ form: forms[name], file }) === undefined;
    if (isCurrent) continue;
    throw new StartupError(`${file} is missing, or of an older version: run "respark migrate" on this directory first`);
  }
}

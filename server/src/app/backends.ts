import type { Clock } from '../clock.ts';
import type { Cluster } from '../cluster/cluster.ts';
import { LocalCluster } from '../cluster/local.ts';
import type { Settings } from '../config/config.ts';
import { DATABASE_FILE, type DataDirectory, openDataDirectory } from '../data-directory/data-directory.ts';
import { verifyKeyring } from '../keyring.ts';
import type { Log } from '../log.ts';
import type { RandomBytes } from '../random.ts';
import type { AuditLog, AuditReader, AuditWriter } from '../store/audit/audit-log.ts';
import { openSqliteAuditBeside, openSqliteAuditLog } from '../store/audit/sqlite.ts';
import { createStore } from '../store/sql-store.ts';
import { openSqlite } from '../store/sqlite.ts';
import type { Store } from '../store/store.ts';
import type { Closers } from './closers.ts';

/** What a server stores and shares, as contracts. Only this file names their implementations. */
export interface Backends {
  readonly directory: DataDirectory;
  readonly store: Store;
  readonly auditLog: AuditLog;
  readonly cluster: Cluster;
}

/** Opens everything for a server, on a data directory that no other server may use meanwhile. Migrates the database. */
export async function openBackends({
  settings,
  log,
  clock,
  random,
  closers,
}: {
  settings: Settings;
  log: Log;
  clock: Clock;
  random: RandomBytes;
  closers: Closers;
}): Promise<Backends> {
  const { directory, store } = await openData({ settings, closers, isShared: false });
  const auditLog = openSqliteAuditLog({ directory: directory.path, clock, log });
  closers.push('audit log', () => auditLog.close());
  const cluster = new LocalCluster({ clock, random });
  closers.push('cluster', () => cluster.close());
  return { directory, store, auditLog, cluster };
}

/** Opens what a command needs, whether or not a server is running. Creates nothing, and commands change only keys. */
export async function openBackendsBeside({
  settings,
  closers,
}: {
  settings: Settings;
  closers: Closers;
}): Promise<Pick<Backends, 'directory' | 'store'> & { readonly auditLog: AuditReader & AuditWriter }> {
  const { directory, store } = await openData({ settings, closers, isShared: true });
  const auditLog = openSqliteAuditBeside({ directory: directory.path });
  closers.push('audit log', () => auditLog.close());
  return { directory, store, auditLog };
}

async function openData({
  settings: { dataDir, secretKey },
  closers,
  isShared,
}: {
  settings: Settings;
  closers: Closers;
  isShared: boolean;
}): Promise<Pick<Backends, 'directory' | 'store'>> {
  const directory = openDataDirectory({ path: dataDir, secretKey, isShared });
  closers.push('data directory', () => directory.close());
  const database = openSqlite({ file: directory.file(DATABASE_FILE) });
  closers.push('database', () => database.close());
  // A command of another version must not change the schema under a running server.
  await (isShared ? database.assertMigrated() : database.migrate());
  const store = createStore(database);
  await verifyKeyring(store, directory.keyring);
  return { directory, store };
}

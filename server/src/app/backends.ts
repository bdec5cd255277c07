import type { Clock } from '../clock.ts';
import type { Cluster } from '../cluster/cluster.ts';
import { LocalCluster } from '../cluster/local.ts';
import type { Settings } from '../config/config.ts';
import { DATABASE_FILE, type DataDirectory, openDataDirectory } from '../data-directory/data-directory.ts';
import { findKeyring, type Keyring } from '../keyring.ts';
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
  /** The one that the store's secrets are sealed with. */
  readonly keyring: Keyring;
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
  const data = await openData({ settings, closers, use: 'server' });
  const { directory } = data;
  if (settings.secretKey !== undefined && data.keyring === directory.nextKeyring) {
    const advice = 'set RESPARK_SECRET_KEY to the key that is in RESPARK_NEXT_SECRET_KEY';
    log.warn({ advice }, 'the secret key of the settings was replaced by its successor');
  }
  const auditLog = openSqliteAuditLog({ directory: directory.path, clock, log });
  closers.push('audit log', () => auditLog.close());
  const cluster = new LocalCluster({ clock, random });
  closers.push('cluster', () => cluster.close());
  return { ...data, auditLog, cluster };
}

/** What a command uses: the server's own cluster and journal are the server's. */
type BackendsOfCommand = Omit<Backends, 'cluster' | 'auditLog'> & { readonly auditLog: AuditReader & AuditWriter };

/** Opens what a command needs, whether or not a server is running. Creates nothing, and commands change only keys. */
export async function openBackendsBeside(parts: { settings: Settings; closers: Closers }): Promise<BackendsOfCommand> {
  return await openBackendsOfCommand({ ...parts, use: 'beside' });
}

/** The same for a command that no server may run beside. */
export async function openBackendsAlone(parts: { settings: Settings; closers: Closers }): Promise<BackendsOfCommand> {
  return await openBackendsOfCommand({ ...parts, use: 'alone' });
}

async function openBackendsOfCommand(parts: DataParts): Promise<BackendsOfCommand> {
  const data = await openData(parts);
  const auditLog = openSqliteAuditBeside({ directory: data.directory.path });
  parts.closers.push('audit log', () => auditLog.close());
  return { ...data, auditLog };
}

interface DataParts {
  readonly settings: Settings;
  readonly closers: Closers;
  readonly use: 'server' | 'beside' | 'alone';
}

async function openData({
  settings: { dataDir, secretKey, nextSecretKey },
  closers,
  use,
}: DataParts): Promise<Pick<Backends, 'directory' | 'store' | 'keyring'>> {
  const isShared = use === 'beside';
  const directory = openDataDirectory({ path: dataDir, secretKey, nextSecretKey, isShared, isMade: use !== 'server' });
  closers.push('data directory', () => directory.close());
  const database = openSqlite({ file: directory.file(DATABASE_FILE) });
  closers.push('database', () => database.close());
  // A command of another version must not change the schema under a running server.
  await (use === 'server' ? database.migrate() : database.assertMigrated());
  const store = createStore(database);
  const { keyring: current, nextKeyring: next } = directory;
  const keyring = await findKeyring(store, next === undefined ? [current] : [current, next]);
  // A rotation was interrupted when the database had the next key already.
  if (keyring === next && !isShared && secretKey === undefined) directory.adoptNextKeyring();
  return { directory, store, keyring };
}

import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import type { Clock } from '../clock.ts';
import type { Settings } from '../config/config.ts';
import { type DataDirectory, openDataDirectory } from '../data-directory/data-directory.ts';
import { removeLeftParts } from '../data-directory/left-parts.ts';
import { openRoom } from '../data-directory/reserve.ts';
import { DATABASE_FILE, NODE_ID_FILE } from '../data-directory/server-files.ts';
import { openInstallation } from '../domain/installation.ts';
import type { Log } from '../log.ts';
import type { AuditReader, AuditWriter } from '../store/audit/audit-log.ts';
import { openPostgresAuditBeside, openPostgresAuditLog } from '../store/audit/postgres.ts';
import { openPostgresEventLog } from '../store/events/postgres.ts';
import { type DatabaseFinding, examinePostgres } from '../store/examine-postgres.ts';
import { openPostgresPlayerData } from '../store/player-data/postgres.ts';
import { keepStageTotals } from '../store/player-data/stage-totals.ts';
import { openPostgres } from '../store/postgres.ts';
import { createStore } from '../store/sql-store.ts';
import { openPostgresStageLogs } from '../store/stage-logs/postgres.ts';
import type { Closers } from './closers.ts';
import type { Migrated } from './migrated.ts';
import type { SharedDatabase, StoredBackends } from './stored-backends.ts';
import { storedLimitsOf } from './stored-limits.ts';
import { unlock } from './unlock.ts';

/** Longer than the database takes to notice that the machine of another server is gone. */
const OTHERS_WAIT_MS = 30_000;

/** What `backends.ts` loads only where the settings name a database, because others need none of it. */
interface Parts {
  readonly settings: Settings & { readonly databaseUrl: string };
  readonly log: Log;
  readonly clock: Clock;
  readonly closers: Closers;
}

/** Opens everything for a server. Migrates the database. The data directory has this node's journal, and its lock. */
export async function openPostgresBackends({
  settings,
  log,
  clock,
  closers,
}: Parts): Promise<StoredBackends & SharedDatabase> {
  const { dataDir, secretKey, nextSecretKey } = settings;
  const directory = openDataDirectory({ path: dataDir, secretKey, nextSecretKey });
  closers.push('data directory', () => directory.close());
  if (existsSync(directory.file(DATABASE_FILE))) {
    const advice = '"respark store copy" copies it to an empty database; remove it when it is not needed any more';
    log.warn({ dataDir, advice }, 'the data directory has a store of its own, which is not used');
  }
  const room = openRoom({ path: directory.path, isInPlace: directory.isInPlace, clock, log, settings });
  closers.push('room of the disk', () => room.close());
  removeLeftParts(directory.path, clock.now());
  const node = nodeIdOf(directory);
  const presence =
    settings.redisUrl === undefined ? 'alone' : ({ directory: directoryOf(settings), journal: node } as const);
  const { database, sessions, claimed, ...shared } = await openPostgres({ settings, clock, log, presence });
  const { countServers, displaced, time: databaseTime, lineage: databaseLineage, unwritableMs } = shared;
  closers.push('database', () => database.close());
  await claimed(OTHERS_WAIT_MS);
  await database.migrate();
  const store = createStore(database);
  const keyring = await unlock({ directory, store, isShared: false, isKeyOfSettings: true });
  const installation = await openInstallation({ store, keyring });
  const auditLog = await openPostgresAuditLog({
    ...{ directory: directory.path, node, sessions, clock, log },
    installation: installation.id,
    onFull: () => room.release(),
    maxBytes: settings.auditMaxBytes,
  });
  closers.push('audit log', () => auditLog.close());
  const limits = storedLimitsOf(settings);
  const playerData = openPostgresPlayerData({ sessions, limits: limits.playerData });
  closers.push('player data', () => playerData.close());
  const totals = keepStageTotals({ sessions, clock, log });
  closers.push('totals of player data', () => totals.close());
  const stageLogs = openPostgresStageLogs({ sessions, limits: limits.stageLogs });
  closers.push('stage logs', () => stageLogs.close());
  const eventLog = await openPostgresEventLog({
    ...{ directory: directory.path, node, sessions, clock, log },
    limits: limits.events,
    onFull: () => room.release(),
  });
  closers.push('events', () => eventLog.close());
  return {
    ...{ directory, keyring, installation, room, store, auditLog, playerData, stageLogs, eventLog },
    ...{ countServers, displaced, databaseTime, databaseLineage, unwritableMs },
  };
}

/**
 * What nodes must have alike to find each other's players in Redis: one with a shorter lease than another takes that for dead
 * while it still serves its players. The URL of Redis may be spelled differently on each.
 */
function directoryOf({ redisPrefix, redisPartitions, leaseMs }: Settings): string {
  return `${redisPartitions} ${leaseMs} ${redisPrefix}`;
}

/** Opens what a command needs, on any machine, whether or not there is a data directory. Changes no schema. */
export async function openPostgresBackendsOfCommand({
  settings,
  log,
  clock,
  closers,
  isShared,
}: Parts & { readonly isShared: boolean }): Promise<
  Pick<StoredBackends, 'directory' | 'keyring' | 'installation' | 'store'> & {
    readonly auditLog: AuditReader & AuditWriter;
  }
> {
  const { dataDir, secretKey, nextSecretKey } = settings;
  const directory = openDataDirectory({ path: dataDir, secretKey, nextSecretKey, isShared, hasStore: false });
  closers.push('data directory', () => directory.close());
  const { database, sessions } = await openPostgres({ settings, clock, log, isWatching: false });
  closers.push('database', () => database.close());
  await database.assertMigrated();
  const store = createStore(database);
  const keyring = await unlock({ directory, store, isShared, isKeyOfSettings: true });
  const installation = await openInstallation({ store, keyring });
  const auditLog = openPostgresAuditBeside({
    ...{ directory: directory.path, node: randomUUID(), installation: installation.id, sessions },
  });
  closers.push('audit log', () => auditLog.close());
  return { directory, keyring, installation, store, auditLog };
}

/** Brings the schema of the database up to this version. */
export async function migratePostgres({ settings, log, clock, closers }: Parts): Promise<Migrated[]> {
  const { database, versions } = await openPostgres({ settings, log, clock, isWatching: false });
  closers.push('database', () => database.close());
  const from = await versions();
  await database.migrate();
  const to = await versions();
  return [
    { name: 'the store', from: from.store, to: to.store },
    { name: 'player data, logs and audit records', from: from.beside, to: to.beside },
  ];
}

/** What is wrong with the database, or may be. Throws a `StartupError` when no server could use it. */
export async function examineDatabase({
  settings,
  log,
  clock,
}: Omit<Parts, 'closers'>): Promise<readonly DatabaseFinding[]> {
  return await examinePostgres({ settings, log, clock });
}

/** Names the journal of this data directory for good, because its records have the name in their keys. */
function nodeIdOf(directory: DataDirectory): string {
  const known = directory.readFile(NODE_ID_FILE)?.trim();
  if (known) return known;
  const made = randomUUID();
  directory.writeSecretFile(NODE_ID_FILE, `${made}\n`);
  return made;
}

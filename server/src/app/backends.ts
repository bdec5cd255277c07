import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { Clock } from '../clock.ts';
import type { Cluster, LoadBars, NodeRecord } from '../cluster/cluster.ts';
import { LocalCluster } from '../cluster/local.ts';
import type { Settings } from '../config/config.ts';
import { findDataDirectory, openDataDirectory } from '../data-directory/data-directory.ts';
import { openRoom } from '../data-directory/reserve.ts';
import type { Keyrings } from '../data-directory/restore.ts';
import { DATABASE_FILE } from '../data-directory/server-files.ts';
import type { SignInProvider } from '../domain/access/sign-in-provider.ts';
import { openInstallation } from '../domain/installation.ts';
import { loadBarsOf } from '../domain/players/bars/bars.ts';
import type { ProviderTokens } from '../domain/players/provider-tokens.ts';
import { findKeyring } from '../keyring.ts';
import type { Log } from '../log.ts';
import type { Metrics } from '../metrics.ts';
import { createOutside } from '../outside/outside.ts';
import { createProviderTokens } from '../outside/provider-tokens.ts';
import { createSignInProvider } from '../outside/sign-in-provider.ts';
import { createWebhookPost } from '../outside/webhook-post.ts';
import type { RandomBytes } from '../random.ts';
import { SandboxPool } from '../sandbox/pool.ts';
import { StartupError } from '../startup-error.ts';
import type { AuditReader, AuditWriter } from '../store/audit/audit-log.ts';
import { AUDIT_DATABASE_FILE, openSqliteAuditBeside, openSqliteAuditLog } from '../store/audit/sqlite.ts';
import { findOutdated } from '../store/database-copy.ts';
import { EVENTS_FILE, openSqliteEventLog } from '../store/events/sqlite.ts';
import { openSqlitePlayerData, PLAYER_DATA_FILE } from '../store/player-data/sqlite.ts';
import { createStore } from '../store/sql-store.ts';
import { openSqlite } from '../store/sqlite.ts';
import { openSqliteStageLogs, STAGE_LOGS_FILE } from '../store/stage-logs/sqlite.ts';
import type { Closers } from './closers.ts';
import { identifyDatabase } from './database-id.ts';
import type { Migrated } from './migrated.ts';
import { factsOf } from './node-facts.ts';
import type { NodeFacts } from './node-watch.ts';
import type { CloudCode } from './services.ts';
import { backUpOutdated, FORMS, findMissing } from './sqlite-files.ts';
import type { StoredBackends } from './stored-backends.ts';
import { storedLimitsOf } from './stored-limits.ts';
import { unlock } from './unlock.ts';

/**
 * What a server stores and shares, as contracts. Only this file, and those beside it that it
 * loads when they are needed, name their implementations.
 */
export interface Backends extends StoredBackends {
  readonly cluster: Cluster;
  /** What the node says of itself in the cluster. */
  readonly facts: NodeFacts;
}

/** Opens everything for a server, on a data directory that no other server may use meanwhile. Migrates the database. */
export async function openBackends(
  parts: ServerParts & { readonly metrics: Pick<Metrics, 'cluster'> },
): Promise<Backends> {
  const { settings, log, closers } = parts;
  const stored = isShared(settings) ? await openShared({ ...parts, settings }) : await openEmbedded(parts);
  if (settings.secretKey !== undefined && stored.keyring === stored.directory.nextKeyring) {
    const advice = 'set RESPARK_SECRET_KEY to the key that is in RESPARK_NEXT_SECRET_KEY';
    log.warn({ advice }, 'the secret key of the settings was replaced by its successor');
  }
  const database = settings.redisUrl === undefined ? undefined : await identifyDatabase({ ...parts, ...stored });
  const facts = factsOf(settings, parts.clock, database);
  const loadBars = loadBarsOf({ store: stored.store });
  const databaseLineage = await stored.databaseLineage?.();
  const cluster = await openCluster({ ...parts, facts: { ...facts }, databaseLineage }, loadBars);
  closers.push('cluster', () => cluster.close());
  return { ...stored, cluster, facts };
}

async function openCluster(
  parts: ServerParts & {
    readonly metrics: Pick<Metrics, 'cluster'>;
    readonly facts: NodeRecord['facts'];
    readonly databaseLineage: string | undefined;
  },
  loadBars: LoadBars,
): Promise<Cluster> {
  const { settings, clock, random, facts } = parts;
  const { redisUrl } = settings;
  if (redisUrl === undefined) {
    const cluster = new LocalCluster({ clock, random, facts });
    await cluster.loadBars(loadBars);
    return cluster;
  }
  const { openRedisCluster } = await import('./redis-backends.ts');
  return openRedisCluster({ ...parts, loadBars, settings: { ...settings, redisUrl } });
}

interface ServerParts {
  readonly settings: Settings;
  readonly log: Log;
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly closers: Closers;
}

type SettingsOfDatabase = Settings & { readonly databaseUrl: string };

/** Whether what is stored is in a database that nodes share, instead of the data directory. */
function isShared(settings: Settings): settings is SettingsOfDatabase {
  return settings.databaseUrl !== undefined;
}

async function openShared(parts: ServerParts & { settings: SettingsOfDatabase }): Promise<StoredBackends> {
  const { openPostgresBackends } = await import('./postgres-backends.ts');
  return await openPostgresBackends(parts);
}

async function openEmbedded({ settings, log, clock, closers }: ServerParts): Promise<StoredBackends> {
  const data = await openServerData({ settings, log, clock, closers });
  const { directory, room, installation } = data;
  const auditLog = openSqliteAuditLog({
    ...{ directory: directory.path, installation: installation.id, clock, log },
    onFull: () => room.release(),
    maxBytes: settings.auditMaxBytes,
  });
  closers.push('audit log', () => auditLog.close());
  // What is held back of the disk is for the store, so neither of these has it given up, or takes it when it is.
  const parts = { clock, log, isShort: () => room.isShort() };
  const limits = storedLimitsOf(settings);
  const playerData = await openSqlitePlayerData({
    ...{ ...parts, file: directory.file(PLAYER_DATA_FILE), limits: limits.playerData },
  });
  closers.push('player data', () => playerData.close());
  const stageLogs = await openSqliteStageLogs({
    ...{ ...parts, file: directory.file(STAGE_LOGS_FILE), limits: limits.stageLogs },
  });
  closers.push('stage logs', () => stageLogs.close());
  const eventLog = await openSqliteEventLog({
    ...{ clock, log, file: directory.file(EVENTS_FILE), limits: limits.events },
    onFull: () => room.release(),
  });
  closers.push('events', () => eventLog.close());
  return { ...data, auditLog, playerData, stageLogs, eventLog };
}

/**
 * Brings what a server keeps up to this version, without a server. In a data directory a backup is made before, as at a
 * start, and no server may be running on it.
 */
export async function migrateBackends(parts: ServerParts): Promise<Migrated[]> {
  const { settings } = parts;
  if (isShared(settings)) {
    const { migratePostgres } = await import('./postgres-backends.ts');
    return await migratePostgres({ ...parts, settings });
  }
  const path = resolve(settings.dataDir);
  findDataDirectory(path);
  const before = Object.entries(FORMS).map(([name, form]) => {
    const file = join(path, name);
    return { name, from: findOutdated({ form, file }) ?? (existsSync(file) ? form.newest : 0), to: form.newest };
  });
  await openEmbedded(parts);
  return before;
}

/** Copies what a data directory keeps to the database at `url`. No server may be using either. */
export async function copyBackends({
  url,
  progress,
  ...parts
}: ServerParts & {
  readonly url: string;
  readonly progress: (name: string, rows: number) => void;
}): Promise<Readonly<Record<string, number>>> {
  const { settings } = parts;
  const source = await openBackendsAlone({ ...parts, settings: { ...settings, databaseUrl: undefined } });
  const { copyToDatabase } = await import('./postgres-copy.ts');
  return await copyToDatabase({ ...parts, ...source, settings: { ...settings, databaseUrl: url }, progress });
}

/** Opens what runs scripts, and what they reach outside. */
export async function openCloudCode({
  backends: { store, playerData, stageLogs },
  ...parts
}: CommandParts & { backends: Pick<Backends, 'store' | 'playerData' | 'stageLogs'> }): Promise<CloudCode> {
  const { closers } = parts;
  const sandbox = await SandboxPool.open(parts);
  closers.push('sandbox', () => sandbox.close());
  // The first message after a start does not wait for threads.
  if (await store.runtimes.areThere()) sandbox.start();
  const outside = createOutside(parts);
  closers.push('outside', () => outside.close());
  await outside.warmUp();
  return { playerData, stageLogs, sandbox, outside };
}

/** Opens what checks the tokens of identity providers. */
export function openProviderTokens({ settings, log, clock, closers }: CommandParts): ProviderTokens {
  const providerTokens = createProviderTokens({ settings, log, clock });
  closers.push('keys of identity providers', async () => providerTokens.close());
  return providerTokens;
}

/** Opens the way to the provider by which teams sign in; undefined where there is none, or no console to sign in to. */
export function openSignInProvider({ settings, log, clock, closers }: CommandParts): SignInProvider | undefined {
  const { signInIssuer, signInClientId, nodeRole } = settings;
  if (signInIssuer === undefined || signInClientId === undefined || nodeRole === 'gateway') return undefined;
  const provider = createSignInProvider({ settings: { ...settings, signInIssuer, signInClientId }, log, clock });
  closers.push('sign-in', async () => provider.close());
  return provider;
}

/** Opens what sends webhooks. */
export function openWebhookPost({ settings, log, clock, closers }: CommandParts) {
  const post = createWebhookPost({ settings, log, clock });
  closers.push('webhook connections', () => post.close());
  return post;
}

/** What a command uses: the server's own cluster and journal are the server's. */
type BackendsOfCommand = Pick<Backends, 'directory' | 'keyring' | 'installation' | 'store'> & {
  readonly auditLog: AuditReader & AuditWriter;
};

/** Opens what a command needs, whether or not a server is running. Creates nothing, and commands change only keys. */
export async function openBackendsBeside(parts: CommandParts): Promise<BackendsOfCommand> {
  return await openBackendsOfCommand({ ...parts, isShared: true });
}

/** The same for a command that no server may run beside. */
export async function openBackendsAlone(parts: CommandParts): Promise<BackendsOfCommand> {
  return await openBackendsOfCommand({ ...parts, isShared: false });
}

/** What commands are opened with, and what servers have too. */
export interface CommandParts {
  readonly settings: Settings;
  readonly log: Log;
  readonly clock: Clock;
  readonly closers: Closers;
}

async function openBackendsOfCommand({
  settings,
  log,
  clock,
  closers,
  isShared: isBeside,
}: CommandParts & { readonly isShared: boolean }): Promise<BackendsOfCommand> {
  if (isShared(settings)) {
    const { openPostgresBackendsOfCommand } = await import('./postgres-backends.ts');
    return await openPostgresBackendsOfCommand({ settings, log, clock, closers, isShared: isBeside });
  }
  const { dataDir, secretKey, nextSecretKey } = settings;
  const directory = openDataDirectory({ path: dataDir, secretKey, nextSecretKey, isShared: isBeside, isMade: true });
  closers.push('data directory', () => directory.close());
  const database = openSqlite({ file: directory.file(DATABASE_FILE) });
  closers.push('database', () => database.close());
  // A command of another version must not change the schema under a running server.
  await database.assertMigrated();
  const store = createStore(database);
  const keyring = await unlock({ directory, store, isShared: isBeside, isKeyOfSettings: secretKey !== undefined });
  const installation = await openInstallation({ store, keyring });
  // To make it anew here would take from the next start what it warns of, and have a log that is gone pass for an empty one.
  if (!existsSync(directory.file(AUDIT_DATABASE_FILE))) {
    throw new StartupError(
      `${AUDIT_DATABASE_FILE} is missing in the data directory ${directory.path}: put it back from where the other files came, or start the server, which begins the audit log anew`,
    );
  }
  const auditLog = openSqliteAuditBeside({ directory: directory.path, installation: installation.id });
  closers.push('audit log', () => auditLog.close());
  return { directory, keyring, installation, store, auditLog };
}

const MISSING_DATABASES =
  'databases are missing in the data directory, or empty, and begin anew: if its files were copied, stop the server and copy all of them';

async function openServerData({
  settings: { dataDir, secretKey, nextSecretKey, ...settings },
  log,
  clock,
  closers,
}: {
  settings: Settings;
  log: Log;
  clock: Clock;
  closers: Closers;
}): Promise<Pick<Backends, 'directory' | 'keyring' | 'installation' | 'store' | 'room'>> {
  const directory = openDataDirectory({ path: dataDir, secretKey, nextSecretKey });
  closers.push('data directory', () => directory.close());
  const room = openRoom({ path: directory.path, isInPlace: directory.isInPlace, clock, log, settings });
  closers.push('room of the disk', () => room.close());
  // Before anything opens them: SQLite gives a file without a byte its first page.
  const missing = findMissing(directory);
  await backUpOutdated({ directory, log, clock });
  const database = openSqlite({ file: directory.file(DATABASE_FILE), clock, onFull: () => room.release() });
  closers.push('database', () => database.close());
  await database.migrate();
  const store = createStore(database);
  const keyring = await unlock({ directory, store, isShared: false, isKeyOfSettings: secretKey !== undefined });
  if (missing.length > 0) log.warn({ path: directory.path, missing }, MISSING_DATABASES);
  return { directory, keyring, installation: await openInstallation({ store, keyring }), store, room };
}

/**
 * Opens what was unpacked from a backup, before a server does. Throws a `StartupError` when none of the
 * keyrings is that of its store. The audit log is brought up to this program's version.
 */
export async function openUnpacked({
  directory,
  keyrings,
  log,
  clock,
  closers,
}: {
  directory: string;
  keyrings: Keyrings;
  log: Log;
  clock: Clock;
  closers: Closers;
}): Promise<Pick<Backends, 'auditLog'>> {
  const database = openSqlite({ file: join(directory, DATABASE_FILE) });
  closers.push('database', () => database.close());
  const store = createStore(database);
  const installation = await openInstallation({ store, keyring: await findKeyring(store, keyrings) });
  const auditLog = openSqliteAuditLog({ directory, installation: installation.id, clock, log });
  closers.push('audit log', () => auditLog.close());
  return { auditLog };
}

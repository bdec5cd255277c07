import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { CONNECT_PATH } from '@respark/protocol';
import { ACTIONS } from './api/every-operation.ts';
import {
  copyBackends,
  migrateBackends,
  openBackends,
  openBackendsAlone,
  openBackendsBeside,
  openCloudCode,
  openProviderTokens,
  openWebhookPost,
} from './app/backends.ts';
import { restoreBackup, writeBackup } from './app/backups.ts';
import { Closers } from './app/closers.ts';
import { consoleLink, leaveConsoleLink } from './app/console-keys.ts';
import { DEMO_GAME, DEMO_STAGE, ensureDemo, withLocalProviders } from './app/demo.ts';
import { withLeftCode } from './app/left-code.ts';
import { listen, listenForMetrics, listenForPlayers } from './app/listeners.ts';
import { findBootId, warnOfLostPower } from './app/lost-power.ts';
import type { Migrated } from './app/migrated.ts';
import { createNode } from './app/node.ts';
import { osUser } from './app/os-user.ts';
import type { RedisSettings } from './app/redis-backends.ts';
import { ensureRoot, openAccess, type RootKey, writeRootCredentials } from './app/root-key.ts';
import { type Rotation, rotateSecretKey } from './app/secret-rotation.ts';
import { createServices, type Services } from './app/services.ts';
import { openSignInSites } from './app/sign-in-sites.ts';
import { findDamage, findMissing } from './app/sqlite-files.ts';
import { resumeWork } from './app/take-over.ts';
import { warningsOf } from './app/warnings.ts';
import { type Clock, passing, systemClock, withTimeout } from './clock.ts';
import type { Settings } from './config/config.ts';
import { createOneTimeCodes } from './console/one-time-codes.ts';
import { directoryError } from './data-directory/data-directory.ts';
import { DEMO_FILE, RUNNING_FILE } from './data-directory/local-files.ts';
import type { Access } from './domain/access/access.ts';
import { createRefusals } from './domain/access/refusals.ts';
import { createArns } from './domain/arn.ts';
import { createAudit, createRecording } from './domain/audit/audit.ts';
import { createRecordLocally, type RecordLocally } from './domain/local-changes.ts';
import { createAuditWithinRoom } from './domain/short-room.ts';
import { createExaminer } from './examiner/examiner.ts';
import { findFileFault } from './file-fault.ts';
import type { Log } from './log.ts';
import { createMetrics } from './metrics.ts';
import { findOpenFileLimit, watchOpenFiles } from './open-files.ts';
import { createSystemRandom, type RandomBytes, uuidV7 } from './random.ts';
import { StartupError } from './startup-error.ts';
import type { AuditReader } from './store/audit/audit-log.ts';
import { createThreads } from './threads/threads.ts';

/** What a server takes from outside. Tests may pass their own clock and randomness; the default is this machine's. */
interface Surroundings {
  readonly settings: Settings;
  readonly log: Log;
  readonly clock?: Clock;
  readonly random?: RandomBytes;
}

export interface RunningServer {
  /** Base URL of the management API, for clients on this machine. */
  readonly url: string;
  /** Where players on this machine connect, path included. */
  readonly playerUrl: string;
  /** Where the metrics are. Only this machine may read them unless they have a listener of their own. */
  readonly metricsUrl: string;
  readonly root: RootKey;
  /** Present when the server was started with the demo game. */
  readonly demo?: {
    readonly gameName: string;
    readonly stageName: string;
    readonly gameKey: string;
    readonly playerId: string;
  };
  /** Where the console is; undefined on a node without one. */
  readonly consoleUrl?: string;
  /** The console's address with a code that signs in once within a minute. Only a demo that listens on a loopback address has one. */
  readonly consoleLink?: string;
  /** What the operator should know about these settings. */
  readonly warnings: readonly string[];
  /** Resolves when an operator has asked the node to drain: the caller then stops it as at a signal. */
  readonly drainAsked: Promise<void>;
  /**
   * Resolves, with advice, when another server has taken the database, which this one could not reach: the caller then closes
   * it at once, because the other would say of its players that they are not connected.
   */
  readonly displaced: Promise<string>;
  /** What the server holds at the moment, so that a test can check that nothing is left behind. */
  counts(): Readonly<Record<string, number>>;
  /**
   * Goes on listening, but answers new players and calls with 503 and says that it is not ready, so that load balancers
   * send them elsewhere. Connected players are served. Resolves after `drainDelayMs`, or when `hurry` resolves.
   */
  turnAway(hurry: Promise<void>): Promise<void>;
  /**
   * Takes no new players or calls, closes the connected players, and lets calls in flight and what handlers have to do
   * finish. Resolves after `drainTimeoutMs` at the latest.
   */
  drain(): Promise<void>;
  /** Releases everything, in reverse order of acquisition. */
  close(): Promise<void>;
}

/** Starts a server. If it cannot, it releases everything and throws; what an operator can fix is a StartupError. */
export async function startServer(options: Surroundings & { demo?: boolean }): Promise<RunningServer> {
  const { log, clock = systemClock, random = createSystemRandom(), demo: hasDemo = false } = options;
  const settings = hasDemo ? withLocalProviders(options.settings) : options.settings;
  assertClock(clock.now());
  const closers = new Closers();
  try {
    return await start({ settings, log, clock, random, closers, hasDemo });
  } catch (error) {
    await closers.close({ clock, log });
    throw findFileFault(error) === undefined ? error : directoryError(resolve(settings.dataDir), error);
  }
}

/** Ids begin with the time, and have no room for one before 1970. */
function assertClock(now: number): void {
  if (now >= 0) return;
  throw new StartupError(
    `the clock of this machine says ${new Date(now).toISOString()}, which is before 1970: set it, and keep it in time`,
  );
}

/** The start, step by step, in order. */
async function start(
  parts: Required<Surroundings> & { readonly closers: Closers; readonly hasDemo: boolean },
): Promise<RunningServer> {
  const { settings, log, clock, random, closers, hasDemo } = parts;
  const metrics = createMetrics();
  closers.push('metrics', () => metrics.close());
  const backends = await openBackends({ ...parts, metrics });
  const { directory, keyring, room, store, cluster, auditLog, eventLog } = backends;
  warnOfLostPower({ directory, log });
  const audit = createAudit({ auditLog, clock, log, metrics, settings });
  closers.push('audit', () => audit.close());
  const refusals = createRefusals({ audit, clock, log });
  closers.push('refusals', () => refusals.close());
  const record = createRecordLocally({ audit, actor: osUser(), clock, random });
  const access = openAccess({ keyring, store, settings, record, clock, random });
  const root = await ensureRoot(access, directory, settings);
  const arns = createArns(settings);
  const examiner = createExaminer({ clock, settings });
  const threads = createThreads({ clock });
  // Set when the listener is open. Only calls read it, and they come through the listener.
  let url = '';
  const services = createServices({
    ...parts,
    cloudCode: await openCloudCode({ backends, settings, log, clock, closers }),
    providerTokens: openProviderTokens({ settings, log, clock, closers }),
    webhookPost: openWebhookPost(parts),
    ...{ keyring, store, auditLog, eventLog, cluster, metrics, arns, databaseTime: backends.databaseTime },
    audit: createAuditWithinRoom({ audit, room, clock }),
    ...{ access, actions: ACTIONS },
    examine: examiner.examine,
    longWork: threads,
  });
  closers.push('lines of scripts', () => services.scriptLines.flush());
  for (const work of services.background) closers.push(work.name, () => work.close());
  // Pushed last, so that it closes before the background work, which waits for examinations that may outlast a stop.
  closers.push('examiner', () => examiner.close());
  closers.push('threads', () => threads.close());

  const codes = createOneTimeCodes({ clock, random });
  const shared = { ...parts, access, audit, refusals, ownUrl: () => url };
  const signInSites = openSignInSites({ ...shared, keyring, codes: withLeftCode({ codes, directory, clock }) });
  const node = createNode({ ...shared, backends, metrics, arns, services, longWork: threads, signInSites });
  const { gateway, drainAsked, turns, upgrade, listeners, requests } = node;
  await beginWork({ ...parts, services });

  const management = await listen({ settings, log, clock, closers, turns, upgrade, listeners });
  url = `${management.isTls ? 'https' : 'http'}://${management.authority}`;
  const playerServer =
    (await listenForPlayers({ settings, log, clock, closers, turns, upgrade, listeners })) ?? management;
  // The players are closed before the listeners, whose close waits for upgraded sockets too.
  closers.push('players', () => gateway.drain(0));
  const playerUrl = `${playerServer.isTls ? 'wss' : 'ws'}://${playerServer.authority}${CONNECT_PATH}`;
  const metricsUrl = (await listenForMetrics({ settings, log, clock, closers, turns, listeners })) ?? `${url}/metrics`;
  const demo = hasDemo
    ? await ensureDemo({ ...services, arns, newRequestId: () => uuidV7(random, clock.now()) })
    : undefined;
  if (demo !== undefined) directory.writeSecretFile(DEMO_FILE, JSON.stringify(demo));
  directory.writeSecretFile(RUNNING_FILE, JSON.stringify({ url, playerUrl, bootId: findBootId() }));
  closers.push(RUNNING_FILE, () => directory.removeFile(RUNNING_FILE));
  const openFileLimit = await findOpenFileLimit(process.platform);
  closers.push('open files', watchOpenFiles({ clock, log }).close);
  log.info({ url, playerUrl, metricsUrl, node: cluster.node }, 'server started');
  return {
    ...{ url, playerUrl, metricsUrl, root },
    ...(demo && {
      demo: { gameName: DEMO_GAME, stageName: DEMO_STAGE, gameKey: demo.gameKey, playerId: demo.playerId },
    }),
    ...consoleLink({ settings, url, codes, hasDemo }),
    warnings: [
      ...directory.warnings,
      ...warningsOf({ settings, management, playerServer, nodeVersion: process.versions.node, openFileLimit, clock }),
    ],
    ...{ drainAsked, displaced: backends.displaced ?? new Promise(() => {}) },
    counts: () => ({ ...node.counts(), inFlight: requests.inFlight }),
    async turnAway(hurry) {
      gateway.turnAway();
      // From this call on, each reply also closes its connection; calls in flight are waited for later.
      void requests.drain();
      await passing(settings.drainDelayMs, hurry, clock);
    },
    async drain() {
      for (const server of new Set([management, playerServer])) server.stopListening();
      await drain({ gateway, requests, answers: services.answers, settings, log, clock });
    },
    close: () => closers.close({ clock, log }),
  };
}

/**
 * Clients can send nothing more by now. What they sent before is handled to its end: a player may have paid for what the handler
 * gives next.
 */
async function drain({
  gateway,
  requests,
  answers,
  settings,
  log,
  clock,
}: Pick<ReturnType<typeof createNode>, 'gateway' | 'requests'> &
  Pick<Services, 'answers'> &
  Pick<Required<Surroundings>, 'settings' | 'log' | 'clock'>): Promise<void> {
  const left = Promise.all([gateway.drain(settings.drainTimeoutMs), requests.drain()]);
  const done = left.then(() => answers.settled());
  await withTimeout(done, settings.drainTimeoutMs, clock).catch(() => {
    log.warn({ inFlight: requests.inFlight }, 'calls and handlers were cut off because the drain time was over');
  });
}

/**
 * Goes on with what the last start has left. The gateway must be there: an unfinished deletion closes the stage's players,
 * of whom there are none before the server listens.
 */
async function beginWork({
  services,
  ...parts
}: Parameters<typeof start>[0] & { readonly services: Services }): Promise<void> {
  await resumeWork({ ...parts, background: services.background });
  services.bars.start();
  parts.closers.push('webhooks', () => services.deliveries.close());
  // Before players come, because somebody may want to hear of them.
  await services.deliveries.start();
}

/** What a command may do in the data directory, whether or not a server is running on it. */
interface Administration {
  readonly access: Access;
  readonly auditLog: Pick<AuditReader, 'find' | 'chain'>;
  /** Which of a game and a stage of it is not there, if one is not. */
  findMissing(names: {
    readonly game: string;
    readonly stage?: string | undefined;
  }): Promise<'game' | 'stage' | undefined>;
  /** Puts what else the command changes on record. */
  readonly record: RecordLocally;
  close(): Promise<void>;
}

/** Opens a data directory for a command. Never creates one. The caller must close what it gets. */
export async function openAdministration(options: Surroundings): Promise<Administration> {
  const { settings, log, clock = systemClock, random = createSystemRandom() } = options;
  const closers = new Closers();
  try {
    const { directory, keyring, store, auditLog } = await openBackendsBeside({ settings, log, clock, closers });
    const audit = createRecording({ auditLog, clock, log });
    const record = createRecordLocally({ audit, actor: osUser(), clock, random });
    const access = openAccess({ keyring, store, settings, record, clock, random });
    return {
      auditLog,
      record,
      async findMissing({ game, stage }) {
        if ((await store.games.find(game)) === undefined) return 'game';
        return stage !== undefined && (await store.stages.find(game, stage)) === undefined ? 'stage' : undefined;
      },
      access: {
        ...access,
        async rotateRoot() {
          const root = await access.rotateRoot();
          // With a database a command may run where no server does.
          if (existsSync(directory.path)) writeRootCredentials(directory, root);
          return root;
        },
      },
      close: () => closers.close({ clock, log }),
    };
  } catch (error) {
    await closers.close({ clock, log });
    throw findFileFault(error) === undefined ? error : directoryError(resolve(settings.dataDir), error);
  }
}

/**
 * Makes a link that signs in to the console of the server at `url`, which runs on the data directory: once, within a
 * minute, on this machine. Throws a `StartupError`.
 */
export async function makeConsoleLink({ url, ...options }: Surroundings & { readonly url: string }): Promise<string> {
  return await forCommand(options, async (parts) => {
    const { directory, auditLog } = await openBackendsBeside(parts);
    const audit = createRecording({ auditLog, ...parts });
    const record = createRecordLocally({ audit, actor: osUser(), ...parts });
    return await leaveConsoleLink({ ...parts, url, directory, record });
  });
}

/** What a command may do with a whole data directory. */
export const backUpData = writeBackup;
export const restoreData = restoreBackup;
export const findDamagedFiles = findDamage;

/** The databases that the next start on a data directory begins anew, though others are there. */
export async function findMissingDatabases(dataDir: string): Promise<readonly string[]> {
  return findMissing({ file: (name) => join(dataDir, name) });
}

/** What a command may find out about the servers that hold the directory of a cluster. Rejects when they are away. */
export async function examineRedis(settings: RedisSettings) {
  const { examineRedis } = await import('./app/redis-backends.ts');
  return await examineRedis(settings);
}

/** What a command may find out about the database. Throws a `StartupError` when no server could use it. */
export async function examineDatabase({
  settings,
  log,
  clock = systemClock,
}: {
  readonly settings: Settings & { readonly databaseUrl: string };
  readonly log: Log;
  readonly clock?: Clock;
}) {
  const { examineDatabase } = await import('./app/postgres-backends.ts');
  return await examineDatabase({ settings, log, clock });
}

/** Brings the schema of what the settings name up to this version. */
export async function migrateData(options: Surroundings): Promise<Migrated[]> {
  return await forCommand(options, migrateBackends);
}

/**
 * Copies a data directory, which no server uses, into an empty PostgreSQL database. Resolves with the number of rows of each
 * table.
 */
export async function copyData({
  url,
  progress,
  ...options
}: Surroundings & {
  readonly url: string;
  readonly progress: (name: string, rows: number) => void;
}): Promise<Readonly<Record<string, number>>> {
  return await forCommand(options, (parts) => copyBackends({ ...parts, url, progress }));
}

async function forCommand<T>(
  { settings, log, clock = systemClock, random = createSystemRandom() }: Surroundings,
  work: (parts: Required<Surroundings> & { readonly closers: Closers }) => Promise<T>,
): Promise<T> {
  const closers = new Closers();
  try {
    return await work({ settings, log, clock, random, closers });
  } finally {
    await closers.close({ clock, log });
  }
}

/** Replaces the secret key of a data directory that no server uses, as `rotateSecretKey` says. */
export async function replaceSecretKey(options: Surroundings): Promise<Rotation> {
  return await forCommand(options, async (parts) => {
    const { settings, clock, log, random } = parts;
    const backends = await openBackendsAlone(parts);
    const audit = createRecording({ auditLog: backends.auditLog, clock, log });
    const record = createRecordLocally({ audit, actor: osUser(), clock, random });
    return await rotateSecretKey({ ...backends, record, settings });
  });
}

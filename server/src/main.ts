import { CONNECT_PATH } from '@respark/protocol';
import { OPERATIONS } from './api/operations/index.ts';
import { createManagementPages, createObservationPages, playerPages, servePages } from './api/pages.ts';
import { createPipeline } from './api/pipeline.ts';
import { Closers } from './app/closers.ts';
import { DEMO_GAME, DEMO_STAGE, ensureDemo } from './app/demo.ts';
import { type Clock, systemClock, withTimeout } from './clock.ts';
import { LocalCluster } from './cluster/local.ts';
import type { Settings } from './config/config.ts';
import { DATABASE_FILE, type DataDirectory, openDataDirectory } from './data-directory/data-directory.ts';
import { DEMO_FILE, ROOT_CREDENTIALS_FILE, RUNNING_FILE } from './data-directory/local-files.ts';
import { type Access, type AccessKeyPair, createAccess } from './domain/access/access.ts';
import { type Arns, createArns } from './domain/arn.ts';
import { createAudit } from './domain/audit.ts';
import { createConfigurations } from './domain/configurations.ts';
import { createDeletions } from './domain/deletions.ts';
import { createDeployments } from './domain/deployments.ts';
import { createDownloads } from './domain/downloads.ts';
import type { Examine } from './domain/examination.ts';
import { createExtensions } from './domain/extensions.ts';
import { createGames } from './domain/games.ts';
import { createGeneratedCodeJobs } from './domain/generated-code-jobs.ts';
import { createPaginate } from './domain/pagination.ts';
import { createPlayerTokens } from './domain/players/player-tokens.ts';
import { createPlayers } from './domain/players/players.ts';
import { createMessages } from './domain/runtime/messages.ts';
import { createRuntimes, type Runtimes } from './domain/runtime/runtimes.ts';
import { createSnapshots } from './domain/snapshots.ts';
import { createStages } from './domain/stages.ts';
import { createResourceTags } from './domain/tags.ts';
import { createExaminer } from './examiner/examiner.ts';
import { Gateway } from './gateway/gateway.ts';
import { Limits } from './gateway/limits.ts';
import { createUpgradeHandler } from './gateway/upgrade.ts';
import { createClientAddress, createProxyCheck } from './http/client-address.ts';
import { type HttpServer, openHttpServer, type TlsFiles } from './http/http-server.ts';
import { type ApiListener, createApiListener, type Pages } from './http/listener.ts';
import { limitSockets } from './http/socket-limits.ts';
import { verifyKeyring } from './keyring.ts';
import type { Log } from './log.ts';
import { createMetrics, type Metrics } from './metrics.ts';
import { createSystemRandom, type RandomBytes } from './random.ts';
import type { AuditReader } from './store/audit/audit-log.ts';
import { openSqliteAuditLog, openSqliteAuditReader } from './store/audit/sqlite.ts';
import { createStore } from './store/sql-store.ts';
import { openSqlite } from './store/sqlite.ts';
import type { Store } from './store/store.ts';

/** Everything a server is made of may be handed in by a test; by default it is this machine's. */
interface World {
  readonly settings: Settings;
  readonly log: Log;
  readonly clock?: Clock;
  readonly random?: RandomBytes;
}

export interface RunningServer {
  /** Base URL of the management API, as clients on this machine reach it. */
  readonly url: string;
  /** Where players on this machine connect. */
  readonly playerUrl: string;
  /** Where metrics are; to this machine only, unless they have a listener of their own. */
  readonly metricsUrl: string;
  readonly root: {
    readonly accessKeyId: string;
    /** Absent when the settings brought it. */
    readonly secretAccessKey?: string;
    /** Absent when the settings brought the key. */
    readonly credentialsFile?: string;
    readonly isNew: boolean;
  };
  readonly demo?: {
    readonly gameName: string;
    readonly stageName: string;
    readonly gameKey: string;
    readonly playerId: string;
  };
  /** What the operator should know about these settings. */
  readonly warnings: readonly string[];
  /** What is held at the moment, for checks that nothing is left behind. */
  counts(): Readonly<Record<string, number>>;
  /** No new players or calls; closes the players, lets calls in flight finish. Resolves by `drainTimeoutMs`. */
  drain(): Promise<void>;
  /** Releases everything, in reverse order of acquisition. */
  close(): Promise<void>;
}

/** Starts a server; what was acquired is released again when it cannot. Throws a StartupError for the operator. */
export async function startServer(options: World & { demo?: boolean }): Promise<RunningServer> {
  const { settings, log, clock = systemClock, random = createSystemRandom() } = options;
  const closers = new Closers();
  try {
    return await assemble({ settings, log, clock, random, closers, hasDemo: options.demo ?? false });
  } catch (error) {
    await closers.close({ clock, log });
    throw error;
  }
}

/** What a command may do to the data directory, beside a running server or without one. */
interface Administration {
  readonly access: Access;
  readonly auditLog: Pick<AuditReader, 'find'>;
  close(): Promise<void>;
}

export async function openAdministration(options: World): Promise<Administration> {
  const { settings, log, clock = systemClock, random = createSystemRandom() } = options;
  const closers = new Closers();
  try {
    const { directory, store } = await openData({ settings, closers, isShared: true });
    const access = openAccess({ directory, store, settings, clock, random });
    const auditLog = openSqliteAuditReader({ directory: directory.path });
    closers.push('audit log', () => auditLog.close());
    return {
      auditLog,
      access: {
        ...access,
        async rotateRoot() {
          const root = await access.rotateRoot();
          writeRootCredentials(directory, root);
          return root;
        },
      },
      close: () => closers.close({ clock, log }),
    };
  } catch (error) {
    await closers.close({ clock, log });
    throw error;
  }
}

type Assembly = Required<World> & { readonly closers: Closers };

async function assemble(parts: Assembly & { hasDemo: boolean }): Promise<RunningServer> {
  const { settings, log, clock, random, closers, hasDemo } = parts;
  const { directory, store } = await openData({ settings, closers, isShared: false });
  const access = openAccess({ directory, store, settings, clock, random });
  const root = await ensureRoot(access, directory, settings);
  let url = '';
  const publicUrl = () => settings.publicUrl ?? url;
  const node = createNode({ ...parts, directory, store, access, publicUrl });
  const { services, cluster, gateway, api, upgrade, observe } = node;
  // Players that an unfinished deletion left behind are closed by it; there can be none before we listen.
  await services.deletions.resume();
  await services.deployments.resume();
  await services.generatedCodeJobs.resume();

  const management = await listen({ settings, log, closers, upgrade, api });
  url = `${management.isTls ? 'https' : 'http'}://${management.authority}`;
  const playerServer = (await listenForPlayers({ settings, log, closers, upgrade })) ?? management;
  // Before the listeners, whose close waits for upgraded sockets too.
  closers.push('players', () => gateway.drain(0));
  const playerUrl = `${playerServer.isTls ? 'wss' : 'ws'}://${playerServer.authority}${CONNECT_PATH}`;
  const metricsUrl = (await listenForMetrics({ settings, log, closers, observe })) ?? `${url}/metrics`;
  const demo = hasDemo ? await ensureDemo(services) : undefined;
  if (demo !== undefined) directory.writeSecretFile(DEMO_FILE, JSON.stringify(demo));
  directory.writeSecretFile(RUNNING_FILE, JSON.stringify({ url, playerUrl }));
  closers.push(RUNNING_FILE, () => directory.removeFile(RUNNING_FILE));
  log.info({ url, playerUrl, metricsUrl, node: cluster.node }, 'server started');

  return {
    url,
    playerUrl,
    metricsUrl,
    root,
    ...(demo === undefined
      ? {}
      : { demo: { gameName: DEMO_GAME, stageName: DEMO_STAGE, gameKey: demo.gameKey, playerId: demo.playerId } }),
    warnings: warningsOf({ settings, playerServer, url }),
    counts: () => ({ ...node.counts(), inFlight: api.inFlight }),
    async drain() {
      for (const server of new Set([management, playerServer])) server.stopListening();
      const done = Promise.all([gateway.drain(settings.drainTimeoutMs), api.drain()]);
      await withTimeout(done, settings.drainTimeoutMs, clock).catch(() => {
        log.warn({ inFlight: api.inFlight }, 'calls in flight were cut off when the time to drain was over');
      });
    },
    close: () => closers.close({ clock, log }),
  };
}

/** Everything between the data and the listeners. */
function createNode(
  parts: Assembly & { directory: DataDirectory; store: Store; access: Access; publicUrl: () => string },
) {
  const { settings, log, clock, random, closers, directory, store, access } = parts;
  const cluster = new LocalCluster({ clock, random });
  closers.push('cluster', () => cluster.close());
  const limits = new Limits({ settings, clock });
  const runtimes = createRuntimes({ log });
  const counts = () => ({ ...gateway.counts, ...limits.counts, directory: cluster.size, runtimes: runtimes.size });
  const metrics = createMetrics({ counts });
  closers.push('metrics', () => metrics.close());
  const auditLog = openSqliteAuditLog({ directory: directory.path, clock, log });
  closers.push('audit log', () => auditLog.close());
  const audit = createAudit({ auditLog, clock, log, metrics, settings });
  closers.push('audit', () => audit.close());
  const arns = createArns(settings);
  const examiner = createExaminer({ clock });
  const services = createServices({ ...parts, cluster, metrics, runtimes, examine: examiner.examine, arns });
  closers.push('deletions', () => services.deletions.close());
  closers.push('deployments', () => services.deployments.close());
  closers.push('generated code jobs', () => services.generatedCodeJobs.close());
  // Before those who wait for it: an examination may take longer than a stop.
  closers.push('examiner', () => examiner.close());

  const messages = createMessages({ players: services.players });
  const { players, downloads } = services;
  const gateway = new Gateway({ players, messages, runtimes, cluster, limits, clock, random, log, metrics, settings });
  const pipeline = createPipeline({
    operations: OPERATIONS,
    services,
    findCredential: (id) => access.findCredential(id),
    arns,
    audit,
    metrics,
    clock,
    random,
    log,
    settings,
  });
  const observe = createObservationPages({
    metrics,
    async notReadyCauses() {
      const isStoreThere = await store.meta.get('').then(
        () => true,
        () => false,
      );
      const causes = { draining: gateway.isDraining, store: !isStoreThere, 'audit log': !(await audit.isHealthy()) };
      return Object.entries(causes).flatMap(([cause, holds]) => (holds ? [cause] : []));
    },
  });
  const pages = createManagementPages({
    observe,
    downloads,
    hasMetricsElsewhere: settings.metricsPort !== undefined,
    hasPlayers: settings.playerPort === undefined,
  });
  const clientAddress = createClientAddress(settings);
  const api = createApiListener({ pipeline, pages, clientAddress, settings, clock, random, log });
  const upgrade = createUpgradeHandler({ gateway, limits, clientAddress, metrics, settings });
  return { services, cluster, gateway, counts, api, upgrade, observe };
}

async function openData({
  settings,
  closers,
  isShared,
}: {
  settings: Settings;
  closers: Closers;
  isShared: boolean;
}): Promise<{ directory: DataDirectory; store: Store }> {
  const { dataDir, secretKey } = settings;
  const directory = openDataDirectory({ path: dataDir, secretKey, isShared });
  closers.push('data directory', () => directory.close());
  const database = openSqlite({ file: directory.file(DATABASE_FILE) });
  closers.push('database', () => database.close());
  // A command of another version must not change the schema under the running server.
  await (isShared ? database.assertMigrated() : database.migrate());
  const store = createStore(database);
  await verifyKeyring(store, directory.keyring);
  return { directory, store };
}

function openAccess({
  directory,
  store,
  settings,
  clock,
  random,
}: {
  directory: DataDirectory;
  store: Store;
  settings: Settings;
  clock: Clock;
  random: RandomBytes;
}): Access {
  const { rootAccessKeyId, rootSecretAccessKey, maxAccessKeys } = settings;
  const rootOverride =
    rootAccessKeyId === undefined || rootSecretAccessKey === undefined
      ? undefined
      : { accessKeyId: rootAccessKeyId, secretAccessKey: rootSecretAccessKey };
  return createAccess({ store, keyring: directory.keyring, clock, random, rootOverride, maxAccessKeys });
}

async function ensureRoot(
  access: Access,
  directory: DataDirectory,
  settings: Settings,
): Promise<RunningServer['root']> {
  const root = await access.ensureRoot();
  // Secrets that the operator keeps elsewhere are not copied.
  if (settings.rootAccessKeyId !== undefined) return { accessKeyId: root.accessKeyId, isNew: false };
  writeRootCredentials(directory, root);
  return { ...root, credentialsFile: directory.file(ROOT_CREDENTIALS_FILE) };
}

/** Leaves the root key where commands on this machine can sign with it; the store has its secret only sealed. */
function writeRootCredentials(directory: DataDirectory, { accessKeyId, secretAccessKey }: AccessKeyPair): void {
  directory.writeSecretFile(ROOT_CREDENTIALS_FILE, JSON.stringify({ accessKeyId, secretAccessKey }));
}

function createServices({
  directory,
  store,
  cluster,
  settings,
  log,
  clock,
  random,
  metrics,
  runtimes,
  examine,
  arns,
  publicUrl,
}: Assembly & {
  directory: DataDirectory;
  store: Store;
  cluster: LocalCluster;
  metrics: Metrics;
  runtimes: Runtimes;
  examine: Examine;
  arns: Arns;
  publicUrl: () => string;
}) {
  const { keyring } = directory;
  const deletions = createDeletions({ store, cluster, clock, log, settings });
  const paginate = createPaginate({ sealer: keyring });
  const tokens = createPlayerTokens({
    deriveKey: (purpose) => keyring.deriveKey(purpose),
    clock,
    lifetimeMs: settings.playerTokenLifetimeMs,
  });
  const downloads = createDownloads({ store, sealer: keyring, clock, publicUrl });
  const parts = { store, deletions, downloads, paginate, examine, runtimes, clock, random, log, settings };
  return {
    deletions,
    downloads,
    games: createGames(parts),
    stages: createStages(parts),
    configurations: createConfigurations(parts),
    snapshots: createSnapshots(parts),
    deployments: createDeployments(parts),
    generatedCodeJobs: createGeneratedCodeJobs(parts),
    extensions: createExtensions({ paginate }),
    resourceTags: createResourceTags({ store, arns, clock }),
    players: createPlayers({ store, cluster, tokens, clock, random, log, metrics, settings }),
  };
}

interface ListenerParts {
  readonly settings: Settings;
  readonly log: Log;
  readonly closers: Closers;
  readonly upgrade: ReturnType<typeof createUpgradeHandler>;
}

/** The listener of the management API, and of the players unless the settings give them a port of their own. */
async function listen({ settings, log, closers, upgrade, api }: ListenerParts & { api: ApiListener }) {
  const { host, port, tlsCertFile, tlsKeyFile } = settings;
  const management = await openHttpServer({
    host,
    port,
    tls: tlsFiles(tlsCertFile, tlsKeyFile),
    log,
    settingPrefix: 'RESPARK_',
    attach(server) {
      api.attach(server);
      if (settings.playerPort === undefined) server.on('upgrade', upgrade);
      limitSockets(server, { settings, isTrusted: createProxyCheck(settings) });
    },
  });
  closers.push('management listener', () => management.close());
  return management;
}

/** The players' own listener, if the settings ask for one. */
async function listenForPlayers({ settings, log, closers, upgrade }: ListenerParts): Promise<HttpServer | undefined> {
  const { host, playerHost, playerPort, tlsCertFile, tlsKeyFile, playerTlsCertFile, playerTlsKeyFile } = settings;
  if (playerPort === undefined) return undefined;
  const playerServer = await openHttpServer({
    host: playerHost === '' ? host : playerHost,
    port: playerPort,
    tls: tlsFiles(playerTlsCertFile, playerTlsKeyFile) ?? tlsFiles(tlsCertFile, tlsKeyFile),
    log,
    settingPrefix: 'RESPARK_PLAYER_',
    attach(server) {
      // The management listener's is set with its other limits.
      server.headersTimeout = settings.headersTimeoutMs;
      server.on('upgrade', upgrade).on('request', servePages(playerPages, log));
      limitSockets(server, { settings, isTrusted: createProxyCheck(settings) });
    },
  });
  closers.push('player listener', () => playerServer.close());
  return playerServer;
}

/** The listener for metrics alone, if the settings ask for one; its URL. */
async function listenForMetrics({
  settings,
  log,
  closers,
  observe,
}: {
  settings: Settings;
  log: Log;
  closers: Closers;
  observe: Pages;
}): Promise<string | undefined> {
  const { host, metricsHost, metricsPort } = settings;
  if (metricsPort === undefined) return undefined;
  const server = await openHttpServer({
    host: metricsHost === '' ? host : metricsHost,
    port: metricsPort,
    tls: undefined,
    log,
    settingPrefix: 'RESPARK_METRICS_',
    attach(http) {
      http.headersTimeout = settings.headersTimeoutMs;
      http.on('request', servePages(observe, log));
      limitSockets(http, { settings, isTrusted: createProxyCheck(settings) });
    },
  });
  closers.push('metrics listener', () => server.close());
  return `http://${server.authority}/metrics`;
}

function tlsFiles(certFile: string | undefined, keyFile: string | undefined): TlsFiles | undefined {
  return certFile === undefined || keyFile === undefined ? undefined : { certFile, keyFile };
}

function warningsOf(parts: { settings: Settings; playerServer: HttpServer; url: string }): string[] {
  return [warningOfPlainPlayers(parts), warningOfLocalUrls(parts)].filter((warning) => warning !== undefined);
}

function warningOfPlainPlayers({ settings, playerServer }: { settings: Settings; playerServer: HttpServer }) {
  const host = settings.playerPort === undefined || settings.playerHost === '' ? settings.host : settings.playerHost;
  if (playerServer.isTls || isLoopback(host)) return undefined;
  // A proxy of another machine is why the address is public; one of this machine does not need it.
  if (settings.trustedProxies.some((proxy) => !isLoopback(proxy))) return undefined;
  return `players are served without TLS on ${host}: their tokens can be read and used on the way. Set RESPARK_TLS_CERT_FILE and RESPARK_TLS_KEY_FILE, or let a proxy terminate TLS: name it in RESPARK_TRUSTED_PROXIES, or listen on 127.0.0.1 if it runs on this machine.`;
}

function warningOfLocalUrls({
  settings: { host, trustedProxies, publicUrl },
  url,
}: {
  settings: Settings;
  url: string;
}) {
  const isReachedElsewhere = host === '0.0.0.0' || host === '::' || trustedProxies.length > 0;
  if (publicUrl !== undefined || !isReachedElsewhere) return undefined;
  return `the URLs of downloads begin with ${url}, where clients may not reach this server: set RESPARK_PUBLIC_URL to where they do.`;
}

/** Whether only this machine is meant, by an address, a range of them or a name. */
function isLoopback(host: string): boolean {
  return /^(?:localhost$|127\.|::1(?:\/|$))/.test(host);
}

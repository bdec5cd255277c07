import { createActivityRing } from '../activity.ts';
import { networkOfLane } from '../address-buckets.ts';
import { createCors } from '../api/cors.ts';
import { EVERY_OPERATION } from '../api/every-operation.ts';
import type { InputJobs } from '../api/input.ts';
import {
  createManagementPages,
  createObservationPages,
  createPlayerProbes,
  type NotReadyCauses,
  optionsOfServer,
  type PageSite,
  playerPages,
} from '../api/pages.ts';
import { createPipeline } from '../api/pipeline.ts';
import { createRenewal, createSignatureAuthentication } from '../api/signature/authenticate.ts';
import { createUrlFor } from '../api/url-for.ts';
import { type Clock, withTimeout } from '../clock.ts';
import type { Settings } from '../config/config.ts';
import { createConsole, isConsolePath } from '../console/console.ts';
import type { Access } from '../domain/access/access.ts';
import type { Refusals } from '../domain/access/refusals.ts';
import type { Arns } from '../domain/arn.ts';
import type { AuditHealth } from '../domain/audit/audit.ts';
import { createAuditChains } from '../domain/audit/chains.ts';
import { createReceipts } from '../domain/audit/receipts.ts';
import type { LongWork } from '../domain/long-work.ts';
import { Gateway } from '../gateway/gateway.ts';
import { Limits } from '../gateway/limits.ts';
import { createUpgradeHandler } from '../gateway/upgrade.ts';
import { createClientAddress } from '../http/client-address.ts';
import type { Site } from '../http/exchange.ts';
import { createHttpListener, type HttpListener } from '../http/listener.ts';
import { createHeadReader } from '../http/request-head.ts';
import type { Log } from '../log.ts';
import type { Metrics } from '../metrics.ts';
import type { RandomBytes } from '../random.ts';
import { createRareWarnings } from '../rare-warnings.ts';
import { createTurns } from '../turns.ts';
import type { Backends } from './backends.ts';
import type { Closers } from './closers.ts';
import { createConsoleFiles } from './console-files.ts';
import { answerAboutNode } from './node-answers.ts';
import { watchNodes } from './node-watch.ts';
import { createServerInfo } from './server-info.ts';
import type { Services } from './services.ts';
import { providerName } from './sign-in-sites.ts';

/** A load balancer does not wait longer to hear whether the node is ready. */
const STORE_ANSWER_MS = 2_000;
/**
 * A planned fail-over has the old primary take no writes for seconds, which must not take all nodes from behind their load
 * balancers at once: players who play, and those who come, need few writes.
 */
const MAX_UNWRITABLE_MS = 10_000;

/** Everything between the rules and the listeners: the gateway for players, the sites for HTTP callers. */
export function createNode(parts: {
  settings: Settings;
  log: Log;
  clock: Clock;
  random: RandomBytes;
  closers: Closers;
  backends: Backends;
  access: Access;
  audit: Pick<AuditHealth, 'isHealthy'>;
  refusals: Refusals;
  metrics: Metrics;
  arns: Arns;
  services: Services;
  /** The URL of the management listener. Only calls ask for it, so the listener may open later. */
  ownUrl: () => string;
  longWork: LongWork<InputJobs>;
  /** Sign in people who have no key yet: newcomers who follow the link of the start, and teams by their provider. */
  signInSites: readonly Site[];
}) {
  const { settings, log, clock, random, backends, access, refusals, metrics, arns, services } = parts;
  const { longWork, ownUrl, signInSites } = parts;
  const { cluster, room, auditLog, installation } = backends;
  const { players, downloads, runtimes, deliveries } = services;
  const events = services.events.connections;
  const limits = new Limits({ settings, clock });
  const gateway = new Gateway({ players, runtimes, cluster, limits, clock, random, log, metrics, events, settings });
  const counts = () => ({ ...gateway.counts, ...limits.counts, directory: cluster.size, runtimes: runtimes.size });
  const held = () => ({ ...counts(), ...deliveries.counts(), freeSpace: room.free(), isShort: Number(room.isShort()) });
  const managementNodes = settings.redisUrl === undefined ? () => 1 : watchManagementNodes(parts);
  const drainAsked = answerAboutNode({ cluster, gateway, ownUrl, log });
  reportActivity(parts);
  const pipeline = createPipeline({
    managementNodes,
    operations: EVERY_OPERATION,
    services: {
      ...services,
      auditChains: createAuditChains({ reader: auditLog.chain, clock }),
      receipts: createReceipts({ auditLog, installation, clock }),
      serverInfo: createServerInfo({ settings, cluster }),
    },
    authenticate: createSignatureAuthentication({
      findCredential: (id) => access.findCredential(id),
      ...{ arns, clock, metrics, refusals, settings },
    }),
    renew: createRenewal({ findCredential: (id) => access.findCredential(id) }),
    isDraining: () => gateway.isDraining,
    urlFor: createUrlFor({ settings, ownUrl }),
    refusals,
    arns,
    longWork,
    metrics,
    clock,
    random,
    log,
    settings,
  });
  const notReadyCauses = createReadiness(parts, gateway);
  const observe = createObservationPages({
    async renderMetrics() {
      const isReady = (await notReadyCauses()).length === 0;
      return await metrics.render({ ...held(), isReady: Number(isReady) });
    },
    ...{ notReadyCauses, clock },
  });
  const pages = createManagementPages({
    observe,
    downloads,
    hasMetricsElsewhere: settings.metricsPort !== undefined,
    hasPlayers: settings.playerPort === undefined,
    console: consoleFor(settings),
    settings,
    clock,
    random,
  });
  const warn = createRareWarnings({ clock, log });
  const { trustedProxies } = settings;
  const readHead = createHeadReader({ clientAddress: createClientAddress({ trustedProxies, warn }) });
  const turns = createTurns({ clock, networkOf: networkOfLane });
  const listenerFor = (...sites: Site[]) => createHttpListener({ sites, readHead, turns, settings, clock, log });
  const isGateway = settings.nodeRole === 'gateway';
  const methods = new Set(['HEAD', ...EVERY_OPERATION.map(({ http }) => http.method)]);
  const cors = createCors({ origins: settings.apiOrigins, methods });
  const listeners = {
    // The API answers every request that reaches it, so it comes last.
    // Pages of other origins have no business with codes, so these are outside of what lets them in.
    management: listenerFor(...signInSites, cors(pages, isGateway ? playerPages : pipeline)),
    players: listenerFor(optionsOfServer, createPlayerProbes({ observe, settings, clock }), playerPages),
    metrics: listenerFor(optionsOfServer, observe),
  };
  const upgrade = createUpgradeHandler({ gateway, limits, readHead, turns, warn, metrics, settings });
  return {
    gateway,
    drainAsked,
    counts,
    turns,
    upgrade,
    listeners,
    requests: allRequests(Object.values(listeners), services.eventRecords),
  };
}

/** Returns a function that says why this node should get no traffic, if it should not. */
function createReadiness(
  {
    backends: { directory, store, cluster, unwritableMs = () => 0 },
    audit,
    clock,
  }: Pick<Parameters<typeof createNode>[0], 'backends' | 'audit' | 'clock'>,
  gateway: Pick<Gateway, 'isDraining'>,
): NotReadyCauses {
  return async function notReadyCauses() {
    const isStoreThere = await withTimeout(store.meta.get(''), STORE_ANSWER_MS, clock).then(
      () => true,
      () => false,
    );
    const { isDraining: draining } = gateway;
    const isAuditThere = await audit.isHealthy();
    const causes = {
      draining,
      'data directory': !directory.isInPlace(),
      store: !isStoreThere,
      'store takes no writes': isStoreThere && unwritableMs() > MAX_UNWRITABLE_MS,
      'audit log': !isAuditThere,
      directory: !cluster.isAvailable,
    };
    return Object.entries(causes).flatMap(([cause, holds]) => (holds ? [cause] : []));
  };
}

/** The console calls the API of the node that serves it, so there is none where there is no API. */
function consoleFor(settings: Settings): PageSite | undefined {
  if (settings.nodeRole === 'gateway') return undefined;
  const parts = { findFile: createConsoleFiles(), playerUrl: settings.playerUrl, provider: providerName(settings) };
  return { isPath: isConsolePath, serve: createConsole(parts) };
}

/** Remembers how the last hour of this node went, and says so to whichever node is asked. */
function reportActivity({ backends: { cluster }, metrics, closers, clock }: Parameters<typeof createNode>[0]): void {
  const activity = createActivityRing({ read: () => metrics.totals(), clock });
  closers.push('record of activity', async () => activity.close());
  cluster.answer('report_activity', ({ after }) => ({ steps: activity.after(after) }));
}

/** Returns a function that says the number of nodes that take calls, as of a few seconds ago. */
function watchManagementNodes({
  backends: { cluster, facts: own, countServers, databaseTime },
  closers,
  clock,
  log,
}: Parameters<typeof createNode>[0]): () => number {
  const watch = watchNodes({ cluster, own, countServers, databaseTime, clock, log });
  closers.push('watch of nodes', async () => watch.close());
  return () => watch.managementNodes;
}

/** Drains and counts the requests of several listeners together. */
function allRequests(
  listeners: readonly HttpListener[],
  streams: { drain(): void },
): Pick<HttpListener, 'drain' | 'inFlight'> {
  return {
    async drain() {
      streams.drain();
      await Promise.all(listeners.map((listener) => listener.drain()));
    },
    get inFlight() {
      return listeners.reduce((sum, { inFlight }) => sum + inFlight, 0);
    },
  };
}

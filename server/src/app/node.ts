import { EVERY_OPERATION } from '../api/every-operation.ts';
import { createManagementPages, createObservationPages, playerPages } from '../api/pages.ts';
import { createPipeline } from '../api/pipeline.ts';
import { createSignatureAuthentication } from '../api/signature/authenticate.ts';
import type { Clock } from '../clock.ts';
import type { Settings } from '../config/config.ts';
import type { Access } from '../domain/access/access.ts';
import type { Refusals } from '../domain/access/refusals.ts';
import type { Arns } from '../domain/arn.ts';
import type { AuditHealth } from '../domain/audit.ts';
import { Gateway } from '../gateway/gateway.ts';
import { Limits } from '../gateway/limits.ts';
import { createUpgradeHandler } from '../gateway/upgrade.ts';
import { createClientAddress } from '../http/client-address.ts';
import type { Site } from '../http/exchange.ts';
import { createHttpListener, type HttpListener } from '../http/listener.ts';
import type { Log } from '../log.ts';
import type { Metrics } from '../metrics.ts';
import type { RandomBytes } from '../random.ts';
import type { Backends } from './backends.ts';
import { createServerInfo } from './server-info.ts';
import type { Services } from './services.ts';

/** Everything between the rules and the listeners: the gateway for players, the sites for HTTP callers. */
export function createNode(parts: {
  settings: Settings;
  log: Log;
  clock: Clock;
  random: RandomBytes;
  backends: Backends;
  access: Access;
  audit: Pick<AuditHealth, 'isHealthy'>;
  refusals: Refusals;
  metrics: Metrics;
  arns: Arns;
  services: Services;
}) {
  const { settings, log, clock, random, backends, access, audit, refusals, metrics, arns, services } = parts;
  const { store, cluster } = backends;
  const { players, downloads, runtimes } = services;
  const limits = new Limits({ settings, clock });
  const gateway = new Gateway({ players, runtimes, cluster, limits, clock, random, log, metrics, settings });
  const counts = () => ({ ...gateway.counts, ...limits.counts, directory: cluster.size, runtimes: runtimes.size });
  const pipeline = createPipeline({
    operations: EVERY_OPERATION,
    services: { ...services, serverInfo: createServerInfo({ settings, cluster }) },
    authenticate: createSignatureAuthentication({
      findCredential: (id) => access.findCredential(id),
      ...{ arns, clock, metrics, refusals, settings },
    }),
    refusals,
    arns,
    metrics,
    clock,
    random,
    log,
    settings,
  });
  const observe = createObservationPages({
    renderMetrics: () => metrics.render(counts()),
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
    clock,
    random,
  });
  const clientAddress = createClientAddress(settings);
  const listenerFor = (...sites: Site[]) => createHttpListener({ sites, clientAddress, settings, clock, log });
  const listeners = {
    // The API answers every request that reaches it, so it comes last.
    management: listenerFor(pages, pipeline),
    players: listenerFor(playerPages),
    metrics: listenerFor(observe),
  };
  const upgrade = createUpgradeHandler({ gateway, limits, clientAddress, metrics, settings });
  return { gateway, counts, upgrade, listeners, requests: allRequests(Object.values(listeners)) };
}

/** Drains and counts the requests of several listeners together. */
function allRequests(listeners: readonly HttpListener[]): Pick<HttpListener, 'drain' | 'inFlight'> {
  return {
    async drain() {
      await Promise.all(listeners.map((listener) => listener.drain()));
    },
    get inFlight() {
      return listeners.reduce((sum, { inFlight }) => sum + inFlight, 0);
    },
  };
}

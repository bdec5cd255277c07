import type { Clock } from '../clock.ts';
import type { Settings } from '../config/config.ts';
import { isLoopback } from '../http/client-address.ts';
import type { HttpServer } from '../http/http-server.ts';
import { findNodeFault } from '../node-release.ts';
import { neededOpenFiles } from '../open-files.ts';

/** Warnings for the operator about what is allowed, but perhaps not intended. */
export function warningsOf(parts: {
  settings: Settings;
  management: Pick<HttpServer, 'isTls'>;
  playerServer: Pick<HttpServer, 'isTls'>;
  nodeVersion: string;
  /** How many files this process may have open; undefined when that is unknown. */
  openFileLimit: number | undefined;
  clock: Pick<Clock, 'now'>;
}): string[] {
  const warnings = [
    warningOfPlainPlayers(parts),
    warningOfPlainCalls(parts),
    warningOfOpenFiles(parts),
    warningOfNode(parts),
  ];
  return warnings.filter((warning) => warning !== undefined);
}

function warningOfNode({ nodeVersion, clock }: { nodeVersion: string; clock: Pick<Clock, 'now'> }) {
  const fault = findNodeFault(nodeVersion, clock.now());
  return fault && `Node.js ${fault.detail}: ${fault.advice}.`;
}

function warningOfOpenFiles({ settings, openFileLimit }: { settings: Settings; openFileLimit: number | undefined }) {
  const needed = neededOpenFiles(settings);
  if (openFileLimit === undefined || openFileLimit >= needed) return undefined;
  return `this process may have ${openFileLimit} files open, but RESPARK_MAX_CONNECTIONS (${settings.maxConnections}) needs ${needed}: without them, new players and calls are cut off without an answer. Raise the limit (ulimit -n ${needed}, or LimitNOFILE of systemd), or lower RESPARK_MAX_CONNECTIONS.`;
}

function warningOfPlainPlayers({ settings, playerServer }: { settings: Settings; playerServer: { isTls: boolean } }) {
  const host = settings.playerPort === undefined || settings.playerHost === '' ? settings.host : settings.playerHost;
  if (playerServer.isTls || isForProxies(host, settings)) return undefined;
  return `players are served without TLS on ${host}: their tokens can be read and misused on the way. Set RESPARK_TLS_CERT_FILE and RESPARK_TLS_KEY_FILE, or let a proxy terminate TLS and name its address in RESPARK_TRUSTED_PROXIES; if it runs on this machine, listen on 127.0.0.1 as well.`;
}

function warningOfPlainCalls({ settings, management }: { settings: Settings; management: { isTls: boolean } }) {
  const { host, maxClockSkewMs } = settings;
  if (management.isTls || isForProxies(host, settings)) return undefined;
  return `the management API is served without TLS on ${host}: calls and answers can be read on the way, and the bytes of a call can be sent again within ${2 * maxClockSkewMs} ms (docs/deploying.md, "Calls that are sent again"). Set RESPARK_TLS_CERT_FILE and RESPARK_TLS_KEY_FILE, or let a proxy terminate TLS and name its address in RESPARK_TRUSTED_PROXIES; or listen on 127.0.0.1, and give players a listener of their own with RESPARK_PLAYER_PORT.`;
}

/** Whether only this machine, or a proxy that may terminate TLS, is expected to connect to the host. */
function isForProxies(host: string, { trustedProxies }: Settings): boolean {
  // A proxy on another machine explains a public address; one on this machine does not need it.
  return meansThisMachine(host) || trustedProxies.some((proxy) => !meansThisMachine(proxy));
}

/** Whether a host or an address range from the settings stands for this machine alone. */
function meansThisMachine(hostOrRange: string): boolean {
  const [address = ''] = hostOrRange.split('/', 1);
  return hostOrRange === 'localhost' || isLoopback(address);
}

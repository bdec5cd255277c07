import type { Clock } from '../clock.ts';
import type { Settings } from '../config/config.ts';
import { isLoopback } from '../http/client-address.ts';
import type { HttpServer } from '../http/http-server.ts';
import { findNodeFault } from '../node-release.ts';

/** Warnings for the operator about what is allowed, but perhaps not intended. */
export function warningsOf(parts: {
  settings: Settings;
  playerServer: HttpServer;
  nodeVersion: string;
  clock: Pick<Clock, 'now'>;
}): string[] {
  const warnings = [warningOfPlainPlayers(parts), warningOfNode(parts)];
  return warnings.filter((warning) => warning !== undefined);
}

function warningOfNode({ nodeVersion, clock }: { nodeVersion: string; clock: Pick<Clock, 'now'> }) {
  const fault = findNodeFault(nodeVersion, clock.now());
  return fault && `Node.js ${fault.detail}: ${fault.advice}.`;
}

function warningOfPlainPlayers({ settings, playerServer }: { settings: Settings; playerServer: HttpServer }) {
  const host = settings.playerPort === undefined || settings.playerHost === '' ? settings.host : settings.playerHost;
  if (playerServer.isTls || meansThisMachine(host)) return undefined;
  // A proxy on another machine explains a public address; one on this machine does not need it.
  if (settings.trustedProxies.some((proxy) => !meansThisMachine(proxy))) return undefined;
  return `players are served without TLS on ${host}: their tokens can be read and misused on the way. Set RESPARK_TLS_CERT_FILE and RESPARK_TLS_KEY_FILE, or let a proxy terminate TLS and name its address in RESPARK_TRUSTED_PROXIES; if it runs on this machine, listen on 127.0.0.1 as well.`;
}

/** Whether a host or an address range from the settings stands for this machine alone. */
function meansThisMachine(hostOrRange: string): boolean {
  const [address = ''] = hostOrRange.split('/', 1);
  return hostOrRange === 'localhost' || isLoopback(address);
}

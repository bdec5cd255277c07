import type { Clock } from '../clock.ts';
import type { Settings } from '../config/config.ts';
import type { createUpgradeHandler } from '../gateway/upgrade.ts';
import { createProxyCheck } from '../http/client-address.ts';
import { shakeHandsInTurns } from '../http/handshake-turns.ts';
import { type HttpServer, openHttpServer } from '../http/http-server.ts';
import type { HttpListener } from '../http/listener.ts';
import { limitSockets } from '../http/socket-limits.ts';
import { parseInTurns } from '../http/socket-turns.ts';
import { limitTinyRecords } from '../http/tiny-records.ts';
import type { TlsFiles } from '../http/tls-files.ts';
import type { Log } from '../log.ts';
import type { Turns } from '../turns.ts';
import type { Closers } from './closers.ts';

interface ListenerParts {
  readonly settings: Settings;
  readonly log: Log;
  readonly clock: Clock;
  readonly closers: Closers;
  readonly turns: Turns;
  readonly upgrade: ReturnType<typeof createUpgradeHandler>;
  readonly listeners: Readonly<Record<'management' | 'players' | 'metrics', HttpListener>>;
}

/** Opens the listener of the management API, which also serves the players unless they have a port of their own. */
export async function listen({
  settings,
  log,
  clock,
  closers,
  turns,
  upgrade,
  listeners,
}: ListenerParts): Promise<HttpServer> {
  const { host, port, tlsCertFile, tlsKeyFile } = settings;
  const management = await openHttpServer({
    host,
    port,
    tls: tlsFiles(tlsCertFile, tlsKeyFile),
    log,
    settingPrefix: 'RESPARK_',
    attach(server) {
      const isTrusted = createProxyCheck(settings);
      listeners.management.attach(server);
      if (settings.playerPort === undefined) server.on('upgrade', whenIdle(listeners.management, upgrade));
      limitSockets(server, { settings, isTrusted, clock });
      parseInTurns(server, turns, listeners.management);
      limitTinyRecords(server, { settings, log });
      shakeHandsInTurns(server, { turns, clock, isTrusted });
    },
  });
  closers.push('management listener', () => management.close());
  return management;
}

/** Opens the players' own listener, if the settings ask for one. */
export async function listenForPlayers({
  settings,
  log,
  clock,
  closers,
  turns,
  upgrade,
  listeners,
}: ListenerParts): Promise<HttpServer | undefined> {
  const { host, playerHost, playerPort, tlsCertFile, tlsKeyFile, playerTlsCertFile, playerTlsKeyFile } = settings;
  if (playerPort === undefined) return undefined;
  const playerServer = await openHttpServer({
    host: playerHost === '' ? host : playerHost,
    port: playerPort,
    tls: tlsFiles(playerTlsCertFile, playerTlsKeyFile) ?? tlsFiles(tlsCertFile, tlsKeyFile),
    log,
    settingPrefix: 'RESPARK_PLAYER_',
    attach(server) {
      const isTrusted = createProxyCheck(settings);
      listeners.players.attach(server);
      server.on('upgrade', whenIdle(listeners.players, upgrade));
      limitSockets(server, { settings, isTrusted, clock });
      parseInTurns(server, turns, listeners.players);
      limitTinyRecords(server, { settings, log });
      shakeHandsInTurns(server, { turns, clock, isTrusted });
    },
  });
  closers.push('player listener', () => playerServer.close());
  return playerServer;
}

/** Opens a listener for metrics alone, if the settings ask for one, and returns the URL of the metrics. */
export async function listenForMetrics({
  settings,
  log,
  clock,
  closers,
  turns,
  listeners,
}: Omit<ListenerParts, 'upgrade'>): Promise<string | undefined> {
  const { host, metricsHost, metricsPort } = settings;
  if (metricsPort === undefined) return undefined;
  const server = await openHttpServer({
    host: metricsHost === '' ? host : metricsHost,
    port: metricsPort,
    tls: undefined,
    log,
    settingPrefix: 'RESPARK_METRICS_',
    attach(http) {
      listeners.metrics.attach(http);
      limitSockets(http, { settings, isTrusted: createProxyCheck(settings), clock });
      parseInTurns(http, turns, listeners.metrics);
    },
  });
  closers.push('metrics listener', () => server.close());
  return `http://${server.authority}/metrics`;
}

function tlsFiles(certFile: string | undefined, keyFile: string | undefined): TlsFiles | undefined {
  return certFile === undefined || keyFile === undefined ? undefined : { certFile, keyFile };
}

/** A client that asks for an upgrade before it has its earlier answers loses its socket: they would come after it. */
function whenIdle(
  { isBusy }: Pick<HttpListener, 'isBusy'>,
  upgrade: ListenerParts['upgrade'],
): ListenerParts['upgrade'] {
  return (request, socket, head) => {
    if (isBusy(request.socket)) socket.destroy();
    else upgrade(request, socket, head);
  };
}

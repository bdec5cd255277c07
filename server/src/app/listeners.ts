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
export async function listen(parts: ListenerParts): Promise<HttpServer> {
  const { host, port, playerPort, tlsCertFile, tlsKeyFile } = parts.settings;
  return await open(parts, {
    ...{ name: 'management listener', listener: parts.listeners.management },
    ...{ host, port, settingPrefix: 'RESPARK_' },
    tls: tlsFiles(tlsCertFile, tlsKeyFile),
    upgrade: playerPort === undefined ? parts.upgrade : undefined,
  });
}

/** Opens the players' own listener, if the settings ask for one. */
export async function listenForPlayers(parts: ListenerParts): Promise<HttpServer | undefined> {
  const { host, playerHost, playerPort, tlsCertFile, tlsKeyFile, playerTlsCertFile, playerTlsKeyFile } = parts.settings;
  if (playerPort === undefined) return undefined;
  return await open(parts, {
    ...{ name: 'player listener', listener: parts.listeners.players },
    ...{ host: playerHost === '' ? host : playerHost, port: playerPort, settingPrefix: 'RESPARK_PLAYER_' },
    tls: tlsFiles(playerTlsCertFile, playerTlsKeyFile) ?? tlsFiles(tlsCertFile, tlsKeyFile),
    upgrade: parts.upgrade,
  });
}

/** Opens a listener for metrics alone, if the settings ask for one, and returns the URL of the metrics. */
export async function listenForMetrics(parts: Omit<ListenerParts, 'upgrade'>): Promise<string | undefined> {
  const { host, metricsHost, metricsPort } = parts.settings;
  if (metricsPort === undefined) return undefined;
  const server = await open(parts, {
    ...{ name: 'metrics listener', listener: parts.listeners.metrics },
    ...{ host: metricsHost === '' ? host : metricsHost, port: metricsPort, settingPrefix: 'RESPARK_METRICS_' },
    ...{ tls: undefined, upgrade: undefined },
  });
  return `http://${server.authority}/metrics`;
}

async function open(
  { settings, log, clock, closers, turns }: Omit<ListenerParts, 'upgrade' | 'listeners'>,
  {
    name,
    listener,
    upgrade,
    ...address
  }: Pick<Parameters<typeof openHttpServer>[0], 'host' | 'port' | 'settingPrefix' | 'tls'> & {
    readonly name: string;
    readonly listener: HttpListener;
    /** Undefined where no players connect. */
    readonly upgrade: ListenerParts['upgrade'] | undefined;
  },
): Promise<HttpServer> {
  const server = await openHttpServer({
    ...{ ...address, log },
    // The order counts: each bound wraps the event handlers that are there before it.
    attach(http) {
      const isTrusted = createProxyCheck(settings);
      listener.attach(http);
      if (upgrade !== undefined) http.on('upgrade', whenIdle(listener, upgrade));
      limitSockets(http, { settings, isTrusted, clock });
      parseInTurns(http, turns, listener);
      limitTinyRecords(http, { settings, log });
      shakeHandsInTurns(http, { turns, clock, isTrusted });
    },
  });
  closers.push(name, () => server.close());
  return server;
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

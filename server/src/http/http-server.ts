import { readFileSync, unwatchFile, watchFile } from 'node:fs';
import { createServer, IncomingMessage, type Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { Log } from '../log.ts';
import { StartupError } from '../startup-error.ts';

/** Connections that the kernel holds until we take them; more than the usual 511, for when all players come back. */
const BACKLOG = 4_096;
const TLS_FILES_CHECK_MS = 1_000;
const TLS_HANDSHAKE_TIMEOUT_MS = 10_000;

/** How late clients that are too slow may be noticed; Node's own 30 s would add to every time limit of the settings. */
const TIME_LIMITS_CHECK_MS = 1_000;

/**
 * Ignores upgrades to anything but a WebSocket, as RFC 9110 (7.8) allows, so that they are served like any other request:
 * Java's HttpClient offers h2c with its first one. node:http writes `upgrade` when it has read the head of a request, and
 * reads it to know whether that is an upgrade.
 */
class Request extends IncomingMessage {
  declare isUpgrade: boolean | null;

  set upgrade(isUpgrade: boolean | null) {
    this.isUpgrade = isUpgrade;
  }

  get upgrade(): boolean | null {
    const isIgnored = this.method !== 'CONNECT' && this.headers.upgrade?.toLowerCase() !== 'websocket';
    return isIgnored ? false : this.isUpgrade;
  }
}

const SERVER_OPTIONS = { IncomingMessage: Request, connectionsCheckingInterval: TIME_LIMITS_CHECK_MS };

export interface TlsFiles {
  readonly certFile: string;
  readonly keyFile: string;
}

export interface HttpServer {
  /** `host:port` as a client on this machine reaches it. */
  readonly authority: string;
  readonly isTls: boolean;
  /** Takes no further connection. */
  stopListening(): void;
  /** Ends every connection that was not upgraded. */
  close(): Promise<void>;
}

/**
 * Listens; `attach` gets the server before that, to hang its handlers on. TLS files are read again when they change, and
 * the old ones stay in force while the new ones are not valid. Throws a StartupError that names the address.
 */
export async function openHttpServer({
  host,
  port,
  tls,
  log,
  attach,
  settingPrefix,
  tlsHandshakeTimeoutMs = TLS_HANDSHAKE_TIMEOUT_MS,
}: {
  host: string;
  port: number;
  tls: TlsFiles | undefined;
  log: Log;
  attach: (server: Server) => void;
  /** How the names begin of the settings to change when the address or the TLS files cannot be used. */
  settingPrefix: 'RESPARK_' | 'RESPARK_PLAYER_' | 'RESPARK_METRICS_';
  /** When a client has not ended its handshake by then, its socket is closed. */
  tlsHandshakeTimeoutMs?: number;
}): Promise<HttpServer> {
  const { server, stopWatching } =
    tls === undefined
      ? { server: createServer(SERVER_OPTIONS), stopWatching() {} }
      : openTls(tls, { log, settingPrefix, handshakeTimeout: tlsHandshakeTimeoutMs });
  attach(server);
  try {
    await listen(server, host, port);
  } catch (error) {
    stopWatching();
    throw new StartupError(listenFault(error, host, port, settingPrefix), { cause: error });
  }
  const { address, family, port: boundPort } = server.address() as AddressInfo;
  return {
    authority: `${reachable(address, family)}:${boundPort}`,
    isTls: tls !== undefined,
    stopListening() {
      if (server.listening) server.close();
      server.closeIdleConnections();
    },
    async close() {
      stopWatching();
      const closed = server.listening ? new Promise((resolve) => server.close(resolve)) : undefined;
      server.closeAllConnections();
      await closed;
    },
  };
}

function openTls(
  files: TlsFiles,
  { log, settingPrefix, handshakeTimeout }: { log: Log; settingPrefix: string; handshakeTimeout: number },
): { server: Server; stopWatching: () => void } {
  const read = () => ({ cert: readFileSync(files.certFile), key: readFileSync(files.keyFile) });
  let server: ReturnType<typeof createTlsServer>;
  try {
    server = createTlsServer({ ...SERVER_OPTIONS, ...read(), minVersion: 'TLSv1.2', handshakeTimeout });
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new StartupError(
      `cannot use the TLS files ${files.certFile} and ${files.keyFile}: ${reason}: set ${settingPrefix}TLS_CERT_FILE and ${settingPrefix}TLS_KEY_FILE to a certificate and its key`,
      { cause: error },
    );
  }
  const reload = () => {
    try {
      server.setSecureContext({ ...read(), minVersion: 'TLSv1.2' });
      log.info({ certFile: files.certFile }, 'the TLS certificate was read again');
    } catch (error) {
      // Certificate and key are two files: between their changes they do not fit each other.
      log.warn(
        { err: error, certFile: files.certFile },
        'the changed TLS files are not valid; the old ones stay in force',
      );
    }
  };
  const watched = [files.certFile, files.keyFile];
  for (const file of watched) watchFile(file, { interval: TLS_FILES_CHECK_MS, persistent: false }, reload);
  return {
    server,
    stopWatching() {
      for (const file of watched) unwatchFile(file, reload);
    },
  };
}

function listen(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host, port, backlog: BACKLOG }, () => {
      server.off('error', reject);
      resolve();
    });
  });
}

function listenFault(error: unknown, host: string, port: number, settingPrefix: string): string {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  const where = `port ${port} of ${host}`;
  switch (code) {
    case 'EADDRINUSE':
      return `${where} is taken: stop what listens there, or set ${settingPrefix}PORT`;
    case 'EACCES':
      return `${where} needs rights that this user does not have: set ${settingPrefix}PORT to 1024 or more`;
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return `${host} is not an address of this machine: set ${settingPrefix}HOST`;
    default:
      return `cannot listen on ${where}: ${error instanceof Error ? error.message : String(error)}`;
  }
}

/** An address that stands for all of them is reached at the loopback one. */
function reachable(address: string, family: string): string {
  if (family === 'IPv6') return address === '::' ? '[::1]' : `[${address}]`;
  return address === '0.0.0.0' ? '127.0.0.1' : address;
}

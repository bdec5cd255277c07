import { constants } from 'node:crypto';
import { unwatchFile, watchFile } from 'node:fs';
import { createServer, IncomingMessage, type Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { systemClock } from '../clock.ts';
import type { Log } from '../log.ts';
import { StartupError } from '../startup-error.ts';
import { findHeader } from './exchange.ts';
import { MAX_HEADER_LINES } from './request-head.ts';
import { findTimeFault, readChangedTlsFiles, readTlsFiles, type TlsFiles } from './tls-files.ts';

/**
 * Connections that the kernel holds until the server takes them: more than the usual 511, for when all players return.
 */
const BACKLOG = 4_096;
const TLS_FILES_CHECK_MS = 1_000;
/** How often the log says again that a certificate ends, or has ended. */
const TLS_EXPIRY_CHECK_MS = 12 * 3_600_000;
const TLS_HANDSHAKE_TIMEOUT_MS = 10_000;

/**
 * How often Node.js looks for clients that are too slow. Its default, 30 s, would add to every limit of the settings.
 */
const TIME_LIMITS_CHECK_MS = 1_000;

/**
 * What a request takes the limit of its unread body from. With this one, it holds no more than was parsed together with
 * its head. Each chunk of a body is an object, however few bytes it has.
 */
const UNREAD_BODY: Pick<Socket, 'readableHighWaterMark'> = { readableHighWaterMark: 1 };

/**
 * A request that ignores an upgrade to anything but a WebSocket, as RFC 9110 (7.8) allows, so that it is served like
 * any other: Java's HttpClient offers h2c with its first request. node:http sets `upgrade` after it has read the head
 * of a request, and reads it to decide whether the request is an upgrade.
 */
class Request extends IncomingMessage {
  declare isUpgrade: boolean | null;

  constructor(socket: Socket) {
    super(UNREAD_BODY as Socket);
    this.socket = socket;
  }

  set upgrade(isUpgrade: boolean | null) {
    this.isUpgrade = isUpgrade;
  }

  get upgrade(): boolean | null {
    if (!this.isUpgrade || this.method === 'CONNECT') return this.isUpgrade;
    return findHeader(this.rawHeaders, 'upgrade')?.toLowerCase() === 'websocket';
  }
}

const SERVER_OPTIONS = {
  IncomingMessage: Request,
  connectionsCheckingInterval: TIME_LIMITS_CHECK_MS,
  // What Node.js answers by itself takes no place in the line of its socket, so the listener refuses it instead.
  requireHostHeader: false,
};

export interface HttpServer {
  /** `host:port`, for clients on this machine. */
  readonly authority: string;
  readonly isTls: boolean;
  /** Takes no further connections, and closes those that are idle. */
  stopListening(): void;
  /** Ends every connection that was not upgraded, and waits for those that were. */
  close(): Promise<void>;
}

/**
 * Opens a listener. `attach` gets the server first, to add its event handlers. TLS files are loaded again when they
 * change; while the new ones are not valid, the old ones stay in force. Throws a StartupError that names the address or
 * the files.
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
  /** How the settings begin that an error should name when the address or the TLS files cannot be used. */
  settingPrefix: 'RESPARK_' | 'RESPARK_PLAYER_' | 'RESPARK_METRICS_';
  /** A client that has not finished its handshake by then loses its socket. */
  tlsHandshakeTimeoutMs?: number;
}): Promise<HttpServer> {
  const { server, stopWatching } =
    tls === undefined
      ? { server: createServer(SERVER_OPTIONS), stopWatching() {} }
      : openTls(tls, { log, settingPrefix, handshakeTimeout: tlsHandshakeTimeoutMs });
  // Node.js drops what comes after these, in trailers too. Nothing is missing of a request that is served, because one
  // with more headers than that is refused.
  server.maxHeadersCount = MAX_HEADER_LINES + 1;
  attach(server);
  try {
    await listen(server, host, port);
  } catch (error) {
    stopWatching();
    throw new StartupError(listenFault(error, host, port, settingPrefix), { cause: error });
  }
  // A connection that could not be taken, for want of memory or descriptors, must not end those that are there.
  server.on('error', (error) => log.error({ err: error }, 'a listener could not take a connection'));
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

/**
 * What a client can have the event loop compute must be little, and begin in turns (`handshake-turns.ts`).
 *
 * - TLS 1.3 lets a client change its keys as often as it likes, which takes 4 µs for each 27 bytes, and Node.js neither
 *   limits that nor tells of it.
 * - A handshake within a connection would sign again, and hundreds of connections may begin one at the same moment.
 * - Without ECDHE the server has to decrypt with its RSA key what comes in the second half of the handshake, and with a
 *   curve of 384 or 521 bits each half takes milliseconds. Every client of TLS 1.2 knows some of these.
 */
const TLS_OPTIONS = {
  minVersion: 'TLSv1.2',
  maxVersion: 'TLSv1.2',
  secureOptions: constants.SSL_OP_NO_RENEGOTIATION,
  ciphers: [
    ...['ECDHE-ECDSA-AES128-GCM-SHA256', 'ECDHE-RSA-AES128-GCM-SHA256', 'ECDHE-ECDSA-AES256-GCM-SHA384'],
    ...['ECDHE-RSA-AES256-GCM-SHA384', 'ECDHE-ECDSA-CHACHA20-POLY1305', 'ECDHE-RSA-CHACHA20-POLY1305'],
    ...['ECDHE-ECDSA-AES128-SHA256', 'ECDHE-RSA-AES128-SHA256', 'ECDHE-ECDSA-AES128-SHA', 'ECDHE-RSA-AES128-SHA'],
    ...['ECDHE-ECDSA-AES256-SHA', 'ECDHE-RSA-AES256-SHA'],
  ].join(':'),
  ecdhCurve: 'X25519:prime256v1',
} as const;

function openTls(
  files: TlsFiles,
  { log, settingPrefix, handshakeTimeout }: { log: Log; settingPrefix: string; handshakeTimeout: number },
): { server: Server; stopWatching: () => void } {
  let server: ReturnType<typeof createTlsServer>;
  let cert: string;
  try {
    const pair = readTlsFiles(files);
    cert = pair.cert;
    server = createTlsServer({ ...SERVER_OPTIONS, ...pair, ...TLS_OPTIONS, handshakeTimeout });
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new StartupError(
      `cannot use the TLS files ${files.certFile} and ${files.keyFile}: ${reason}: set ${settingPrefix}TLS_CERT_FILE and ${settingPrefix}TLS_KEY_FILE to a certificate and its key`,
      { cause: error },
    );
  }
  let cancelCheck = () => {};
  const checkTimes = () => {
    cancelCheck();
    cancelCheck = systemClock.after(TLS_EXPIRY_CHECK_MS, checkTimes);
    const fault = findTimeFault(cert, systemClock.now());
    if (fault !== undefined) log.warn({ certFile: files.certFile }, fault);
  };
  checkTimes();
  const reload = () => {
    try {
      const pair = readChangedTlsFiles(files);
      server.setSecureContext({ ...pair, ...TLS_OPTIONS });
      cert = pair.cert;
      log.info({ certFile: files.certFile }, 'the TLS certificate was reloaded');
      checkTimes();
    } catch (error) {
      // Certificate and key are two files. Between their changes they do not match.
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
      cancelCheck();
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
      return `${where} needs privileges that this user does not have: set ${settingPrefix}PORT to 1024 or more`;
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return `${host} is not an address of this machine: set ${settingPrefix}HOST`;
    default:
      return `cannot listen on ${where}: ${error instanceof Error ? error.message : String(error)}`;
  }
}

/** A server that listens on all addresses is reached at the loopback address. */
function reachable(address: string, family: string): string {
  if (family === 'IPv6') return address === '::' ? '[::1]' : `[${address}]`;
  return address === '0.0.0.0' ? '127.0.0.1' : address;
}

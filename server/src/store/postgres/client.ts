import { readFileSync } from 'node:fs';
import { Socket } from 'node:net';
import pg from 'pg';
import type { Clock } from '../../clock.ts';
import { type DatabaseAddress, parseDatabaseAddress } from '../../database-address.ts';
import { describeFileFault } from '../../file-fault.ts';
import { StartupError } from '../../startup-error.ts';

/** A node that holds a lock in a transaction and is paused, or cut off, loses it after this time. */
const MAX_IDLE_IN_TRANSACTION_MS = 3_000;
/** So does one that does not read an answer which is too long for the buffers between them. */
const MAX_UNTAKEN_MS = 5_000;
const KEEP_ALIVE_MS = 10_000;
const INT8 = 20;

export interface DatabaseSettings {
  readonly databaseUrl: string;
  readonly databaseCaFile: string | undefined;
  readonly databasePoolSize: number;
  readonly databaseConnectTimeoutMs: number;
  readonly databaseStatementTimeoutMs: number;
}

/** An int8 of the database is a number here, because none of ours is beyond 2^53. */
const TYPES = {
  getTypeParser: ((oid: number, format?: 'text') =>
    oid === INT8 ? Number : pg.types.getTypeParser(oid, format)) as typeof pg.types.getTypeParser,
};

/**
 * A connection of the driver that can be cut off at once; the driver's own `end` waits for a server that may not
 * answer.
 */
export class CuttableClient extends pg.Client {
  readonly #socket: Socket;

  constructor(config: pg.ClientConfig = {}) {
    const socket = new Socket();
    // The pool makes the password non-enumerable, so copies of its options lack it.
    const password = config.password === undefined ? {} : { password: config.password };
    super({ ...config, ...password, stream: () => socket });
    this.#socket = socket;
    // A caller that waits for an answer gets the error too, and without one, nothing needs it.
    this.on('error', () => {});
  }

  cut(): void {
    this.#socket.destroy();
  }

  /** The id of the process that serves the connection, as the server has said; a pooler makes one up. */
  get announcedPid(): number | undefined {
    return (this as { readonly processID?: number }).processID;
  }
}

/**
 * The limits of a session, and settings of the database or the user that must not apply. A statement sets them, because
 * a pooler refuses those that come with the beginning of a connection, or is told to leave them out: then a node that
 * stops within a transaction would hold its locks for good.
 */
function sessionSettings({ databaseStatementTimeoutMs }: Pick<DatabaseSettings, 'databaseStatementTimeoutMs'>): string {
  const wanted = {
    statement_timeout: databaseStatementTimeoutMs,
    // A wait for a lock ends before the statement's own limit, so that the error says what it has waited for.
    lock_timeout: Math.ceil(databaseStatementTimeoutMs / 2),
    idle_in_transaction_session_timeout: MAX_IDLE_IN_TRANSACTION_MS,
    tcp_user_timeout: MAX_UNTAKEN_MS,
    // Otherwise a transaction that has waited for its turn to write would not see what was committed before.
    default_transaction_isolation: 'read committed',
    // Otherwise a null in an array is kept as the text "NULL", for instance in the audit log.
    array_nulls: 'on',
  };
  return Object.entries(wanted)
    .map(([name, value]) => `set_config('${name}', '${value}', false)`)
    .join(', ');
}

/** The options of the driver. Throws a `StartupError` when the settings cannot be used. */
export function clientConfig(settings: DatabaseSettings): pg.ClientConfig {
  const address = parseDatabaseAddress(settings.databaseUrl);
  if (typeof address === 'string') throw new StartupError(`cannot use the URL of the database: ${address}`);
  const { host, port, user, password, database } = address;
  return {
    ...{ host, port, user, database },
    ...(password !== undefined && { password }),
    ssl: tlsOf(address, settings.databaseCaFile),
    application_name: 'respark',
    connectionTimeoutMillis: settings.databaseConnectTimeoutMs,
    keepAlive: true,
    keepAliveInitialDelayMillis: KEEP_ALIVE_MS,
    types: TYPES,
  };
}

/** The modes mean what they mean to PostgreSQL's own programs. */
function tlsOf({ host, tls }: DatabaseAddress, caFile: string | undefined): pg.ClientConfig['ssl'] {
  if (tls === 'disable') return false;
  return {
    // The driver does not say whose certificate it expects where the host is an address.
    host,
    rejectUnauthorized: tls !== 'require' || caFile !== undefined,
    ...(tls !== 'verify-full' && { checkServerIdentity: () => undefined }),
    ...(caFile !== undefined && { ca: readCertificates(caFile) }),
  };
}

function readCertificates(file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (error) {
    throw new StartupError(`RESPARK_DATABASE_CA_FILE: cannot read ${file}: ${describeFileFault(error)}`, {
      cause: error,
    });
  }
}

/**
 * Prepares a new connection, and names the server that it leads to by the moment at which that began. Rejects for a
 * standby, to which an address may lead after a fail-over: its reads would be old, and writes to it fail.
 */
export async function prepare(
  client: pg.ClientBase,
  { clock, settings }: { clock: Pick<Clock, 'after'>; settings: DatabaseSettings },
): Promise<string> {
  const cancel = clock.after(settings.databaseConnectTimeoutMs, () => cut(client));
  try {
    const { rows } = await client.query<{ is_standby: boolean; server: string }>(
      `select pg_is_in_recovery() as is_standby, extract(epoch from pg_postmaster_start_time())::text as server,
         ${sessionSettings(settings)}`,
    );
    const [found] = rows;
    if (found?.is_standby !== false) throw new Error('the server is a standby, which takes no writes');
    return found.server;
  } catch (error) {
    // The pool would wait until the server has closed the connection, and hold up all calls that wait for one.
    cut(client);
    throw error;
  } finally {
    cancel();
  }
}

export function cut(client: pg.ClientBase): void {
  if (client instanceof CuttableClient) client.cut();
}

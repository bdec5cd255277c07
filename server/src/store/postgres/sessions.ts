import pg from 'pg';
import type { Clock } from '../../clock.ts';
import { ServiceError } from '../../errors.ts';
import type { Log } from '../../log.ts';
import { CuttableClient, clientConfig, cut, type DatabaseSettings, prepare } from './client.ts';
import { failureOf, isConflictOfTransactions, isPassing, unavailable } from './faults.ts';
import { shareConnections } from './shared-connections.ts';

/** How many calls may wait for a connection; more are refused at once. */
const MAX_WAITING = 10_000;
const IDLE_MS = 60_000;
/** A server that has not answered this long after the limit of a statement is paused or cut off. */
const ANSWER_MARGIN_MS = 1_000;
const MAX_REPETITIONS = 10;

/** A connection that is lent out. Its queries are answered one after another. */
export interface Session {
  /** A failure that passes rejects with a `ServiceError('internal')` that may be tried again. */
  query<Row extends object>(
    text: string,
    values?: readonly unknown[],
  ): Promise<{ readonly rows: Row[]; readonly rowCount: number | null; readonly command: string }>;
  /** Gives the connection back; one that has failed is closed instead. */
  release(): void;
  /** Makes `release` close the connection. */
  discard(): void;
}

/** The connections of this process to the database, except for one that listens. */
export interface Sessions {
  readonly settings: DatabaseSettings;
  acquire(): Promise<Session>;
  use<T>(work: (session: Pick<Session, 'query'>) => Promise<T>): Promise<T>;
  /**
   * Runs `work` in a transaction, and again after a conflict with another transaction, so it must do nothing but query.
   * What it wrote is on disk when this resolves, unless `begin` says otherwise.
   */
  transact<T>(work: (session: Pick<Session, 'query'>) => Promise<T>, begin?: string): Promise<T>;
  /** A connection beside the others, which the caller must end. Rejects with the error of the driver. */
  connectAlone(): Promise<CuttableClient>;
  /**
   * Whether the connection leads to the server to which new ones lead, as far as is known. After a fail-over, the old
   * server may still answer on its connections, with old data.
   */
  isCurrent(client: pg.ClientBase): boolean;
  /** Makes no open connection count as current: new ones show to which server they lead now. */
  renew(): void;
  end(): Promise<void>;
}

/** Opens nothing yet. Throws a `StartupError` when the settings cannot be used. */
export function openSessions({
  settings,
  clock,
  log,
}: {
  settings: DatabaseSettings;
  clock: Clock;
  log: Pick<Log, 'warn'>;
}): Sessions {
  const config = clientConfig(settings);
  const { databasePoolSize, databaseConnectTimeoutMs: timeoutMs, databaseStatementTimeoutMs } = settings;
  const answerMs = databaseStatementTimeoutMs + ANSWER_MARGIN_MS;
  const pool = new pg.Pool({
    ...config,
    Client: CuttableClient,
    max: databasePoolSize,
    idleTimeoutMillis: IDLE_MS,
    onConnect: (client) => open(client),
  });
  // The connection was idle, so nothing has failed, and the pool has let go of it.
  pool.on('error', () => {});
  const currency = createCurrency();
  const open = (client: pg.ClientBase) => currency.opened(client, () => prepare(client, { clock, settings }));
  const idleSince = new WeakMap<pg.PoolClient, number>();
  let unansweredAt = Number.NEGATIVE_INFINITY;

  const shared = shareConnections({ pool, clock, timeoutMs });

  /**
   * Closes, instead of returning, a connection that was idle while another got no answer: it may be as dead, and
   * finding out would take as long.
   */
  async function connect(): Promise<pg.PoolClient> {
    for (;;) {
      const client = await shared.take();
      const isAnswering = (idleSince.get(client) ?? Number.POSITIVE_INFINITY) > unansweredAt;
      if (isAnswering && currency.isCurrent(client)) return client;
      cut(client);
      client.release(true);
      shared.released();
    }
  }

  function lend(client: pg.PoolClient): Session {
    let isBroken = false;
    let last: Promise<unknown> = Promise.resolve();

    async function ask(text: string, values: readonly unknown[]): Promise<pg.QueryResult> {
      const cancel = clock.after(answerMs, () => {
        unansweredAt = clock.monotonic();
        log.warn({ waitedMs: answerMs }, 'a connection was given up because the database does not answer');
        cut(client);
      });
      try {
        return await client.query(text, [...values]);
      } catch (error) {
        if (isPassing(error)) isBroken = true;
        throw failureOf(error);
      } finally {
        cancel();
      }
    }

    return {
      query(text, values = []) {
        const answer = last.then(() => ask(text, values));
        last = answer.catch(() => {});
        return answer;
      },
      release() {
        idleSince.set(client, clock.monotonic());
        if (isBroken) cut(client);
        client.release(isBroken);
        shared.released();
      },
      discard() {
        isBroken = true;
      },
    };
  }

  async function acquire(): Promise<Session> {
    if (pool.waitingCount + shared.waitingCount >= MAX_WAITING)
      throw unavailable('too many calls are waiting for the database');
    try {
      return lend(await connect());
    } catch (error) {
      // A password or a name that is refused now was good when the process began, and may be again.
      throw unavailable('the database cannot be reached', error);
    }
  }

  async function using<T>(work: (session: Session) => Promise<T>): Promise<T> {
    const session = await acquire();
    try {
      return await work(session);
    } finally {
      session.release();
    }
  }

  return {
    settings,
    acquire,
    use: using,
    transact: (work, begin = 'begin') => repeating(() => using((session) => transaction(session, work, begin))),
    connectAlone: () => connectWith(new CuttableClient(config), open),
    isCurrent: currency.isCurrent,
    renew: currency.renew,
    end: () => pool.end(),
  };
}

async function repeating<T>(attempt: () => Promise<T>): Promise<T> {
  for (let repetition = 1; ; repetition += 1) {
    try {
      return await attempt();
    } catch (error) {
      if (!isConflictOfTransactions(error) || repetition > MAX_REPETITIONS) throw error;
    }
  }
}

async function connectWith(
  client: CuttableClient,
  open: (client: CuttableClient) => Promise<void>,
): Promise<CuttableClient> {
  try {
    await client.connect();
    await open(client);
    return client;
  } catch (error) {
    client.cut();
    throw error;
  }
}

/** Knows which connections were opened before new ones were found to lead to another server. */
function createCurrency(): Pick<Sessions, 'isCurrent' | 'renew'> & {
  /** `find` names the server of a new connection. */
  opened(client: pg.ClientBase, find: () => Promise<string>): Promise<void>;
} {
  const generations = new WeakMap<pg.ClientBase, number>();
  let generation = 0;
  let server: string | undefined;
  return {
    async opened(client, find) {
      const before = generation;
      const found = await find();
      const isOther = server !== undefined && server !== found;
      if (isOther) generation += 1;
      server = found;
      generations.set(client, isOther ? generation : before);
    },
    isCurrent: (client) => generations.get(client) === generation,
    renew() {
      generation += 1;
    },
  };
}

async function transaction<T>(session: Session, work: (session: Session) => Promise<T>, begin: string): Promise<T> {
  try {
    await session.query(begin);
    const result = await work(session);
    await commit(session);
    return result;
  } catch (error) {
    await rollBack(session);
    throw error;
  }
}

/** Rejects unless the transaction is on disk, and says so when that is not known. */
export async function commit(session: Session): Promise<void> {
  const { command } = await session.query('commit').catch((error: unknown) => {
    if (!(error instanceof ServiceError)) throw error;
    const message = 'the database did not answer a commit, so it is not known whether the change was made';
    throw unavailable(message, error.cause);
  });
  // The server rolls back instead when a statement has failed, even if its error was caught.
  if (command !== 'COMMIT') throw new Error('a transaction was undone because one of its statements had failed');
}

/** Never rejects: where the connection is lost the server undoes the transaction by itself. */
export async function rollBack(session: Session): Promise<void> {
  await session.query('rollback').catch(() => session.discard());
}

import {
  type CompiledQuery,
  type DatabaseConnection,
  type DataTypeNode,
  type Dialect,
  type Driver,
  PostgresAdapter,
  PostgresIntrospector,
  PostgresQueryCompiler,
  type QueryResult,
} from 'kysely';
import { isTooLate, unavailable } from './faults.ts';
import { commit, rollBack, type Session, type Sessions } from './sessions.ts';

/** A number that no other program uses for a lock on the same database. */
const WRITERS_LOCK = 7_305_808_869;
/** Takes the lock with the transaction, in one round trip; it is released with the transaction, however that ends. */
export const BEGIN_ALONE = `begin; select pg_advisory_xact_lock(${WRITERS_LOCK})`;
const WITH_AFFECTED_ROWS = ['INSERT', 'UPDATE', 'DELETE'];

/** PostgreSQL, with texts that sort by their bytes, and with one transaction at a time among all processes. */
export function createDialect(sessions: Sessions): Dialect {
  return {
    createAdapter: () => new PostgresAdapter(),
    createDriver: () => createDriver(sessions),
    createIntrospector: (query) => new PostgresIntrospector(query),
    createQueryCompiler: () => new BytewiseCompiler(),
  };
}

/** Columns of text sort as they do in SQLite, whatever the language of the database is. */
class BytewiseCompiler extends PostgresQueryCompiler {
  protected override visitDataType(node: DataTypeNode): void {
    super.visitDataType(node);
    if (node.dataType === 'text') this.append(' collate "C"');
  }
}

/**
 * A text of PostgreSQL cannot have U+0000, and a statement with one fails. Callers may send it in a description or a
 * game key.
 */
function toKept(parameter: unknown): unknown {
  return typeof parameter === 'string' ? parameter.replaceAll('\0', '\ufffd') : parameter;
}

class Connection implements DatabaseConnection {
  readonly session: Session;

  constructor(session: Session) {
    this.session = session;
  }

  async executeQuery<Row>({ sql, parameters }: CompiledQuery): Promise<QueryResult<Row>> {
    const { command, rowCount, rows } = await this.session.query<Row & object>(sql, parameters.map(toKept));
    if (!WITH_AFFECTED_ROWS.includes(command)) return { rows };
    return { rows, numAffectedRows: BigInt(rowCount ?? 0) };
  }

  // biome-ignore lint/correctness/useYield: nothing is streamed.
  async *streamQuery(): AsyncIterableIterator<never> {
    throw new Error('queries are not streamed');
  }
}

function createDriver(sessions: Sessions): Driver {
  const sessionOf = (connection: DatabaseConnection) => (connection as Connection).session;
  return {
    async init() {},
    acquireConnection: async () => new Connection(await sessions.acquire()),
    async beginTransaction(connection) {
      const session = sessionOf(connection);
      try {
        await session.query(BEGIN_ALONE);
      } catch (error) {
        await rollBack(session);
        throw isTooLate(error) ? unavailable('the writes of other nodes keep the database busy', error) : error;
      }
    },
    commitTransaction: (connection) => commit(sessionOf(connection)),
    rollbackTransaction: (connection) => rollBack(sessionOf(connection)),
    async releaseConnection(connection) {
      sessionOf(connection).release();
    },
    async destroy() {},
  };
}

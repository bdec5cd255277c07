import Libsql from 'libsql';
import { describeFileFault } from '../file-fault.ts';
import { StartupError } from '../startup-error.ts';
import { COPIED_TABLES, type CopiedRow, type CopiedTable, type SourceFiles } from './copied-tables.ts';
import { assertPlainSchema } from './plain-schema.ts';
import { BEGIN_ALONE } from './postgres/dialect.ts';
import { commit, rollBack, type Session, type Sessions } from './postgres/sessions.ts';
import { leaveOpen, openWalMark } from './wal-mark.ts';

/** Rows are sent when there are so many, or so many characters of them. */
const ROWS_AT_ONCE = 500;
const CHARACTERS_AT_ONCE = 4_194_304;

/** Where `wal-mark.ts` keeps the marks of the files. */
const MARKS = {
  store: 'user_version',
  playerData: 'application_id',
  stageLogs: 'application_id',
  audit: 'application_id',
  events: 'application_id',
} as const satisfies Record<keyof SourceFiles, string>;

type Query = Pick<Session, 'query'>;

/** How many rows of each table were copied, by their name. */
export type CopiedCounts = Readonly<Record<string, number>>;

/**
 * Copies the files of a data directory, which nothing else may be using, into a database that has the schema and no data.
 * All is copied in one transaction, and counted before its commit: either everything is there, or nothing. Throws a
 * `StartupError` when something is there already, or when the counts differ.
 */
export async function copyToPostgres({
  files,
  sessions,
  progress,
}: {
  files: SourceFiles;
  sessions: Sessions;
  /** Called with the name of what is being copied, and how many rows of it have been by now. */
  progress: (name: string, rows: number) => void;
}): Promise<CopiedCounts> {
  const session = await sessions.acquire();
  try {
    await session.query(`${BEGIN_ALONE}; set local idle_in_transaction_session_timeout = 0`);
    await assertEmpty(session);
    const counts: Record<string, number> = {};
    for (const table of COPIED_TABLES) counts[table.name] = await copyTable({ session, table, files, progress });
    await goOnFrom(session, files);
    await commit(session);
    return counts;
  } catch (error) {
    await rollBack(session);
    throw error;
  } finally {
    session.release();
  }
}

async function assertEmpty(session: Query): Promise<void> {
  for (const { name, table } of COPIED_TABLES) {
    const { rows } = await session.query<{ isThere: boolean }>(`select exists (select 1 from ${table}) as "isThere"`);
    if (rows[0]?.isThere !== true) continue;
    throw new StartupError(
      `the database has ${name} already, and a copy would mix with them: name an empty database, such as a new one of "createdb"`,
    );
  }
}

async function copyTable({
  session,
  table,
  files,
  progress,
}: {
  session: Query;
  table: CopiedTable;
  files: SourceFiles;
  progress: (name: string, rows: number) => void;
}): Promise<number> {
  const source = openSource(files, table.file);
  let copied = 0;
  let waiting: CopiedRow[] = [];
  let characters = 0;
  const send = async () => {
    await insert(session, table, waiting);
    copied += waiting.length;
    waiting = [];
    characters = 0;
    progress(table.name, copied);
  };
  try {
    const all = source.prepare(`SELECT count(*) AS count FROM (${table.rows})`).get() as { count: number };
    for (const row of source.prepare(table.rows).iterate() as Iterable<CopiedRow>) {
      waiting.push(table.convert === undefined ? row : table.convert(row));
      for (const value of Object.values(row)) if (typeof value === 'string') characters += value.length;
      if (waiting.length >= ROWS_AT_ONCE || characters >= CHARACTERS_AT_ONCE) await send();
    }
    if (waiting.length > 0) await send();
    const { rows } = await session.query<{ count: number }>(`select count(*) as count from ${table.table}`);
    if (copied === all.count && rows[0]?.count === copied) return copied;
    throw new StartupError(
      `of ${all.count} ${table.name} ${rows[0]?.count} were copied, so nothing was kept: run the command again, and report this if it stays so`,
    );
  } finally {
    leaveOpen(source);
  }
}

/** U+0000, which PostgreSQL does not keep, can only be in texts that nothing depends on. */
async function insert(session: Query, { table, columns }: CopiedTable, rows: readonly CopiedRow[]): Promise<void> {
  const names = Object.keys(columns);
  const values = names.map((name) =>
    rows.map((row) => {
      const value = row[name] ?? null;
      if (typeof value === 'string') return value.replaceAll('\0', '\ufffd');
      return value instanceof ArrayBuffer ? Buffer.from(value) : value;
    }),
  );
  const parameters = Object.values(columns).map((type, index) => `$${index + 1}::${type}[]`);
  const list = names.map((name) => `"${name}"`).join(', ');
  await session.query(`insert into ${table} (${list}) select * from unnest(${parameters.join(', ')})`, values);
}

/** No version of a player's data comes back. */
async function goOnFrom(session: Query, files: SourceFiles): Promise<void> {
  const source = openSource(files, 'playerData');
  try {
    const { version } = source.prepare('SELECT version FROM last_version').get() as { version: number };
    if (version > 0) await session.query(`select setval('player_versions', $1)`, [version]);
  } finally {
    leaveOpen(source);
  }
}

/** What is read here stays as it is, its WAL too. Throws a `StartupError` for a file that has lost its WAL, or has another's. */
function openSource(files: SourceFiles, name: keyof SourceFiles): Libsql.Database {
  const file = files[name];
  let source: Libsql.Database | undefined;
  try {
    const marks = openWalMark({ file, name: MARKS[name] });
    marks.assertWhole();
    source = new Libsql(file);
    assertPlainSchema(source);
    marks.watch(source);
    return source;
  } catch (error) {
    if (source !== undefined) leaveOpen(source);
    throw new StartupError(`cannot use ${file}: ${describeFileFault(error)}`, { cause: error });
  }
}

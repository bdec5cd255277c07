import { dirname } from 'node:path';
import { openSharedCommits, type SharedCommitsOptions, type WriteStatement } from '../shared-commits.ts';
import type { EventLog, EventLogLimits } from './event-log.ts';
import { type JournaledLogParts, openJournaledLog } from './journaled-log.ts';
import { EVENT_STATEMENTS, type EventStatement, SQLITE_EVENT_MIGRATIONS } from './statements.ts';
import type { EventDatabase, EventWork } from './work.ts';

/** The file in the data directory. */
export const EVENTS_FILE = 'events.sqlite';
/** The version that this program's migrations lead to. */
export const EVENTS_VERSION = SQLITE_EVENT_MIGRATIONS.length;
/** The database belongs to the data directory alone, so it has one journal. */
const ONLY_NODE = 'this data directory';

interface Options
  extends Pick<SharedCommitsOptions<never>, 'file' | 'log'>,
    Pick<JournaledLogParts, 'clock' | 'onFull'> {
  readonly limits: EventLogLimits;
}

/** Keeps events in an SQLite file of its own, behind a journal beside it. Throws a `StartupError`. */
export async function openSqliteEventLog({ file, limits, clock, log, onFull }: Options): Promise<EventLog> {
  const database = await openDatabase({ file, clock, log });
  const parts = { directory: dirname(file), node: ONLY_NODE, database, limits, clock, log };
  return await openJournaledLog(onFull === undefined ? parts : { ...parts, onFull });
}

type Statements = Readonly<Record<EventStatement, WriteStatement>>;

async function openDatabase(parts: Pick<Options, 'file' | 'clock' | 'log'>): Promise<EventDatabase> {
  const names = Object.keys(EVENT_STATEMENTS) as EventStatement[];
  const { commits, reader } = await openSharedCommits<{ statements: Statements; end(): Generator<void, void> }>({
    ...{ ...parts, subject: 'events', synchronous: 'NORMAL', migrations: SQLITE_EVENT_MIGRATIONS },
    async prepare(prepare) {
      const prepared = await Promise.all(
        names.map(async (name) => [name, await prepare(EVENT_STATEMENTS[name].sqlite)] as const),
      );
      const statements = Object.fromEntries(prepared) as Statements;
      return () => ({ statements, *end() {} });
    },
  });
  const reading = new Map<EventStatement, ReturnType<typeof reader.prepare>>();

  return {
    write: (bytes, work) => commits.write(bytes, ({ statements }) => run(statements, work())),
    async read(name, values) {
      const known = reading.get(name);
      const statement = known ?? reader.prepare(EVENT_STATEMENTS[name].sqlite);
      if (known === undefined) reading.set(name, statement);
      return commits.read(() => statement.get([...values]) as Readonly<Record<string, unknown>> | undefined);
    },
    close: () => commits.close(),
  };
}

function* run<T>(statements: Statements, work: EventWork<T>): Generator<void, T> {
  let step = work.next();
  while (step.done !== true) {
    const row = statements[step.value.name].get([...step.value.values]);
    yield;
    step = work.next(row as Readonly<Record<string, unknown>> | undefined);
  }
  return step.value;
}

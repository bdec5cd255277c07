import type { Sessions } from '../postgres/sessions.ts';
import type { EventLog } from './event-log.ts';
import { type JournaledLogParts, openJournaledLog } from './journaled-log.ts';
import { EVENT_STATEMENTS, type EventStatement } from './statements.ts';
import type { EventDatabase, EventWork } from './work.ts';

/** Keeps events in the tables that all nodes share, behind a journal of this node. Throws a `StartupError`. */
export async function openPostgresEventLog({
  sessions,
  ...parts
}: Omit<JournaledLogParts, 'database'> & { readonly sessions: Sessions }): Promise<EventLog> {
  return await openJournaledLog({ ...parts, database: databaseOf(sessions) });
}

type Row = Readonly<Record<string, unknown>>;
type Query = Parameters<Parameters<Sessions['use']>[0]>[0];

function databaseOf(sessions: Sessions): EventDatabase {
  return {
    write: (_bytes, work) => sessions.transact((session) => run(session, work())),
    read: (name, values) => sessions.use((session) => ask(session, name, values)),
    // The store has the same connections, and closes them.
    async close() {},
  };
}

async function ask(
  session: Query,
  name: EventStatement,
  values: readonly (string | number | null)[],
): Promise<Row | undefined> {
  const { rows } = await session.query<Row>(EVENT_STATEMENTS[name].postgres.replace(/\?(\d)/g, '$$$1'), values);
  return rows[0];
}

async function run<T>(session: Query, work: EventWork<T>): Promise<T> {
  let step = work.next();
  while (step.done !== true) step = work.next(await ask(session, step.value.name, step.value.values));
  return step.value;
}

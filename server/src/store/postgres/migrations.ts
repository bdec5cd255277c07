import { type Kysely, sql } from 'kysely';
import { StartupError } from '../../startup-error.ts';
import type { Database, Query } from '../database.ts';
import { POSTGRES_EVENT_TABLES } from '../events/statements.ts';

/**
 * The tables for what the embedded store keeps in files of its own: player data, stage logs, events and the audit log.
 * Each entry leads from one version to the next; only ever append to this list.
 *
 * The id of an entry of player data stands for its key, which may be too long for an index. An offset is how many bytes
 * the stage's log had before the line. A record of the audit log has the node that wrote it in its key, so no two nodes
 * collide; `chain` names the writer whose links its intent and outcome are in.
 */
const MIGRATIONS = [
  `create table players (
     stage_id text collate "C" not null,
     player_id text collate "C" not null,
     version bigint not null,
     keys integer not null,
     bytes bigint not null,
     primary key (stage_id, player_id)
   );
   create table player_entries (
     stage_id text collate "C" not null,
     player_id text collate "C" not null,
     id text collate "C" not null,
     bytes integer not null,
     key text collate "C" not null,
     value text collate "C" not null,
     primary key (stage_id, player_id, id)
   );
   create sequence player_versions;
   create table stage_logs (
     stage_id text collate "C" primary key,
     first bigint not null,
     last bigint not null,
     bytes bigint not null
   );
   create table stage_log_lines (
     stage_id text collate "C" not null,
     position bigint not null,
     "offset" bigint not null,
     at bigint not null,
     level integer not null,
     player_id text collate "C",
     handler text collate "C",
     request_id text collate "C",
     text text collate "C" not null,
     primary key (stage_id, position)
   );
   create table audit (
     at bigint not null,
     request_id text collate "C" not null,
     node text collate "C" not null,
     cause text collate "C" not null,
     actor text collate "C" not null,
     source_address text collate "C" not null,
     operation text collate "C" not null,
     resource text collate "C" not null,
     player_id text collate "C",
     details text collate "C",
     outcome text collate "C",
     primary key (at, request_id, node)
   )`,
  `create index audit_of_scripts on audit (at, request_id, node) where cause = 'script'`,
  `alter table audit
     add column chain text collate "C",
     add column intent_link bigint,
     add column outcome_link bigint;
   create index audit_by_intent_link on audit (chain, intent_link) where intent_link is not null;
   create index audit_by_outcome_link on audit (chain, outcome_link)
     where outcome_link is not null and outcome_link is distinct from intent_link;
   create index audit_unchained on audit (node) where intent_link is null;
   create table audit_chains (
     writer text collate "C" primary key,
     id text collate "C" not null,
     installation text collate "C" not null,
     began_at bigint not null,
     unchained bigint not null,
     number bigint not null,
     hash text collate "C" not null,
     base_number bigint not null,
     base_hash text collate "C" not null
   );
   create table audit_links (
     writer text collate "C" not null,
     number bigint not null,
     at bigint not null,
     kind text collate "C" not null,
     previous bytea not null,
     hash bytea not null,
     content bytea not null,
     digests bytea,
     note text collate "C",
     removed text collate "C",
     removed_by bigint,
     primary key (writer, number)
   )`,
  POSTGRES_EVENT_TABLES,
  'create index audit_by_request_id on audit (request_id)',
  `create table player_stage_bytes (
     stage_id text collate "C" not null,
     slot smallint not null,
     bytes bigint not null,
     primary key (stage_id, slot)
   )`,
];

/** The version that this program's migrations lead to. */
export const BESIDE_VERSION = MIGRATIONS.length;

interface Versions {
  beside_version: { version: number };
}

/** Brings the tables beside the store's up to this program's version, as `migrate` does for the store. */
export async function migrateBeside({ transaction }: Pick<Database, 'transaction'>): Promise<void> {
  await transaction(async (query) => {
    await sql`create table if not exists beside_version (version integer primary key)`.execute(query);
    const version = await readVersion(query);
    for (const [index, statements] of MIGRATIONS.entries()) {
      if (index < version) continue;
      await sql.raw(statements).execute(query);
      await ofVersions(query)
        .insertInto('beside_version')
        .values({ version: index + 1 })
        .execute();
    }
  });
}

/** Throws a `StartupError` unless every migration has run. Changes nothing. */
export async function assertMigratedBeside(query: Query): Promise<void> {
  const version = await findVersionBeside(query);
  if (version === MIGRATIONS.length) return;
  throw new StartupError(
    `the database has version ${version} of the tables beside the store, but this program needs ${MIGRATIONS.length}: run "respark migrate" with this version of respark`,
  );
}

/**
 * The version of the tables beside the store's; 0 without them. Throws a `StartupError` when it is newer than the
 * program.
 */
export async function findVersionBeside(query: Query): Promise<number> {
  const { rows } = await sql<{
    isThere: boolean;
  }>`select to_regclass('beside_version') is not null as "isThere"`.execute(query);
  return rows[0]?.isThere === true ? await readVersion(query) : 0;
}

async function readVersion(query: Query): Promise<number> {
  const rows = ofVersions(query).selectFrom('beside_version');
  const { version } = await rows.select(({ fn }) => fn.max('version').as('version')).executeTakeFirstOrThrow();
  // The maximum of no rows is null.
  const known = version ?? 0;
  if (known <= MIGRATIONS.length) return known;
  throw new StartupError(
    `the database has version ${known} of the tables beside the store, but this program only knows versions up to ${MIGRATIONS.length}: start a newer respark, or restore a backup`,
  );
}

const ofVersions = (query: Query) => query as unknown as Kysely<Versions>;

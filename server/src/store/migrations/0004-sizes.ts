import { sql } from 'kysely';
import type { Query } from '../database.ts';

/** Indexes from which the bytes of a game's snapshots and archives are added up without a look at the rows. */
export async function createSizes(query: Query): Promise<void> {
  await sql`create index snapshots_bytes on snapshots (game_id, octet_length(sections))`.execute(query);
  await sql`create index archives_bytes on generated_code_jobs (game_id, octet_length(archive))`.execute(query);
}

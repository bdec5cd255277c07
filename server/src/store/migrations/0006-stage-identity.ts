import type { Query } from '../database.ts';

/** Who may be a player of a stage. A stage without it has the default, as every stage had before. */
export async function createStageIdentity({ schema }: Query): Promise<void> {
  await schema.alterTable('stages').addColumn('identity', 'text').execute();
}

import type { Query } from '../database.ts';

/** How many owners have claimed a piece of work, one after the other. A program of the version before does not count them. */
export async function createClaimsOfWork({ schema }: Query): Promise<void> {
  for (const table of ['deployments', 'generated_code_jobs']) {
    await schema
      .alterTable(table)
      .addColumn('claims', 'integer', (column) => column.notNull().defaultTo(0))
      .execute();
  }
}

import type { Query } from '../database.ts';

/**
 * Access keys that end by themselves, and whose they are. A program of the version before makes keys without either, and
 * takes a key that has expired to be good.
 */
export async function createExpiryOfKeys({ schema }: Query): Promise<void> {
  await schema.alterTable('access_keys').addColumn('expires_at', 'bigint').execute();
  await schema.alterTable('access_keys').addColumn('subject', 'text').execute();
}

import type { Query } from '../database.ts';

/** Has all that is asked about the ends of access keys, so that nothing reads the policies of thousands of them for it. */
export async function createEndsOfKeys({ schema }: Query): Promise<void> {
  const index = schema.createIndex('access_keys_ends').on('access_keys');
  await index.columns(['subject', 'revoked_at', 'expires_at', 'is_root']).execute();
}

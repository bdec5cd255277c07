import type { Query } from '../database.ts';

/**
 * A game may have tens of thousands of runtimes and deployments. These indexes find those of one snapshot, those that are not
 * done and the newest before a time, so that nothing looks through all of them.
 */
export async function createUseOfSnapshots({ schema }: Query): Promise<void> {
  await schema.createIndex('runtimes_of_snapshot').on('runtimes').columns(['stage_id', 'snapshot_id']).execute();
  await schema.createIndex('runtimes_by_time').on('runtimes').columns(['stage_id', 'created_at', 'id']).execute();
  await schema.createIndex('deployments_by_state').on('deployments').columns(['stage_id', 'state']).execute();
}

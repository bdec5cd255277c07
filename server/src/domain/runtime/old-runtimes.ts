import type { Store } from '../../store/store.ts';

/** Added to the time that a hello may take: clocks are set now and then, and a record that stays longer costs little. */
const MARGIN_MS = 3_600_000;

/**
 * Removes the records of a stage's runtimes that no connection can be on any more: those that are not the newest, have
 * no connection on any node, and were replaced so long ago that no hello that was looked up before is still on its
 * way.
 */
export async function forgetOldRuntimes({
  store,
  inUse,
  stageId,
  nowMs,
  graceMs,
}: {
  store: Pick<Store, 'runtimes'>;
  /** Those that a connection of any node is on. */
  inUse: ReadonlySet<string>;
  stageId: string;
  nowMs: number;
  /** How long a hello may take. */
  graceMs: number;
}): Promise<void> {
  const records = await store.runtimes.list(stageId);
  for (const [index, { id }] of records.entries()) {
    const successor = records[index + 1];
    if (successor === undefined || inUse.has(id)) continue;
    if (nowMs - successor.createdAt > graceMs + MARGIN_MS) await store.runtimes.remove(id);
  }
}

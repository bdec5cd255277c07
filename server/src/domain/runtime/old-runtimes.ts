import type { Store } from '../../store/store.ts';
import type { Runtimes } from './runtimes.ts';

/** Added to the time that a hello may take: clocks are set now and then, and a record that stays longer costs little. */
const MARGIN_MS = 3_600_000;

/**
 * Removes the records of a stage's runtimes that no connection can be on any more: those that are not the newest, have
 * no connection on this node, and were replaced so long ago that no hello that was looked up before is still on its
 * way.
 */
export async function forgetOldRuntimes({
  store,
  runtimes,
  stageId,
  nowMs,
  graceMs,
}: {
  store: Pick<Store, 'runtimes'>;
  runtimes: Pick<Runtimes, 'isInUse'>;
  stageId: string;
  nowMs: number;
  /** How long a hello may take. */
  graceMs: number;
}): Promise<void> {
  const records = await store.runtimes.list(stageId);
  for (const [index, { id }] of records.entries()) {
    const successor = records[index + 1];
    if (successor === undefined || runtimes.isInUse(stageId, id)) continue;
    if (nowMs - successor.createdAt > graceMs + MARGIN_MS) await store.runtimes.remove(id);
  }
}

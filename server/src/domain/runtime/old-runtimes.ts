import type { Cluster } from '../../cluster/cluster.ts';
import type { Log } from '../../log.ts';
import type { RuntimeRecord, Store } from '../../store/store.ts';

/** Added to the time that a hello may take: clocks are set now and then, and a record that stays longer costs little. */
const MARGIN_MS = 3_600_000;

/** Which old runtimes of a stage may be forgotten, if no connection is on them. */
interface OldAt {
  readonly nowMs: number;
  /** How long a hello may take. */
  readonly graceMs: number;
}

/**
 * The runtimes of the stage that a connection of any node is on; undefined when a node did not say, and then none may be
 * forgotten. Asked before the transaction that forgets them, which must not wait for other nodes: a runtime that is old
 * enough gets no new connections in between.
 */
export async function findRuntimesInUse({
  cluster,
  log,
  settings,
  stageId,
}: {
  cluster: Pick<Cluster, 'requestAll'>;
  log: Pick<Log, 'warn'>;
  settings: { readonly disconnectDeadlineMs: number };
  stageId: string;
}): Promise<ReadonlySet<string> | undefined> {
  try {
    const replies = await cluster.requestAll('runtimes_in_use', { stageId }, settings.disconnectDeadlineMs);
    return new Set(replies.flatMap(({ runtimeIds }) => runtimeIds));
  } catch (error) {
    log.warn({ err: error, stageId }, 'a node did not say which runtimes it uses, so old ones are kept');
    return undefined;
  }
}

/** Whether the stage has runtimes that are old enough to be forgotten. */
export async function hasOldRuntimes({
  store,
  stageId,
  ...at
}: OldAt & { store: Pick<Store, 'runtimes'>; stageId: string }): Promise<boolean> {
  return oldOf(await store.runtimes.list(stageId), at).length > 0;
}

/** Removes the records of a stage's runtimes that no connection can be on any more. */
export async function forgetOldRuntimes({
  store,
  inUse,
  stageId,
  ...at
}: OldAt & {
  store: Pick<Store, 'runtimes'>;
  /** As `findRuntimesInUse` gives them. */
  inUse: ReadonlySet<string>;
  stageId: string;
}): Promise<void> {
  for (const { id } of oldOf(await store.runtimes.list(stageId), at)) {
    if (!inUse.has(id)) await store.runtimes.remove(id);
  }
}

/** Those that are not the newest, and were replaced so long ago that no hello that was looked up before is still on its way. */
function oldOf(records: readonly RuntimeRecord[], { nowMs, graceMs }: OldAt): RuntimeRecord[] {
  return records.filter((_, index) => {
    const successor = records[index + 1];
    return successor !== undefined && nowMs - successor.createdAt > graceMs + MARGIN_MS;
  });
}

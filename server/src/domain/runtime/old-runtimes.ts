import type { Cluster } from '../../cluster/cluster.ts';
import type { Log } from '../../log.ts';
import type { Store } from '../../store/store.ts';

/** Added to the time that a hello may take: clocks are set now and then, and a record that stays longer costs little. */
const MARGIN_MS = 3_600_000;
/** A stage may have been deployed to thousands of times an hour. Each deployment adds one, so that they become fewer. */
const FORGOTTEN_AT_ONCE = 500;

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
  return (await store.runtimes.listReplaced(stageId, replacedBefore(at), 1)).length > 0;
}

/** Removes the records of a stage's runtimes that no connection can be on any more, the oldest first, and not very many at once. */
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
  const old = await store.runtimes.listReplaced(stageId, replacedBefore(at), FORGOTTEN_AT_ONCE + inUse.size);
  await store.runtimes.remove(old.filter((id) => !inUse.has(id)).slice(0, FORGOTTEN_AT_ONCE));
}

/** Those that were replaced by then are so old that no hello that was looked up before is still on its way. */
function replacedBefore({ nowMs, graceMs }: OldAt): number {
  return nowMs - graceMs - MARGIN_MS;
}

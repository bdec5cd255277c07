import type { Cluster } from '../../cluster/cluster.ts';
import type { Log } from '../../log.ts';
import type { Store } from '../../store/store.ts';

/** Added to the time that a hello may take: clocks are set now and then, and a record that stays longer costs little. */
const MARGIN_MS = 3_600_000;
/** How many are forgotten at a time: a stage may have thousands. Each deployment adds one, so they become fewer. */
const FORGOTTEN_AT_ONCE = 500;

/** What decides which runtimes of a stage are old enough to be forgotten. */
interface OldAt {
  readonly nowMs: number;
  /** How long a hello may take. */
  readonly graceMs: number;
}

/**
 * The runtimes of the stage that have connections on any node; undefined when a node did not say, and then none may be
 * forgotten. To be called before the transaction that forgets them, which must not wait for other nodes: a runtime that
 * is old enough gets no new connections in between.
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

/** A runtime that was replaced before this time is so old that no hello which has looked it up is still on its way. */
function replacedBefore({ nowMs, graceMs }: OldAt): number {
  return nowMs - graceMs - MARGIN_MS;
}

import type { Clock } from '../clock.ts';
import type { Cluster } from '../cluster/cluster.ts';
import { Interrupted } from '../interrupted.ts';
import type { Log } from '../log.ts';
import type { MaybePromise } from '../maybe-promise.ts';
import type { Store } from '../store/store.ts';
import { type BackgroundWork, createBackground, type Lane } from './background.ts';

/** The store's record of a piece of work: PENDING, then IN_PROGRESS once a node has claimed it, then anything else. */
interface WorkRecord {
  readonly id: string;
  readonly state: string;
  readonly claimedBy: string | undefined;
  /** How many owners have begun it and not stopped in order; of work that is never abandoned, this is not counted. */
  readonly claims?: number;
}

/**
 * How many owners may begin a piece of work, one after the other. Something in it may end the whole process, and would do so
 * at each start.
 */
const MAX_CLAIMS = 5;
/** Work that as many owners have begun in vain is done by itself, so that what ends one of them is not laid to the rest. */
const SUSPECT_CLAIMS = 2;
const SUSPECTS = 'begun in vain';

/** One kind of work that a node claims, does outside of any transaction, and ends only while the claim is still its own. */
export interface WorkKind<Work extends WorkRecord, Begun, Result, Ended, Prepared = void> {
  readonly name: string;
  /** What is logged when an attempt fails and will be made again. */
  readonly failure: string;
  readonly maxAtOnce: number;
  /** The owners of the work, and how much of each one's is done at once; without lanes, all work shares `maxAtOnce`. */
  readonly lanes?: readonly { of(work: Work): string; readonly max: number }[];
  listUnfinished(): Promise<readonly Work[]>;
  /** The record as it is now. */
  find(store: Store, work: Work): Promise<Work | undefined>;
  /** Called before each claim, outside of the transaction, for what that one attempt is to know. */
  prepare?(): Promise<Prepared>;
  /** Calls the table's `claim`. */
  claim(store: Store, work: Work, owner: string, prepared: Prepared | undefined): Promise<boolean>;
  /** Reads what the work needs, in the transaction of the claim; undefined when the work has become pointless. */
  begin(store: Store, work: Work, prepared: Prepared | undefined): Promise<Begun | undefined>;
  /**
   * Does the work. Rejects only with `Interrupted` and for failures that may pass: the whole attempt is then repeated.
   */
  perform(begun: Begun): Promise<Result>;
  /** Calls the table's `leave`, when a stop in order has interrupted the work; needed for work that may be abandoned. */
  leave?(work: Work, owner: string): Promise<void>;
  /** The result of work that so many owners have begun and none has ended; without this, work is never abandoned. */
  abandoned?(claims: number): Result;
  /**
   * Writes the result with the table's `end`, in a transaction of its own; undefined when that changed nothing, and then
   * the work is looked at again.
   */
  end(store: Store, begun: Begun, result: Result, owner: string): Promise<Ended | undefined>;
  /** Called once the end is on disk. Must not reject. */
  ended?(begun: Begun, outcome: Ended): MaybePromise<void>;
}

/** Whether the work is still to be done, also after a restart. */
export function isUnfinished({ state }: Pick<WorkRecord, 'state'>): boolean {
  return state === 'PENDING' || state === 'IN_PROGRESS';
}

/**
 * Work that several nodes may see and only one does. Work that another living node has claimed is left to that node, and
 * looked at again until it has ended or that node is dead. A node that has lost its claim, because it was taken for
 * dead, finds out at the end: a late end changes nothing, and its result is dropped.
 */
export function createClaimedWork<Work extends WorkRecord, Begun, Result, Ended, Prepared = void>({
  kind,
  store,
  cluster,
  clock,
  log,
}: {
  kind: WorkKind<Work, Begun, Result, Ended, Prepared>;
  store: Store;
  cluster: Pick<Cluster, 'node' | 'isAlive'>;
  clock: Clock;
  log: Log;
}): BackgroundWork & { start(work: Work): void } {
  const { name, failure, maxAtOnce } = kind;
  const background = createBackground({ clock, log, failure, maxAtOnce });

  /** The claim of a dead node does not count, nor does an earlier claim of this one. */
  async function isTaken({ claimedBy }: Work, owner: string): Promise<boolean> {
    return claimedBy !== undefined && claimedBy !== owner && (await cluster.isAlive(claimedBy));
  }

  async function take(store: Store, known: Work, owner: string, prepared?: Prepared) {
    const found = await kind.find(store, known);
    if (found === undefined || !isUnfinished(found)) return undefined;
    if (found.claimedBy !== known.claimedBy) return 'taken' as const;
    const isClaimed = await kind.claim(store, found, owner, prepared);
    return isClaimed ? await kind.begin(store, found, prepared) : undefined;
  }

  /** Ends of which it is not known whether they are on disk, because the commit got no answer. */
  const inDoubt = new Map<string, { readonly owner: string; readonly begun: Begun; readonly outcome: Ended }>();

  async function end(id: string, begun: Begun, result: Result, owner: string): Promise<Ended | undefined> {
    let outcome: Ended | undefined;
    try {
      return await store.transaction(async (store) => {
        outcome = await kind.end(store, begun, result, owner);
        return outcome;
      });
    } catch (error) {
      if (outcome !== undefined) inDoubt.set(id, { owner, begun, outcome });
      throw error;
    }
  }

  /** Reports an end that was on disk after all. A node that was taken for dead cannot know whether the end is its own. */
  async function isOver(work: Work, owner: string): Promise<true> {
    const doubt = inDoubt.get(work.id);
    const isOwn = doubt?.owner === owner && (await kind.find(store, work)) !== undefined;
    // Only now that the store has answered: had it failed, the next attempt would need to know.
    inDoubt.delete(work.id);
    if (isOwn) await kind.ended?.(doubt.begun, doubt.outcome);
    return true;
  }

  /** Repeats what an earlier attempt has begun, this node's or a dead one's. */
  async function attempt(work: Work): Promise<boolean> {
    // One incarnation for the whole attempt: a node that gets another meanwhile has lost its claims.
    const owner = cluster.node;
    const known = await kind.find(store, work);
    if (known === undefined || !isUnfinished(known)) return await isOver(work, owner);
    // The cluster is asked before the transaction, which all other writes wait for.
    if (await isTaken(known, owner)) return false;
    const prepared = await kind.prepare?.();
    const begun = await store.transaction((store) => take(store, known, owner, prepared));
    if (begun === 'taken') return false;
    if (begun === undefined) return await isOver(work, owner);
    inDoubt.delete(work.id);
    const { claims = 0 } = known;
    const abandoned = known.claimedBy !== owner && claims >= MAX_CLAIMS ? kind.abandoned?.(claims) : undefined;
    const result = abandoned ?? (await performed(kind, begun, known, owner));
    const outcome = await end(work.id, begun, result, owner);
    if (outcome === undefined) {
      const left = await kind.find(store, work);
      return left === undefined || !isUnfinished(left);
    }
    await kind.ended?.(begun, outcome);
    return true;
  }

  /** Work that was started while an attempt was under way, which may have come too late to see why. */
  const again = new Set<string>();

  function start(work: Work): void {
    const { id } = work;
    again.add(id);
    const next = () => {
      again.delete(id);
      return attempt(work);
    };
    const run = background.run(id, next, lanesOf(kind, work));
    void run.then((isDone) => {
      if (isDone && again.delete(id)) start(work);
    });
  }

  return {
    name,
    start,
    async resume() {
      for (const work of await kind.listUnfinished()) start(work);
    },
    settled: background.settled,
    close: background.close,
  };
}

function lanesOf<Work extends WorkRecord>(
  { lanes = [], abandoned }: Pick<WorkKind<Work, unknown, unknown, unknown>, 'lanes' | 'abandoned'>,
  work: Work,
): Lane[] {
  const isSuspect = abandoned !== undefined && (work.claims ?? 0) >= SUSPECT_CLAIMS;
  const own = lanes.map(({ of, max }) => ({ name: of(work), max }));
  return isSuspect ? [{ name: SUSPECTS, max: 1 }, ...own] : own;
}

/** Does the work. A claim of which a stop in order makes nothing does not count: the work has no part in that. */
async function performed<Work extends WorkRecord, Begun, Result>(
  { perform, leave }: Pick<WorkKind<Work, Begun, Result, unknown>, 'perform' | 'leave'>,
  begun: Begun,
  work: Work,
  owner: string,
): Promise<Result> {
  try {
    return await perform(begun);
  } catch (error) {
    if (error instanceof Interrupted) await leave?.(work, owner);
    throw error;
  }
}

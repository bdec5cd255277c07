import type { MaybePromise } from '../maybe-promise.ts';
import type { Database, Query } from './database.ts';

/** More than the access keys, game keys and stages that are in use at once. */
const MAX_RECORDS = 10_000;

/** Takes the id of each record that the running transaction changes or removes, also by a cascade. */
export type Changed = (id: string) => void;

export interface Memory {
  /**
   * Answers with the record that was found for `lookUp` before, or with a promise of what `read` finds. `idsOf` gives the
   * ids that make the record outdated once a transaction reports one of them as changed. An absent record is not
   * remembered, since clients may ask for names without end. However many ask for the same at once, one `read` is under way
   * for them: where nothing may be remembered, each of them would take a connection of a slow database. Never throws: a
   * failure is a promise that rejects.
   */
  find<T>(
    lookUp: string,
    read: () => MaybePromise<T | undefined>,
    idsOf: (found: T) => readonly string[],
  ): MaybePromise<T | undefined>;

  /**
   * To be called when another process is known to have changed the record with this id, of which the database may tell later:
   * what was found, or is being read, answers no look-up that begins from now on.
   */
  forget(id: string): void;

  /** Runs a transaction of the database, with the same promises; `work` must report what it changes. */
  transaction<T>(work: (query: Query, changed: Changed) => Promise<T>): Promise<T>;
}

/**
 * Remembers records so that looking them up again needs no query, and never answers with a stale one. A record is
 *
 * - being read: afterwards it is remembered, unless meanwhile this process committed a reported change, or another
 *   process was seen to have committed anything. Whether the read or the commit came first cannot be told.
 * - remembered: it answers look-ups.
 * - forgotten: right before the COMMIT of a transaction that changed one of its ids, when another process is seen to
 *   have committed anything, and when there are too many records. After the COMMIT would be too late, because other
 *   reads may see what it wrote before it resolves. A transaction that is undone before its COMMIT forgets nothing.
 *
 * Every write must go through this memory's transactions: it does not notice those of another memory over the same
 * `Database`.
 */
export function createMemory(
  database: Pick<Database, 'foreignVersion' | 'announce' | 'transaction'>,
  maxRecords = MAX_RECORDS,
): Memory {
  const records = new Map<string, { readonly found: unknown; readonly ids: readonly string[] }>();
  /** Look-up → the read that is under way, and the next one, for all who have asked since that began. */
  const reads = new Map<string, { readonly current: Promise<unknown>; next?: Promise<unknown> }>();
  let foreignVersion: number | undefined;
  let commitsBegun = 0;
  let commitsEnded = 0;

  function forgetAll(changedIds: ReadonlySet<string>): void {
    for (const [lookUp, { ids }] of records) if (ids.some((id) => changedIds.has(id))) records.delete(lookUp);
  }

  async function findAnew<T>(
    lookUp: string,
    read: () => MaybePromise<T | undefined>,
    idsOf: (found: T) => readonly string[],
  ): Promise<T | undefined> {
    const version = foreignVersion;
    const commitsEndedBefore = commitsEnded;
    const found = await read();
    const isCurrent = commitsBegun === commitsEndedBefore && foreignVersion === version;
    if (found === undefined || version === undefined || !isCurrent) return found;
    if (records.size >= maxRecords) records.clear();
    records.set(lookUp, { found, ids: idsOf(found) });
    return found;
  }

  function begin<T>(lookUp: string, read: () => Promise<T>): Promise<T> {
    const entry = { current: read() };
    reads.set(lookUp, entry);
    const ended = () => {
      if (reads.get(lookUp) === entry) reads.delete(lookUp);
    };
    entry.current.then(ended, ended);
    return entry.current;
  }

  /** A read that began before somebody asked may be older than the question, so all who ask meanwhile get the next one. */
  function together<T>(lookUp: string, read: () => Promise<T>): Promise<T> {
    const underWay = reads.get(lookUp);
    if (underWay === undefined) return begin(lookUp, read);
    const beginNext = () => begin(lookUp, read);
    underWay.next ??= underWay.current.then(beginNext, beginNext);
    return underWay.next as Promise<T>;
  }

  return {
    find<T>(lookUp: string, read: () => MaybePromise<T | undefined>, idsOf: (found: T) => readonly string[]) {
      try {
        const current = database.foreignVersion();
        if (current !== foreignVersion) records.clear();
        foreignVersion = current;
      } catch (error) {
        return Promise.reject(error);
      }
      const known = records.get(lookUp);
      return known === undefined ? together(lookUp, () => findAnew(lookUp, read, idsOf)) : (known.found as T);
    },

    forget(id) {
      forgetAll(new Set([id]));
      // As after a commit of this process.
      commitsBegun += 1;
      commitsEnded += 1;
    },

    async transaction(work) {
      const changedIds = new Set<string>();
      let isCommitting = false;
      try {
        return await database.transaction(async (query) => {
          const result = await work(query, (id) => changedIds.add(id));
          if (changedIds.size === 0) return result;
          await database.announce(query);
          isCommitting = true;
          commitsBegun += 1;
          forgetAll(changedIds);
          return result;
        });
      } finally {
        if (isCommitting) commitsEnded += 1;
      }
    },
  };
}

import type { PlayerKey } from '../../player-key.ts';
import type { DirectoryEntry } from '../cluster.ts';

/**
 * One of this node's entries, as far as the node knows:
 *
 * - `registering`  the directory has been asked; its reply → `listed`, a refusal ends the record
 * - `unknown`      the reply was lost, so it may be listed; its caller has to have it unregistered
 * - `listed`       acknowledged, and listed again in every new era
 * - `leaving`      its removal is asked for until the directory has acknowledged that
 */
export interface EntryRecord {
  readonly key: PlayerKey;
  readonly entry: DirectoryEntry;
  state: 'registering' | 'unknown' | 'listed' | 'leaving';
  /** The latest era in which the directory may list it. */
  sentIn: string;
  /** The latest era in which the directory has acknowledged that it lists it. */
  listedIn: string | undefined;
}

/** What waits until the directory lists a connection no longer. */
export interface Leaving {
  readonly key: PlayerKey;
  readonly id: string;
  readonly sentIn: string;
  readonly gone: Promise<void>;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

/** The entries of one incarnation in one partition. */
export class Entries {
  readonly #records = new Map<string, EntryRecord>();
  readonly #leaving = new Map<string, Leaving>();

  get size(): number {
    return this.#records.size + this.#leaving.size;
  }

  find(id: string): EntryRecord | undefined {
    return this.#records.get(id);
  }

  isLeaving(id: string): boolean {
    return this.#leaving.has(id);
  }

  /** Whether the directory may list it because of this incarnation. */
  isKnown(id: string): boolean {
    return this.#records.has(id) || this.#leaving.has(id);
  }

  add(record: EntryRecord): void {
    this.#records.set(record.entry.connectionId, record);
  }

  /** Forgets a record that the directory does not list, unless another has taken its place. */
  drop(record: EntryRecord): void {
    if (this.#records.get(record.entry.connectionId) === record) this.#records.delete(record.entry.connectionId);
  }

  /** The acknowledged entries that the directory does not list in this era. */
  missingIn(era: string): EntryRecord[] {
    return [...this.#records.values()].filter(({ state, listedIn }) => state === 'listed' && listedIn !== era);
  }

  /** Marks a connection for removal; `era` is the current one, in which an unknown connection may be listed. */
  leave(key: PlayerKey, id: string, era: string): Leaving {
    const known = this.#leaving.get(id);
    if (known !== undefined) return known;
    const record = this.#records.get(id);
    this.#records.delete(id);
    if (record !== undefined) record.state = 'leaving';
    let resolve = () => {};
    let reject: Leaving['reject'] = () => {};
    const gone = new Promise<void>((onDone, onFault) => {
      resolve = onDone;
      reject = onFault;
    });
    // A caller that waits gets the rejection; without one, it must not count as unhandled.
    gone.catch(() => {});
    const leaving = { key, id, sentIn: record?.sentIn ?? era, gone, resolve, reject };
    this.#leaving.set(id, leaving);
    return leaving;
  }

  /** To be called when the directory no longer lists it. */
  left(leaving: Leaving): void {
    this.#leaving.delete(leaving.id);
    leaving.resolve();
  }

  leavings(): Leaving[] {
    return [...this.#leaving.values()];
  }

  /** The incarnation has ended: this node no longer learns what becomes of its entries. */
  abandon(error: Error): void {
    for (const { reject } of this.#leaving.values()) reject(error);
    this.#leaving.clear();
    this.#records.clear();
  }
}

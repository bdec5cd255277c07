import { Counts } from '../counts.ts';
import type { DirectoryEntry, StageCounts, StageListing, StagePage } from './cluster.ts';
import { SortedNames } from './sorted-names.ts';

/** The entries of one stage in the directory of a single node. */
export class LocalStage {
  /** Player → entries, of which there is at least one. A player has few, so each change copies them. */
  readonly #players = new Map<string, readonly DirectoryEntry[]>();
  /** The players in order, so that a page of them costs no more than the page. */
  readonly #order = new SortedNames();
  /** Runtime → how many entries are on it. */
  readonly #onRuntime = new Counts();
  #size = 0;

  /** The number of entries. */
  get size(): number {
    return this.#size;
  }

  entriesOf(playerId: string): readonly DirectoryEntry[] {
    return this.#players.get(playerId) ?? NONE;
  }

  add(playerId: string, entry: DirectoryEntry): void {
    const entries = this.#players.get(playerId);
    if (entries === undefined) this.#order.add(playerId);
    this.#players.set(playerId, entries === undefined ? [entry] : [...entries, entry]);
    this.#count(entry, 1);
  }

  remove(playerId: string, connectionIds: readonly string[]): void {
    const kept: DirectoryEntry[] = [];
    for (const entry of this.entriesOf(playerId)) {
      if (connectionIds.includes(entry.connectionId)) this.#count(entry, -1);
      else kept.push(entry);
    }
    if (kept.length > 0) this.#players.set(playerId, kept);
    else if (this.#players.delete(playerId)) this.#order.delete(playerId);
  }

  list({ from = '', prefix = '', limit }: StagePage): StageListing {
    const found = this.#order.slice(from > prefix ? from : prefix, limit);
    const ids = prefix === '' ? found : found.filter((playerId) => playerId.startsWith(prefix));
    return {
      players: ids.map((playerId) => ({ playerId, entries: this.entriesOf(playerId) })),
      last: ids.length < limit ? undefined : ids.at(-1),
    };
  }

  counts(node: string): StageCounts {
    const groups = [...this.#onRuntime].map(([runtimeId, connections]) => ({ node, runtimeId, connections }));
    return { players: this.#players.size, groups };
  }

  #count({ runtimeId }: DirectoryEntry, by: number): void {
    this.#size += by;
    this.#onRuntime.add(runtimeId, by);
  }
}

const NONE: readonly DirectoryEntry[] = [];

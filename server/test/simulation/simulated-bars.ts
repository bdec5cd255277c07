import type { BarRecord, BarTable } from '../../src/store/bars.ts';
import type { Engine } from './engine.ts';

/** Where the code that asks runs: a node, which may be held up or killed while it waits. */
interface Asker {
  schedule(delayMs: number, task: () => void): void;
}

/** The table of bars of a store that nodes share, and every version that was ever written. */
export class SimulatedBars {
  readonly records = new Map<string, BarRecord>();
  /** Request id → the version that the request wrote. */
  readonly versions = new Map<string, number>();
  readonly #engine: Engine;
  #version = 0;

  constructor(engine: Engine) {
    this.#engine = engine;
  }

  /** The table as one node reaches it. */
  of(asker: Asker): BarTable {
    const passing = () => {
      const longestMs = this.#engine.chance(0.15) ? 400 : 3;
      return new Promise<void>((resolve) => asker.schedule(this.#engine.between(0.1, longestMs), resolve));
    };
    /** The work is one step, some time after it was asked for and some time before the answer is there. */
    async function once<T>(work: () => T): Promise<T> {
      await passing();
      const result = work();
      await passing();
      return result;
    }
    const change = (record: BarRecord): BarRecord => {
      this.records.set(record.name, record);
      return record;
    };
    const next = () => {
      this.#version += 1;
      return this.#version;
    };
    const has = (name: string, version: number) => this.records.get(name)?.version === version;
    const standing = () =>
      [...this.records.values()]
        .filter(({ state }) => state === 'SET')
        .sort((one, other) => (one.name < other.name ? -1 : 1));
    return {
      find: (name) => once(() => this.records.get(name)),
      set: (record) =>
        once(() => {
          const version = next();
          this.versions.set(record.requestId, version);
          return change({ ...record, version, state: 'SET', isEnforced: false });
        }),
      lift: (name) =>
        once(() => {
          const known = this.records.get(name);
          const version = next();
          return known === undefined ? version : change({ ...known, version, state: 'LIFTED', isEnforced: false });
        }),
      renew: (name, version, above) =>
        once(() => {
          const known = this.records.get(name);
          if (known?.version !== version) return undefined;
          return change({ ...known, version: Math.max(next(), above + 1), isEnforced: false });
        }),
      markEnforced: (name, version) =>
        once(() => {
          const known = this.records.get(name);
          if (known?.version !== version) return false;
          change({ ...known, isEnforced: true });
          return true;
        }),
      remove: (name, version) => once(() => has(name, version) && this.records.delete(name)),
      list: async () => ({ bars: [], next: undefined }),
      count: async () => this.records.size,
      listAll: ({ after = '', limit }) =>
        once(() =>
          standing()
            .filter(({ name }) => name > after)
            .slice(0, limit),
        ),
      listUnfinished: (limit) =>
        once(() => [...this.records.values()].filter(({ isEnforced }) => !isEnforced).slice(0, limit)),
      removeEnded: (at) =>
        once(() => {
          const ended = [...this.records.values()].filter(
            ({ until, isEnforced }) => isEnforced && until !== undefined && until <= at,
          );
          for (const { name } of ended) this.records.delete(name);
          return ended.length;
        }),
      // No stage or game of a simulation is deleted.
      async removeAll() {},
    };
  }
}

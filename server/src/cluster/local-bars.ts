import type { Clock } from '../clock.ts';
import type { Bar, Barred, Newcomer } from './cluster.ts';

/**
 * How long a bar that was lifted, or has ended, is remembered: longer than an older version of it can be on its way, because
 * whoever brings one has given up, or is past the longest lease, long before.
 */
export const BAR_MEMORY_MS = 30 * 60_000;

/** How many bars each change looks at, to forget what has ended: two, so that they go sooner than they come. */
const LOOKED_AT_ONCE = 2;

/** A bar, or that it was lifted. */
type Known = Bar | { readonly version: number; readonly liftedAt: number };

/** The bars of a single node, in memory. */
export class LocalBars {
  readonly #clock: Clock;
  readonly #known = new Map<string, Known>();
  #looking = this.#known.entries();

  constructor({ clock }: { clock: Clock }) {
    this.#clock = clock;
  }

  get size(): number {
    return this.#known.size;
  }

  set(name: string, bar: Bar): void {
    this.#keep(name, bar);
  }

  lift(name: string, version: number): void {
    this.#keep(name, { version, liftedAt: this.#clock.now() });
  }

  find({ barNames, at, signedInAt }: Newcomer): Barred | undefined {
    if (this.#known.size === 0) return undefined;
    for (const barName of barNames) {
      const known = this.#known.get(barName);
      if (known === undefined || 'liftedAt' in known) continue;
      const { until, signedInBefore, note } = known;
      if (until !== undefined && at >= until) continue;
      if (signedInBefore === undefined || signedInAt < signedInBefore) return { barName, until, note };
    }
    return undefined;
  }

  #keep(name: string, known: Known): void {
    const before = this.#known.get(name);
    if (before === undefined || before.version < known.version) this.#known.set(name, known);
    this.#forgetSome();
  }

  #forgetSome(): void {
    const now = this.#clock.now();
    for (let count = 0; count < LOOKED_AT_ONCE; count += 1) {
      const { value, done } = this.#looking.next();
      if (done === true) {
        this.#looking = this.#known.entries();
        return;
      }
      const [name, known] = value;
      const endedAt = 'liftedAt' in known ? known.liftedAt : known.until;
      if (endedAt !== undefined && endedAt + BAR_MEMORY_MS <= now) this.#known.delete(name);
    }
  }
}

import type { Clock } from '../clock.ts';
import type { Bar, Barred, Lifting, Newcomer } from './cluster.ts';

/**
 * How long a bar that was lifted, or has ended, is remembered. No older version of it can be on its way for that long:
 * a node that sends one gives up, or its lease ends, long before.
 */
export const BAR_MEMORY_MS = 30 * 60_000;

/** How many bars each change looks at, to forget those that have ended: two, so that they go faster than they come. */
const LOOKED_AT_ONCE = 2;

/** A bar, or a mark that it was lifted, and since when, on the monotonic clock, it has been seen to be over. */
type Known = (Bar | { readonly version: number; readonly isLifted: true }) & { overSince?: number | undefined };

/**
 * The bars of a single node, in memory. A bar ends by the wall clock, which may be set forward by mistake and back again, so
 * what has ended is forgotten only when that clock has said so for long enough.
 */
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

  /** Returns the newer version that is known, if there is one. */
  set(name: string, bar: Bar): number | undefined {
    const version = this.#known.get(name)?.version;
    this.#keep(name, { ...bar });
    return version !== undefined && version > bar.version ? version : undefined;
  }

  lift(name: string, version: number): Lifting {
    const before = this.#known.get(name);
    const newer = before !== undefined && before.version > version ? before.version : undefined;
    const hasHeld = before !== undefined && before.version < version && !this.#isOver(before);
    this.#keep(name, { version, isLifted: true, overSince: this.#clock.monotonic() });
    return { hasHeld, newer };
  }

  find({ barNames, at, signedInAt }: Newcomer): Barred | undefined {
    if (this.#known.size === 0) return undefined;
    for (const barName of barNames) {
      const known = this.#known.get(barName);
      if (known === undefined || 'isLifted' in known) continue;
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
    const now = this.#clock.monotonic();
    for (let count = 0; count < LOOKED_AT_ONCE; count += 1) {
      const { value, done } = this.#looking.next();
      if (done === true) {
        this.#looking = this.#known.entries();
        return;
      }
      const [name, known] = value;
      known.overSince = this.#isOver(known) ? (known.overSince ?? now) : undefined;
      if (known.overSince !== undefined && now - known.overSince >= BAR_MEMORY_MS) this.#known.delete(name);
    }
  }

  #isOver(known: Known): boolean {
    return 'isLifted' in known || (known.until !== undefined && known.until <= this.#clock.now());
  }
}

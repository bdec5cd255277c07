import type { Clock } from '../clock.ts';
import { withTimeout } from '../clock.ts';
import type { Log } from '../log.ts';

/** For all releases together, so that a stopping process ends in time. The help text of `drainTimeoutMs` names it. */
const CLOSE_TIMEOUT_MS = 5_000;

/** Releases in reverse order of acquisition. Code that acquires something pushes its release on the next line. */
export class Closers {
  readonly #stack: { name: string; release: () => unknown }[] = [];

  push(name: string, release: () => unknown): void {
    this.#stack.push({ name, release });
  }

  /**
   * Runs every release, even when others fail or hang, and waits for each at most until the common limit. A second call
   * does nothing.
   */
  async close({ clock, log }: { clock: Clock; log: Log }): Promise<void> {
    const deadline = clock.monotonic() + CLOSE_TIMEOUT_MS;
    for (let next = this.#stack.pop(); next !== undefined; next = this.#stack.pop()) {
      const { name, release } = next;
      try {
        await withTimeout(Promise.resolve(release()), Math.max(0, deadline - clock.monotonic()), clock);
      } catch (error) {
        log.error({ err: error, resource: name }, 'a resource was not released');
      }
    }
  }
}

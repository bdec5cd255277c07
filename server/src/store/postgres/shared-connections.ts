import type pg from 'pg';
import type { Clock } from '../../clock.ts';
import { isWithoutRoom } from './faults.ts';

/** A call that waits for another to release its connection. */
interface Waiting {
  /** Makes it try again. */
  wake(): void;
  fail(error: unknown): void;
}

/**
 * Takes connections of a pool. Where the database has no room for more, because other programs use it, the connections
 * that there are serve all calls in turn: a call waits for one for at most `timeoutMs`, and not at all while no call
 * has one or may be about to get one.
 */
export function shareConnections({
  pool,
  clock,
  timeoutMs,
}: {
  pool: Pick<pg.Pool, 'connect' | 'idleCount'>;
  clock: Pick<Clock, 'monotonic' | 'after'>;
  timeoutMs: number;
}): {
  /** Rejects with the error of the driver. */
  take(): Promise<pg.PoolClient>;
  /** Must be called when a connection that was taken was given back to the pool, or closed. */
  released(): void;
  /** How many calls wait for a connection to be released. */
  readonly waitingCount: number;
} {
  const waiting = new Set<Waiting>();
  let taken = 0;
  let attempts = 0;

  function release(atMostMs: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const end = (settle: () => void) => {
        waiting.delete(each);
        cancel();
        settle();
      };
      const each = { wake: () => end(resolve), fail: (error: unknown) => end(() => reject(error)) };
      const cancel = clock.after(atMostMs, each.wake);
      waiting.add(each);
    });
  }

  async function attempt(): Promise<pg.PoolClient> {
    attempts += 1;
    try {
      const client = await pool.connect();
      taken += 1;
      return client;
    } finally {
      attempts -= 1;
    }
  }

  return {
    async take() {
      const until = clock.monotonic() + timeoutMs;
      for (;;) {
        try {
          return await attempt();
        } catch (error) {
          const leftMs = until - clock.monotonic();
          // A connection may have been given back before this attempt was refused.
          const isLast = taken === 0 && attempts === 0 && pool.idleCount === 0;
          if (isLast) for (const { fail } of waiting) fail(error);
          if (isLast || !isWithoutRoom(error) || leftMs <= 0) throw error;
          if (pool.idleCount === 0) await release(leftMs);
        }
      }
    },
    released() {
      taken -= 1;
      for (const { wake } of waiting) return wake();
    },
    get waitingCount() {
      return waiting.size;
    },
  };
}

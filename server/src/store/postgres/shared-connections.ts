import type pg from 'pg';
import type { Clock } from '../../clock.ts';
import { isWithoutRoom } from './faults.ts';

/**
 * Takes connections of a pool. Where the database has no room for another one, because other programs have taken it, those
 * that there are serve all calls in turn: a call waits for one for at most `timeoutMs`.
 */
export function shareConnections({
  pool,
  clock,
  timeoutMs,
}: {
  pool: Pick<pg.Pool, 'connect' | 'totalCount' | 'idleCount'>;
  clock: Pick<Clock, 'monotonic' | 'after'>;
  timeoutMs: number;
}): {
  /** Rejects with the error of the driver. */
  take(): Promise<pg.PoolClient>;
  /** To be called when a connection was given back to the pool, or closed. */
  released(): void;
  /** How many calls wait for that. */
  readonly waitingCount: number;
} {
  const waiting: (() => void)[] = [];

  function release(atMostMs: number): Promise<void> {
    return new Promise((resolve) => {
      const wake = () => {
        cancel();
        resolve();
      };
      const cancel = clock.after(atMostMs, () => {
        waiting.splice(waiting.indexOf(wake), 1);
        resolve();
      });
      waiting.push(wake);
    });
  }

  return {
    async take() {
      const until = clock.monotonic() + timeoutMs;
      for (;;) {
        try {
          return await pool.connect();
        } catch (error) {
          const leftMs = until - clock.monotonic();
          if (!isWithoutRoom(error) || pool.totalCount === 0 || leftMs <= 0) throw error;
          // One may have been given back before this was refused.
          if (pool.idleCount === 0) await release(leftMs);
        }
      }
    },
    released: () => waiting.shift()?.(),
    get waitingCount() {
      return waiting.length;
    },
  };
}

import type { Clock } from '../../clock.ts';
import { unavailable } from './faults.ts';

/** Lets one piece of work run at a time, in order of arrival; one that has waited for too long rejects, and never runs. */
export function createWriterQueue({
  clock,
  maxWaitMs,
}: {
  clock: Pick<Clock, 'after'>;
  maxWaitMs: number;
}): <T>(work: () => Promise<T>) => Promise<T> {
  const waiting: (() => void)[] = [];
  let isTaken = false;

  function turn(): Promise<void> | undefined {
    if (!isTaken) {
      isTaken = true;
      return undefined;
    }
    return new Promise((resolve, reject) => {
      const begin = () => {
        cancel();
        resolve();
      };
      const cancel = clock.after(maxWaitMs, () => {
        waiting.splice(waiting.indexOf(begin), 1);
        reject(unavailable('the writes before this one keep the database busy'));
      });
      waiting.push(begin);
    });
  }

  return async (work) => {
    await turn();
    try {
      return await work();
    } finally {
      const next = waiting.shift();
      if (next === undefined) isTaken = false;
      else next();
    }
  };
}

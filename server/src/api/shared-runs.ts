import { type Clock, passed } from '../clock.ts';

/**
 * Runs `work` for everybody who asks: at once while nothing is under way, otherwise once more for all who asked meanwhile, no
 * sooner than `pauseMs` after what was under way has ended. So no answer is older than its question, and many callers at the same
 * time cost no more than one who asks again and again.
 */
export function sharedRuns<T>({
  work,
  pauseMs,
  clock,
}: {
  work: () => Promise<T>;
  pauseMs: number;
  clock: Pick<Clock, 'after'>;
}): () => Promise<T> {
  let underWay: Promise<T> | undefined;
  let next: Promise<T> | undefined;

  function start(): Promise<T> {
    next = undefined;
    const run = work();
    underWay = run;
    const ended = () => {
      if (underWay === run) underWay = undefined;
    };
    run.then(ended, ended);
    return run;
  }

  async function after(run: Promise<T>): Promise<T> {
    await run.catch(() => {});
    await passed(pauseMs, clock);
    return await start();
  }

  return () => {
    if (next !== undefined) return next;
    if (underWay === undefined) return start();
    next = after(underWay);
    return next;
  };
}

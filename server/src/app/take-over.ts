import type { Clock } from '../clock.ts';
import type { Settings } from '../config/config.ts';
import type { BackgroundWork } from '../domain/background.ts';
import type { Log } from '../log.ts';
import type { Closers } from './closers.ts';

/**
 * Goes on with what an earlier start has left. Where nodes share a database, this one also looks again and again for what
 * the others have left: a cluster may not start a node for weeks. What a node that is not proven dead has claimed stays with it.
 */
export async function resumeWork({
  background,
  settings: { nodeRole, databaseUrl, leaseMs: periodMs },
  closers,
  clock,
  log,
}: {
  background: readonly Pick<BackgroundWork, 'name' | 'resume'>[];
  settings: Pick<Settings, 'nodeRole' | 'databaseUrl' | 'leaseMs'>;
  closers: Pick<Closers, 'push'>;
  clock: Pick<Clock, 'after'>;
  log: Pick<Log, 'warn'>;
}): Promise<void> {
  if (nodeRole === 'gateway') return;
  for (const work of background) await work.resume();
  if (databaseUrl === undefined) return;
  closers.push('take-over of work', lookAgainAndAgain({ background, periodMs, clock, log }));
}

/** Returns a function that stops the looking. */
function lookAgainAndAgain({
  background,
  periodMs,
  clock,
  log,
}: {
  background: readonly Pick<BackgroundWork, 'name' | 'resume'>[];
  periodMs: number;
  clock: Pick<Clock, 'after'>;
  log: Pick<Log, 'warn'>;
}): () => Promise<void> {
  let isEnded = false;
  let looking = Promise.resolve();
  let cancel = () => {};

  async function look(): Promise<void> {
    for (const { name, resume } of background) {
      if (isEnded) return;
      await resume().catch((error: unknown) =>
        log.warn({ err: error, name }, 'unfinished work could not be looked for'),
      );
    }
    plan();
  }

  function plan(): void {
    if (isEnded) return;
    cancel = clock.after(periodMs, () => {
      looking = look();
    });
  }

  plan();
  return async () => {
    isEnded = true;
    cancel();
    await looking;
  };
}

import type { Clock } from '../clock.ts';
import type { BackgroundWork } from '../domain/background.ts';
import type { Log } from '../log.ts';

/** A node that dies leaves its work for so long at most, beside the time until it is taken for dead. */
const PERIOD_MS = 30_000;

/**
 * Has a node look again and again for unfinished work, which nodes that have died may have left in a database that they
 * share; does nothing where they share none. What is under way here, or was claimed by a living node, stays where it is.
 * Gives what ends this.
 */
export function takeOverNowAndThen({
  settings,
  background,
  clock,
  log,
}: {
  settings: { readonly databaseUrl: string | undefined };
  background: readonly Pick<BackgroundWork, 'name' | 'resume'>[];
  clock: Pick<Clock, 'after'>;
  log: Pick<Log, 'debug'>;
}): () => Promise<void> {
  let isEnded = false;
  let looking = Promise.resolve();
  let cancel = () => {};

  async function look(): Promise<void> {
    for (const work of background) {
      // The database is away, which every call says as well.
      await work
        .resume()
        .catch((error: unknown) => log.debug({ err: error }, `unfinished ${work.name} cannot be listed`));
    }
    plan();
  }

  function plan(): void {
    if (isEnded || settings.databaseUrl === undefined) return;
    cancel = clock.after(PERIOD_MS, () => {
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

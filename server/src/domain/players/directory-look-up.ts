import { type Clock, withTimeout } from '../../clock.ts';
import type { Cluster, Listing } from '../../cluster/cluster.ts';
import { ServiceError } from '../../errors.ts';
import { type MaybePromise, orElse } from '../../maybe-promise.ts';
import type { PlayerKey } from '../../player-key.ts';

/** Every connection of the player, and which of `owners` have ended. Throws an `internal` that may be tried again when the directory does not say. */
export function listConnections({
  cluster,
  clock,
  player,
  owners,
  timeoutMs,
}: {
  cluster: Cluster;
  clock: Clock;
  player: PlayerKey;
  owners?: readonly string[];
  timeoutMs: number;
}): MaybePromise<Listing> {
  return orUnavailable('directory of connections', () => cluster.list(player, owners), timeoutMs, clock);
}

/** The answer of the store or the directory. Throws an `internal` that may be tried again when it fails or is late. */
export function orUnavailable<T>(
  source: string,
  ask: () => MaybePromise<T>,
  timeoutMs: number,
  clock: Clock,
): MaybePromise<T> {
  return orElse(
    () => withTimeout(ask(), timeoutMs, clock),
    (cause) => {
      throw new ServiceError('internal', `The ${source} is not available. Try again.`, { cause });
    },
  );
}

import type { Clock } from '../../clock.ts';
import type { Cluster, Listing } from '../../cluster/cluster.ts';
import type { MaybePromise } from '../../maybe-promise.ts';
import type { PlayerKey } from '../../player-key.ts';
import { orUnavailable } from '../or-unavailable.ts';

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

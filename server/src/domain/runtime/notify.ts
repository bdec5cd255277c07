import type { Clock } from '../../clock.ts';
import type { Cluster } from '../../cluster/cluster.ts';
import type { Log } from '../../log.ts';
import type { PlayerKey } from '../../player-key.ts';
import { listConnections } from '../players/directory-look-up.ts';
import { idsByOwner } from '../players/disconnect.ts';

/**
 * Sends a notification on every connection of the player, on any node. Resolves when the nodes have taken it; one that
 * does not is logged. Throws `internal` when the directory does not say where the player is connected.
 */
export type Notify = (player: PlayerKey, type: string, payload: Readonly<Record<string, unknown>>) => Promise<void>;

export function createNotify({
  cluster,
  clock,
  log,
  settings: { disconnectDeadlineMs: timeoutMs },
}: {
  cluster: Cluster;
  clock: Clock;
  log: Log;
  settings: { readonly disconnectDeadlineMs: number };
}): Notify {
  return async (player, type, payload) => {
    const { entries } = await listConnections({ cluster, clock, player, timeoutMs });
    const asked = [...idsByOwner(entries)].map(async ([node, connectionIds]) => {
      try {
        await cluster.request(node, 'notify', { player, connectionIds, type, payload }, timeoutMs);
      } catch (error) {
        log.warn({ err: error, node, type }, 'a node did not take a notification');
      }
    });
    await Promise.all(asked);
  };
}

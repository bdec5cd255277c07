import type { Clock } from '../../clock.ts';
import type { Cluster } from '../../cluster/cluster.ts';
import type { Log } from '../../log.ts';
import type { PlayerKey } from '../../player-key.ts';
import { listConnections } from '../players/directory-look-up.ts';
import { idsByOwner } from '../players/disconnect.ts';

/** How far a notification has come at one node. */
export interface NodeReach {
  readonly node: string;
  /**
   * How many connections it was written to. Undefined when the node did not say: it may have sent it to all, some or
   * none.
   */
  readonly connections: number | undefined;
}

/**
 * Sends a notification on every connection of the player, on any node. Resolves when each node has taken it or failed
 * to, which is logged. Throws `internal` when the directory does not say where the player is connected. A dry run sends
 * nothing, and counts what the directory lists.
 */
export type Notify = (
  player: PlayerKey,
  type: string,
  payload: Readonly<Record<string, unknown>>,
  options?: { readonly isDryRun: boolean },
) => Promise<readonly NodeReach[]>;

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
  return async (player, type, payload, options) => {
    const { entries } = await listConnections({ cluster, clock, player, timeoutMs });
    const asked = [...idsByOwner(entries)].map(async ([node, connectionIds]): Promise<NodeReach> => {
      if (options?.isDryRun) return { node, connections: connectionIds.length };
      try {
        const { reached } = await cluster.request(node, 'notify', { player, connectionIds, type, payload }, timeoutMs);
        return { node, connections: reached };
      } catch (error) {
        log.warn({ err: error, node, type }, 'a node did not take a notification');
        return { node, connections: undefined };
      }
    });
    return await Promise.all(asked);
  };
}

import { type ConnectionSelector, createMatcher } from '../connection-selector.ts';
import type { Connection } from './connection.ts';

/** A check of this node's connections: those in the stage that the selector means. */
export function createSelection(stageId: string, selector: ConnectionSelector): (connection: Connection) => boolean {
  const isMeant = createMatcher(selector);
  return ({ player, runtime, lease, registeredAt: createdAt, addressGroup }) => {
    if (player?.stageId !== stageId || runtime === undefined || lease === undefined) return false;
    // Those of an incarnation that is over count as ended with it, although some of their sockets are open for a moment.
    if (!lease.mayAct()) return false;
    const { playerId } = player;
    return isMeant({ playerId, runtimeId: runtime.id, node: lease.node, createdAt, addressGroup });
  };
}

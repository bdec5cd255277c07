import type { Clock, Moment } from '../clock.ts';
import type { Cluster } from '../cluster/cluster.ts';
import type { ConnectionSelector, NamedConnection } from '../connection-selector.ts';
import type { MaybePromise } from '../maybe-promise.ts';
import type { RandomBytes } from '../random.ts';
import type { Connection, Why } from './connection.ts';
import type { EndedByJobs } from './ended-by-jobs.ts';
import type { Membership } from './membership.ts';
import { whyOf } from './node-requests.ts';
import { spreadOver } from './refusal.ts';
import { createSelection } from './selection.ts';
import { createSlices, endEach } from './slices.ts';

/** Answers the requests about all of this node's connections that a selector means. */
export function answerBulkRequests({
  cluster,
  membership,
  endedByJobs,
  end,
  clock,
  random,
}: {
  cluster: Pick<Cluster, 'answer' | 'unregister'>;
  membership: Pick<Membership, 'all' | 'find' | 'dropMessages'>;
  endedByJobs: EndedByJobs;
  end: (connection: Connection, why: Why) => MaybePromise<void>;
  clock: Clock;
  random: RandomBytes;
}): void {
  cluster.answer('count_connections', async ({ stageId, selector }) => {
    const players = new Set<string>();
    let connections = 0;
    await lookThrough(membership.all(), { stageId, selector, clock }, ({ playerId }) => {
      connections += 1;
      players.add(playerId);
      return true;
    });
    return { connections, players: players.size };
  });

  cluster.answer('match_connections', async ({ stageId, selector: asked, connectedBefore, beganAgoMs, limit }) => {
    const selector = beganAgoMs === undefined ? asked : { ...asked, connectedBefore };
    const agoMs = beganAgoMs ?? 0;
    const began: Moment = { monotonic: clock.monotonic() - agoMs, wall: clock.now() - agoMs };
    const connections: NamedConnection[] = [];
    await lookThrough(membership.all(), { stageId, selector, clock }, (named, connection) => {
      if (!connection.hasRegisteredBefore(began)) return true;
      connections.push(named);
      return connections.length < limit;
    });
    return { connections };
  });

  cluster.answer('end_connections', async ({ stageId, connections, order, returnWithinMs }) => {
    const why = whyOf(order);
    const ids = connections.map(({ connectionId }) => connectionId);
    if (returnWithinMs === undefined) membership.dropMessages(ids);
    const endedByJob = endedByJobs.of({ requestId: order.requestId, stageId }, ids);
    const [closedIds, goneIds, endedBeforeIds]: [string[], string[], string[]] = [[], [], []];
    const endOne = async ({ connectionId, playerId }: NamedConnection) => {
      const connection = membership.find(connectionId);
      const isOpen = connection !== undefined && !connection.isStopped;
      const wasEndedBefore = endedByJob.has(connectionId);
      // Before its end is proven, which may take longer than the job waits for an answer.
      if (isOpen) endedByJob.add(connectionId);
      if (connection === undefined) await cluster.unregister({ stageId, playerId }, [connectionId]);
      else await end(connection, returnWithinMs === undefined ? why : returning(why, returnWithinMs, random));
      (isOpen ? closedIds : goneIds).push(connectionId);
      if (wasEndedBefore) endedBeforeIds.push(connectionId);
    };
    // The directory still lists a connection whose end failed, and the job asks for it again.
    await endEach(connections, clock, endOne).catch(() => {});
    return { closedIds, goneIds, endedBeforeIds };
  });
}

/** Calls `found` for each connection that the selector means, until that returns false, and lets other work have its turn. */
async function lookThrough(
  connections: Iterable<Connection>,
  { stageId, selector, clock }: { stageId: string; selector: ConnectionSelector; clock: Clock },
  found: (named: NamedConnection, connection: Connection) => boolean,
): Promise<void> {
  const isMeant = createSelection(stageId, selector);
  const pauseIfDue = createSlices(clock);
  for (const connection of connections) {
    await pauseIfDue();
    const { id: connectionId, player } = connection;
    if (player === undefined || !isMeant(connection)) continue;
    if (!found({ connectionId, playerId: player.playerId }, connection)) return;
  }
}

/** The same end, of which the client comes back. */
function returning({ text, facts, reasonCode, farewell }: Why, withinMs: number, random: RandomBytes): Why {
  const retryAfterMs = spreadOver(withinMs, random);
  const words = text ?? 'the server asks you to connect again';
  return { name: 'draining', text: words, facts: { ...facts, retryAfterMs }, reasonCode, farewell };
}

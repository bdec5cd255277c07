import type { CloseFacts, CloseName } from '@respark/protocol';
import type { Cluster } from '../cluster/cluster.ts';
import type { Metrics } from '../metrics.ts';
import type { Connection } from './connection.ts';
import type { Membership } from './membership.ts';

/** Stops a connection in this turn. Resolves when its end is proven and the directory no longer lists it. */
type End = (connection: Connection, name: CloseName, facts?: CloseFacts) => Promise<void>;

/** Answers the requests of other nodes, and of this one, about this node's connections. */
export function answerNodeRequests({
  cluster,
  membership,
  end,
  metrics,
}: {
  cluster: Cluster;
  membership: Pick<Membership, 'find' | 'ofStage'>;
  end: End;
  metrics: Pick<Metrics, 'forgetStage'>;
}): void {
  cluster.answer('disconnect', async ({ player, connectionIds, requestId }) => {
    // All of them are stopped in this turn, before the code waits for anything.
    const ends = connectionIds.map((id) => {
      const connection = membership.find(id);
      if (connection !== undefined) return end(connection, 'disconnected', { requestId });
      // The connection has already ended here; the directory may not know that yet.
      return cluster.unregister(player, [id]);
    });
    const outcomes = await Promise.allSettled(ends);
    return { closedIds: connectionIds.filter((_, index) => outcomes[index]?.status === 'fulfilled') };
  });

  cluster.answer('close_stage', async ({ stageId }) => {
    await Promise.all(membership.ofStage(stageId).map((connection) => end(connection, 'stage_deleted')));
    metrics.forgetStage(stageId);
    return {};
  });
}

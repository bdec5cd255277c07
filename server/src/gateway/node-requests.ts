import type { CloseFacts, CloseName } from '@respark/protocol';
import type { Cluster } from '../cluster/cluster.ts';
import type { Metrics } from '../metrics.ts';
import type { Connection } from './connection.ts';
import type { Membership } from './membership.ts';

/** Stops a connection in this turn; resolves when its end is proven and the directory no longer lists it. */
type End = (connection: Connection, name: CloseName, facts?: CloseFacts) => Promise<void>;

/** Answers what other nodes, and this one, ask about this node's connections. */
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
    // All of them stop in this turn, before anything is waited for.
    const ends = connectionIds.map((id) => {
      const connection = membership.find(id);
      if (connection !== undefined) return end(connection, 'disconnected', { requestId });
      // Gone before this node looked; the directory may not have heard of it yet.
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

import { encode } from '@respark/protocol';
import { type Clock, withTimeout } from '../clock.ts';
import type { Cluster } from '../cluster/cluster.ts';
import type { DisconnectOrder } from '../disconnect-order.ts';
import type { Players } from '../domain/players/players.ts';
import { all, andThen, type MaybePromise, orElse } from '../maybe-promise.ts';
import type { Metrics } from '../metrics.ts';
import type { PlayerKey } from '../player-key.ts';
import type { Connection, Why } from './connection.ts';
import type { EndedByJobs } from './ended-by-jobs.ts';
import { farewellFrame } from './farewell-frame.ts';
import type { Membership } from './membership.ts';
import { createOneAtATime, endEach } from './slices.ts';

/** Stops a connection in this turn. Settles when its end is proven and the directory no longer lists it. */
type End = (connection: Connection, why: Why) => MaybePromise<void>;

const NONE: ReadonlySet<string> = new Set();

/** Answers the requests of other nodes, and of this one, about this node's connections. */
export function answerNodeRequests({
  cluster,
  membership,
  endedByJobs,
  end,
  clock,
  settings,
}: {
  cluster: Cluster;
  membership: Pick<Membership, 'find' | 'dropMessages'>;
  endedByJobs: Pick<EndedByJobs, 'has'>;
  end: End;
  clock: Clock;
  settings: { readonly probeTimeoutMs: number };
}): void {
  /** The ids of the connections that have ended and that the directory no longer lists. */
  function endAll(player: PlayerKey, ids: readonly string[], why: Why): MaybePromise<string[]> {
    const endOne = (id: string) => {
      const connection = membership.find(id);
      if (connection !== undefined) return end(connection, why);
      // The connection has already ended here; the directory may not know that yet.
      return cluster.unregister(player, [id]);
    };
    // All of them are stopped in this turn, before the code waits for anything.
    const proofs = ids.map((id) =>
      orElse(
        () => andThen(endOne(id), () => true),
        () => false,
      ),
    );
    return andThen(all(proofs), (isProven) => ids.filter((_, index) => isProven[index]));
  }

  /** The ids of the connections whose players answer a ping in time. */
  async function findAlive(ids: readonly string[]): Promise<Set<string>> {
    const alive = new Set<string>();
    const connections = ids.flatMap((id) => membership.find(id) ?? []);
    const { probeTimeoutMs } = settings;
    for (;;) {
      const signs = connections.map(async (connection) => {
        await connection.signOfLife();
        if (!connection.isStopped) alive.add(connection.id);
      });
      const dueAt = clock.monotonic() + probeTimeoutMs;
      await withTimeout(Promise.all(signs), probeTimeoutMs, clock).catch(() => {});
      // Late, the process was held up, and answers may be there that it has not read.
      if (clock.monotonic() - dueAt <= probeTimeoutMs / 2) return alive;
    }
  }

  cluster.answer('disconnect', ({ player, connectionIds: asked, isDetailed, signedInBefore, ...order }) => {
    const why = whyOf(order);
    const keptIds = signedInBefore === undefined ? NONE : signedInSince(signedInBefore, asked, membership);
    const connectionIds = keptIds.size === 0 ? asked : asked.filter((id) => !keptIds.has(id));
    const kept = keptIds.size > 0 && { keptIds: [...keptIds] };
    // A connection that has ended is not found any more.
    const connections = isDetailed ? connectionIds.map((id) => membership.find(id)) : undefined;
    membership.dropMessages(connectionIds);
    const closed = endAll(player, connectionIds, why);
    return andThen(closed, (closedIds) => {
      if (connections === undefined) return { closedIds, ...kept };
      const endOf = new Map(connections.map((connection) => [connection?.id, connection?.end]));
      const alreadyEnded = { proof: 'already_ended', at: clock.now() } as const;
      return {
        closedIds,
        ...kept,
        ends: closedIds.map((id) => ({ connectionId: id, ...(endOf.get(id) ?? alreadyEnded) })),
      };
    });
  });

  cluster.answer('probe', async ({ player, connectionIds }) => {
    const alive = await findAlive(connectionIds);
    const silent = connectionIds.filter((id) => !alive.has(id));
    const text = 'no answer to a ping, and another connection of the player needs the place';
    return { aliveIds: [...alive], closedIds: await endAll(player, silent, { name: 'heartbeat_missed', text }) };
  });

  cluster.answer('replace', async ({ player, connectionIds }) => {
    return { closedIds: await endAll(player, connectionIds, { name: 'replaced' }) };
  });

  cluster.answer('notify', ({ connectionIds, type, payload }) => {
    // It may be long, and a player may have many connections.
    const text = encode({ kind: 'notification', type, payload });
    const bytes = Buffer.byteLength(text);
    return { reached: connectionIds.filter((id) => membership.find(id)?.notify(text, bytes)).length };
  });

  cluster.answer('describe_connections', ({ stageId, connectionIds, jobRequestId }) => ({
    connections: connectionIds.flatMap((connectionId) => {
      const connection = membership.find(connectionId);
      if (connection?.player?.stageId !== stageId) return [];
      return [{ connectionId, addressGroup: connection.addressGroup }];
    }),
    ...(jobRequestId !== undefined && {
      endedByJobIds: connectionIds.filter((id) => endedByJobs.has(jobRequestId, id)),
    }),
  }));
}

/** Answers the request to close the connections of a stage, which has been marked as being deleted. */
export function answerCloseStage({
  cluster,
  membership,
  end,
  players,
  clock,
  metrics,
}: {
  cluster: Pick<Cluster, 'answer'>;
  membership: Pick<Membership, 'ofStage'>;
  end: End;
  players: Pick<Players, 'forgetStage'>;
  clock: Clock;
  metrics: Pick<Metrics, 'forgetStage'>;
}): void {
  const closing = createOneAtATime();
  cluster.answer('close_stage', async ({ stageId }) => {
    // Once all nodes have answered, another stage may get the name. A node that took the name for this one would find no connection
    // of the other's players, and say that there is none.
    players.forgetStage(stageId);
    // A node that got no answer in time asks again while the first request is still at work.
    await closing(stageId, () =>
      endEach(membership.ofStage(stageId), clock, (connection) => end(connection, { name: 'stage_deleted' })),
    );
    metrics.forgetStage(stageId);
    return {};
  });
}

/** The ids of those whose players have signed in at that time or later. */
function signedInSince(
  time: number,
  ids: readonly string[],
  membership: Pick<Membership, 'find'>,
): ReadonlySet<string> {
  return new Set(ids.filter((id) => (membership.find(id)?.player?.signedInAt ?? 0) >= time));
}

/** Made once for all connections that the order is about. */
export function whyOf({ requestId, reason: text, close, farewell: words }: DisconnectOrder): Why {
  const said = { text, reasonCode: words?.reason, farewell: words && farewellFrame(words, requestId) };
  // A node of a later version may ask for a code that this one does not know.
  if (close !== 'blocked') return { name: 'disconnected', ...said, facts: { requestId } };
  const until = words?.until;
  return { name: close, ...said, facts: { requestId, ...(until !== undefined && { until }) } };
}

import type { Cluster } from '../../src/cluster/cluster.ts';

/** What a node says of the stage. */
export interface StageLook {
  readonly ids: readonly string[];
  readonly players: number;
  readonly connections: number;
}

/** Asks for one player at a time; undefined if the node cannot say. */
export async function lookAtStage(cluster: Cluster): Promise<StageLook | undefined> {
  const ids: string[] = [];
  try {
    for (let from: string | undefined = ''; from !== undefined; ) {
      const { players, last } = await cluster.listStage('stage-1', { from, limit: 1 });
      ids.push(...players.flatMap(({ entries }) => entries.map(({ connectionId }) => connectionId)));
      from = last === undefined ? undefined : `${last}!`;
    }
    const { players, groups } = await cluster.countStage('stage-1');
    return { ids, players, connections: groups.reduce((sum, { connections }) => sum + connections, 0) };
  } catch {
    return undefined;
  }
}

import type { Cluster } from '../../src/cluster/cluster.ts';
import type { RedisCluster } from '../../src/cluster/redis/redis-cluster.ts';
import type { SimulatedNode } from './simulated-node.ts';

/** The same cluster, which tells what the first look at the directory returns. */
export function watchFirstListing(cluster: Cluster, seen: (ids: readonly string[]) => void): Cluster {
  let isFirst = true;
  async function list(...parameters: Parameters<Cluster['list']>) {
    const listing = await cluster.list(...parameters);
    if (isFirst) seen(listing.entries.map(({ connectionId }) => connectionId));
    isFirst = false;
    return listing;
  }
  return new Proxy(cluster, {
    get(target, name) {
      if (name === 'list') return list;
      const member: unknown = Reflect.get(target, name, target);
      return typeof member === 'function' ? member.bind(target) : member;
    },
  });
}

/** The incarnations of these nodes that may act. */
export function actingIn(nodes: readonly SimulatedNode[]): string[] {
  return nodes.flatMap((each) => (each.goneLives().includes(each.cluster.node) ? [] : [each.cluster.node]));
}

/** Adds to `leftOut` those that may act and are not among the nodes that this one is told, when something is to go to all. */
export function watchNodes(cluster: RedisCluster, acting: () => readonly string[], leftOut: string[]): void {
  const ask = cluster.nodes.bind(cluster);
  cluster.nodes = async () => {
    const before = acting();
    const records = await ask();
    const after = new Set(acting());
    const told = new Set(records.map(({ node }) => node));
    leftOut.push(...before.filter((node) => after.has(node) && !told.has(node)));
    return records;
  };
}

import type { Cluster } from '../../src/cluster/cluster.ts';

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

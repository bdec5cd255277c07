import type { Clock } from '../clock.ts';
import type { Cluster } from '../cluster/cluster.ts';
import type { Log } from '../log.ts';

export type NodeRole = 'both' | 'gateway' | 'management';

/** What a node tells the others about itself. */
export interface NodeFacts {
  readonly version: string;
  readonly role: NodeRole;
  /** The name of its machine. */
  readonly machine: string;
  /** When it started, milliseconds since 1970. */
  readonly startedAt: number;
  /** Differs when settings that all nodes must share do: see `node-facts.ts`. */
  readonly settings: string;
}

/** What this node knows of the others without asking anyone. */
export interface NodeWatch {
  /** How many nodes take management calls, this one included; as of a few seconds ago. */
  readonly managementNodes: number;
  close(): void;
}

const PERIOD_MS = 5_000;

/** Looks at the other nodes now and then: counts those that share out a caller's rate, and warns of other settings. */
export function watchNodes({
  cluster,
  own,
  clock,
  log,
}: {
  cluster: Pick<Cluster, 'nodes' | 'node'>;
  own: Pick<NodeFacts, 'settings'>;
  clock: Clock;
  log: Log;
}): NodeWatch {
  const warned = new Set<string>();
  let managementNodes = 1;
  let cancel = () => {};

  async function look(): Promise<void> {
    const others = (await cluster.nodes()).filter(({ node }) => node !== cluster.node);
    managementNodes = 1 + others.filter(({ facts }) => facts.role !== 'gateway').length;
    for (const { node, facts } of others) {
      if (facts.settings === own.settings || warned.has(node)) continue;
      warned.add(node);
      const advice = 'give all nodes the same region, account, limits of players, lease and partitions';
      log.warn({ node, version: facts.version, advice }, 'another node has other settings than this one');
    }
    const there = new Set(others.map(({ node }) => node));
    for (const node of warned) if (!there.has(node)) warned.delete(node);
  }

  function schedule(): void {
    cancel = clock.after(PERIOD_MS, () => {
      // While the directory is away, what was known before goes on.
      void look()
        .catch(() => {})
        .finally(schedule);
    });
  }

  schedule();
  return {
    get managementNodes() {
      return managementNodes;
    },
    close: () => cancel(),
  };
}

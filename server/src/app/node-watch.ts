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
  /** The name of its database. Nodes of earlier versions do not say it, nor do those without a cluster. */
  readonly database?: string;
}

/** What this node knows of the others without asking anyone. */
export interface NodeWatch {
  /** How many nodes take management calls, this one included; as of a few seconds ago. */
  readonly managementNodes: number;
  close(): void;
}

const PERIOD_MS = 5_000;

/**
 * Looks at the other nodes now and then: counts those that share out a caller's rate, and warns of other settings and of
 * another database.
 */
export function watchNodes({
  cluster,
  own,
  clock,
  log,
}: {
  cluster: Pick<Cluster, 'nodes' | 'node'>;
  own: Pick<NodeFacts, 'settings' | 'database'>;
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
      const isElsewhere = facts.database !== undefined && facts.database !== own.database;
      if ((facts.settings === own.settings && !isElsewhere) || warned.has(node)) continue;
      warned.add(node);
      const { version, machine } = facts;
      if (isElsewhere) {
        const advice = 'stop it, and give it the RESPARK_DATABASE_URL of all others, or a Redis prefix of its own';
        log.error(
          { node, version, machine, advice },
          'another node has another database: each has players that the other does not know',
        );
        continue;
      }
      const advice = 'give all nodes the same region, account, limits of players, lease and partitions';
      log.warn({ node, version, machine, advice }, 'another node has other settings than this one');
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

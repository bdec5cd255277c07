import type { Clock } from '../clock.ts';
import type { Cluster, NodeRecord } from '../cluster/cluster.ts';
import { ServiceError } from '../errors.ts';
import type { Log } from '../log.ts';
import type { Audit, Change } from './audit/audit.ts';
import { orUnavailable } from './or-unavailable.ts';

/** `silent`: the node is in the directory and does not answer; it is dead, held up or cut off. */
export type NodeState = 'serving' | 'draining' | 'silent';

/** A node of the cluster. What only the node itself can say is undefined while it is silent. */
export interface ListedNode {
  readonly id: string;
  readonly state: NodeState;
  readonly version: string | undefined;
  readonly role: string | undefined;
  readonly machine: string | undefined;
  readonly startedAt: number | undefined;
  readonly url: string | undefined;
  readonly connections: number | undefined;
}

export interface Nodes {
  /** All nodes, in the order of their starts. Throws an `internal` that may be tried again when the directory is away. */
  list(): Promise<readonly ListedNode[]>;
  /**
   * Has the node stop as at a SIGTERM; resolves when it has begun. Throws `not_found` when there is no such node, and an
   * `internal` when it does not answer, although it may have begun.
   */
  drain(id: string, change: Change): Promise<void>;
}

/** A node that is held up must not hold up the list. */
const ANSWER_MS = 2_000;

export function createNodes({
  cluster,
  audit,
  clock,
  log,
  settings,
}: {
  cluster: Pick<Cluster, 'nodes' | 'joinedNodes' | 'request'>;
  audit: Audit;
  clock: Clock;
  log: Pick<Log, 'debug'>;
  settings: { readonly disconnectDeadlineMs: number };
}): Nodes {
  const timeoutMs = Math.min(ANSWER_MS, settings.disconnectDeadlineMs);

  async function known(find: 'nodes' | 'joinedNodes'): Promise<readonly NodeRecord[]> {
    return await orUnavailable('directory of nodes', () => cluster[find](), settings.disconnectDeadlineMs, clock);
  }

  async function describe({ node, facts }: NodeRecord): Promise<ListedNode> {
    const said = {
      id: node,
      version: textOf(facts.version),
      role: textOf(facts.role),
      machine: textOf(facts.machine),
      startedAt: typeof facts.startedAt === 'number' ? facts.startedAt : undefined,
    };
    try {
      const { url, connections, isDraining } = await cluster.request(node, 'describe_node', {}, timeoutMs);
      return { ...said, url, connections, state: isDraining ? 'draining' : 'serving' };
    } catch (error) {
      log.debug({ err: error, node }, 'a node did not say how it is');
      return { ...said, url: undefined, connections: undefined, state: 'silent' };
    }
  }

  return {
    async list() {
      const records = await known('joinedNodes');
      // The ids begin with the time of their making.
      const sorted = [...records].sort((a, b) => (a.node < b.node ? -1 : 1));
      return await Promise.all(sorted.map(describe));
    },

    async drain(id, change) {
      await audit.around(change, async () => {
        const isId = ({ node }: NodeRecord) => node === id;
        if (!(await known('joinedNodes')).some(isId) && !(await known('nodes')).some(isId)) {
          throw new ServiceError('not_found', `there is no node "${id}": ListNodes shows those that there are`);
        }
        const ask = () => cluster.request(id, 'drain_node', {}, timeoutMs);
        await orUnavailable(`answer of node ${id}, which may drain all the same,`, ask, timeoutMs, clock);
      });
    },
  };
}

/** Facts come from other nodes, which may be of another version. */
function textOf(fact: unknown): string | undefined {
  return typeof fact === 'string' ? fact : undefined;
}

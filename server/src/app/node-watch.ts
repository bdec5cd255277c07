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
/** A server that starts or stops is on the database without being in the directory, but not at so many looks in a row. */
const MAX_LOOKS_ASTRAY = 12;
/** Blocks end, and keys and tokens expire, by the clock of the node that is asked. */
const MAX_CLOCK_DIFFERENCE_MS = 60_000;
/** What took longer to ask says too little. */
const MAX_QUESTION_MS = 2_000;

/**
 * Looks at the other nodes now and then: counts those that share out a caller's rate, and warns of other settings, of
 * another database, of servers on the same database that are not in the directory, and of a clock that is not the
 * database's.
 */
export function watchNodes({
  cluster,
  own,
  countServers,
  databaseTime,
  clock,
  log,
}: {
  cluster: Pick<Cluster, 'joinedNodes' | 'node'>;
  own: Pick<NodeFacts, 'settings' | 'database'>;
  /** How many servers use the database, this one included. */
  countServers?: (() => Promise<number>) | undefined;
  /** What the clock of the database says. */
  databaseTime?: (() => Promise<number>) | undefined;
  clock: Clock;
  log: Log;
}): NodeWatch {
  const warned = new Set<string>();
  let looksAstray = 0;
  let isClockOff = false;
  let managementNodes = 1;
  let cancel = () => {};

  function lookForStrays(nodes: number, servers = nodes): void {
    looksAstray = servers > nodes ? looksAstray + 1 : 0;
    if (looksAstray !== MAX_LOOKS_ASTRAY) return;
    const advice =
      'give all nodes the same RESPARK_REDIS_URL, or stop the other; one that has only lost its way to Redis comes back by itself';
    log.error(
      { servers, nodes, advice },
      'another server uses the database and is not in the directory: calls to this node do not find its players',
    );
  }

  async function compareClocks(): Promise<void> {
    const askedAt = clock.monotonic();
    const databaseMs = await databaseTime?.();
    if (databaseMs === undefined || clock.monotonic() - askedAt > MAX_QUESTION_MS) return;
    const aheadMs = Math.round(clock.now() - databaseMs);
    const isOff = Math.abs(aheadMs) > MAX_CLOCK_DIFFERENCE_MS;
    if (isOff && !isClockOff) {
      const advice = 'keep the clocks of all machines in time, that of the database too, for example with chrony';
      log.error(
        { aheadMs, advice },
        'the clock of this node is not that of the database: blocks may end too early on all nodes, and keys and tokens expire too early or too late',
      );
    }
    isClockOff = isOff;
  }

  async function look(): Promise<void> {
    const others = (await cluster.joinedNodes()).filter(({ node }) => node !== cluster.node);
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
    lookForStrays(others.length + 1, await countServers?.());
    const there = new Set(others.map(({ node }) => node));
    for (const node of warned) if (!there.has(node)) warned.delete(node);
  }

  function schedule(): void {
    cancel = clock.after(PERIOD_MS, () => {
      // While the directory is away, what was known before goes on.
      void Promise.allSettled([look(), compareClocks()]).then(schedule);
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

import { setTimeout as wait } from 'node:timers/promises';
import { startBackends } from '../cluster/backends.ts';
import { countRedisCommands } from '../cluster/redis-commands.ts';
import type { ClusterCpu, RunningCluster } from '../cluster/running-cluster.ts';
import { CONTESTANTS, type Contestant } from '../contestants.ts';
import type { GeneratorProcess } from '../load/generator-process.ts';
import type { Pacing } from '../load/pacing.ts';
import type { PlayerSeed } from '../load/players.ts';
import { difference } from '../statistics.ts';
import { LOADS } from './disconnect.ts';
import {
  arrive,
  CONNECTIONS_PER_PLAYER,
  callFigures,
  type Figures,
  playersFor,
  prepareCalls,
  type Scale,
  type Scenario,
  warmUp,
  warmUpCalls,
  withGenerator,
} from './scenario.ts';

/** The cluster is watched without calls for so many times as long as calls have to be done with; its nodes renew leases then. */
const IDLE_WINDOWS = 4;
/** How many calls are made to count the commands that each needs. */
const COUNTED_CALLS = 100;
/** Longer than what comes after the last call of those takes. */
const COUNT_SETTLE_MS = 500;

interface ClusterArena {
  readonly server: RunningCluster;
  readonly generator: GeneratorProcess;
}

export const clusterDisconnectScenario: Scenario = {
  title: 'Disconnect a player across nodes',
  description:
    'idle connections, three per player, all on the first node of a cluster; the calls go to another one, unless there is none. All nodes share a Redis (Respark’s a PostgreSQL too) and one core. Respark’s answer comes when the owner has confirmed that the sockets are closed; the peers, bare and guarded, answer at once, and name nobody: Socket.IO asks all nodes, Colyseus those that have subscribed to the player’s topic; so their next call waits until the sockets of the last one are closed. CPU is that of the calls, without what the cluster uses when it is idle, and that of the servers is of all nodes together',
  kinds: ['respark', 'peer', 'guarded'],
  isOnEveryNode: false,
  isOfClusters: true,
  async run({ contestant, node }, scale) {
    const { startCluster }: Contestant = CONTESTANTS[contestant];
    if (startCluster === undefined) throw new Error(`${contestant} cannot be started as a cluster`);
    const figures: Figures = {};
    for (const size of scale.clusterSizes) {
      const backends = await startBackends();
      try {
        const cluster = await startCluster(node, { size, backends });
        Object.assign(
          figures,
          await withGenerator(cluster, (arena) => measure(arena, scale, size === 1 ? '1 node' : `${size} nodes`)),
        );
      } finally {
        await backends.close();
      }
    }
    return figures;
  },
};

async function measure(arena: ClusterArena, scale: Scale, label: string): Promise<Figures> {
  await warmUp(arena, scale);
  const seeds = await playersFor(arena, scale.clusterCalls * CONNECTIONS_PER_PLAYER);
  await arrive(arena, seeds);
  await warmUpCalls(arena, seeds);
  await arrive(arena, seeds);
  await wait(scale.idleMs);
  const idle = await cpuOf(arena.server, () => wait(IDLE_WINDOWS * scale.idleMs));
  const figures: Figures = {};
  for (const { label: load, pacing } of LOADS) {
    await arrive(arena, seeds);
    await wait(scale.idleMs);
    Object.assign(figures, await measureCalls(arena, { seeds, pacing, label: `${label}, ${load}`, idle, scale }));
  }
  await arrive(arena, seeds);
  figures[`${label}: commands to Redis a call`] = await countCommands(arena, seeds.slice(0, COUNTED_CALLS));
  return figures;
}

/** What processes have used, and in which time. */
interface Spent {
  readonly cpu: ClusterCpu;
  readonly durationMs: number;
}

/** A cluster is never without work, so what it uses while nobody calls is no part of a call. */
async function measureCalls(
  arena: ClusterArena,
  {
    seeds,
    pacing,
    label,
    idle,
    scale,
  }: { seeds: readonly PlayerSeed[]; pacing: Pacing; label: string; idle: Spent; scale: Scale },
): Promise<Figures> {
  const call = await prepareCalls(arena, seeds, pacing);
  const spent = await cpuOf(arena.server, async () => {
    const figures = await call();
    // What comes after the answers is a part of the calls.
    await wait(scale.idleMs);
    return figures;
  });
  const cpuOfCall = (kind: keyof ClusterCpu) => {
    const [used, usedIdle] = [spent.cpu[kind], idle.cpu[kind]];
    if (used === undefined || usedIdle === undefined) return undefined;
    return (used - (usedIdle * spent.durationMs) / idle.durationMs) / seeds.length;
  };
  const perCall = {
    'Redis CPU, µs a call': cpuOfCall('redis'),
    'PostgreSQL CPU, µs a call': cpuOfCall('postgres'),
    'CPU of the nodes that are not asked and own nobody, µs a call': cpuOfCall('bystanders'),
  };
  return {
    ...callFigures(label, { ...spent.result, cpuMicros: (cpuOfCall('servers') ?? 0) * seeds.length }),
    ...Object.fromEntries(
      Object.entries(perCall).flatMap(([figure, value]) =>
        value === undefined ? [] : [[`${label}: ${figure}`, value] as const],
      ),
    ),
  };
}

async function cpuOf<T>(server: RunningCluster, work: () => Promise<T>): Promise<Spent & { readonly result: T }> {
  const startedAt = performance.now();
  const before = server.cpuByProcess();
  const result = await work();
  const after = server.cpuByProcess();
  const cpu = {
    servers: after.servers - before.servers,
    bystanders: difference(after.bystanders, before.bystanders),
    redis: after.redis - before.redis,
    postgres: difference(after.postgres, before.postgres),
  };
  return { result, cpu, durationMs: performance.now() - startedAt };
}

async function countCommands(arena: ClusterArena, seeds: readonly PlayerSeed[]): Promise<number> {
  const call = await prepareCalls(arena, seeds, { atOnce: 1 });
  const commands = await countRedisCommands(arena.server.redisPort);
  try {
    await call();
    await wait(COUNT_SETTLE_MS);
    return commands.count() / seeds.length;
  } finally {
    commands.stop();
  }
}

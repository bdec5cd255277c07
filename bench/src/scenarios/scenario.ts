import { setTimeout as wait } from 'node:timers/promises';
import { CONTESTANT_NAMES, CONTESTANTS, type Contestant, type ContestantName, type Kind } from '../contestants.ts';
import type { DisconnectFigures } from '../load/generator.ts';
import { type GeneratorProcess, startGenerator } from '../load/generator-process.ts';
import type { Pacing } from '../load/pacing.ts';
import type { PlayerSeed } from '../load/players.ts';
import { majorOf, type NodeBinary } from '../node-binary.ts';
import type { RunningContestant, StartOptions } from '../running-contestant.ts';
import { quantile } from '../statistics.ts';

/** The sizes of a run: those of the published figures, or just enough to see that the benchmark works. */
export interface Scale {
  /** How many connections come and go before anything is measured, so that the server's code is compiled. */
  readonly warmUpConnections: number;
  readonly connections: number;
  readonly calls: number;
  readonly idleSizes: readonly number[];
  readonly growthSizes: readonly number[];
  readonly growthBatches: number;
  /** How many nodes the clusters have whose calls are compared, and how many calls each gets. */
  readonly clusterSizes: readonly number[];
  readonly clusterCalls: number;
  readonly handshakes: number;
  readonly chattingConnections: number;
  readonly messages: number;
  /** How often a guest's memory is put back, and how often scripts are loaded into it. */
  readonly restores: number;
  readonly loads: number;
  readonly deployments: number;
  /** How long messages are sent at a fixed rate. */
  readonly secondsAtRate: number;
  /** Memory counts as settled when it has not changed for this long. */
  readonly settleMs: number;
  /** A server counts as done with calls when it has been idle for this long. */
  readonly idleMs: number;
}

/** Enough where the cost of a call is not compared with that of other servers. */
const SHORT_IDLE_MS = 100;

export const FULL: Scale = {
  warmUpConnections: 600,
  connections: 10_000,
  calls: 1_000,
  idleSizes: [1_000, 10_000, 19_000],
  growthSizes: [100, 1_000, 10_000, 19_000],
  growthBatches: 20,
  clusterSizes: [1, 2, 3],
  clusterCalls: 500,
  handshakes: 5_000,
  chattingConnections: 1_000,
  messages: 40_000,
  restores: 4_000,
  loads: 50,
  deployments: 20,
  secondsAtRate: 2,
  settleMs: 3_000,
  // Respark moves what it has recorded to a database within a second after the call, which is part of the call's cost.
  idleMs: 1_500,
};

export const QUICK: Scale = {
  warmUpConnections: 300,
  connections: 300,
  calls: 50,
  idleSizes: [1_000],
  growthSizes: [100, 600],
  growthBatches: 2,
  clusterSizes: [1, 2, 3],
  clusterCalls: 50,
  handshakes: 300,
  chattingConnections: 100,
  messages: 2_000,
  restores: 400,
  loads: 10,
  deployments: 3,
  secondsAtRate: 0.5,
  settleMs: 300,
  idleMs: SHORT_IDLE_MS,
};

/** Measured values. A key names the load, the quantity and its unit; `bar.ts` and saved results rely on these keys. */
export type Figures = Record<string, number>;

/** What has a turn in a round: a contestant on a Node.js. */
export interface Entrant {
  readonly contestant: ContestantName;
  readonly node: NodeBinary;
}

export interface Scenario {
  readonly title: string;
  /** What was done, for the readers of the table. */
  readonly description: string;
  readonly kinds: readonly Kind[];
  /** Whether it is run on every Node.js that was named, and not only on that of the bench. */
  readonly isOnEveryNode: boolean;
  /** Whether it is about clusters, so that only those who have one take part. */
  readonly isOfClusters?: boolean;
  /** Measures one contestant once. */
  run(entrant: Entrant, scale: Scale): Promise<Figures>;
}

/** The kinds for whatever is not about the call: a guarded peer differs from the bare one in nothing else. */
export const UNGUARDED = ['respark', 'part', 'peer', 'floor'] as const satisfies readonly Kind[];

/** The turns of a contestant on all versions of Node.js come in a row, because readers compare those first. */
export function entrantsOf(
  { kinds, isOnEveryNode, isOfClusters = false }: Pick<Scenario, 'kinds' | 'isOnEveryNode' | 'isOfClusters'>,
  nodes: readonly NodeBinary[],
): Entrant[] {
  const itsNodes = isOnEveryNode ? nodes : nodes.slice(0, 1);
  return CONTESTANT_NAMES.flatMap((contestant) => {
    const { kind, minNodeMajor = 0, startCluster }: Contestant = CONTESTANTS[contestant];
    if (!kinds.includes(kind) || (isOfClusters && startCluster === undefined)) return [];
    return itsNodes.filter((node) => majorOf(node) >= minNodeMajor).map((node) => ({ contestant, node }));
  });
}

export const CONNECTIONS_PER_PLAYER = 3;
/** How many connections open at once: enough to keep a server busy, few enough that none waits long. */
const ARRIVALS_AT_ONCE = 64;
const SETTLE_TIMEOUT_MS = 20_000;

export interface Arena {
  readonly server: RunningContestant;
  readonly generator: GeneratorProcess;
}

/** Runs one measurement with a fresh server and a fresh generator, and ends both, however the measurement ends. */
export async function inArena<T>(
  { contestant, node }: Entrant,
  measure: (arena: Arena) => Promise<T>,
  options?: StartOptions,
): Promise<T> {
  const { start }: Contestant = CONTESTANTS[contestant];
  return await withGenerator(await start(node, options), measure);
}

/** Runs one measurement with a fresh generator, and ends it and the server. */
export async function withGenerator<Server extends RunningContestant, T>(
  server: Server,
  measure: (arena: { readonly server: Server; readonly generator: GeneratorProcess }) => Promise<T>,
): Promise<T> {
  try {
    const generator = startGenerator(server);
    try {
      return await measure({ server, generator });
    } finally {
      await generator.stop();
    }
  } finally {
    await server.stop();
  }
}

/** Has players come and go before the first measurement. */
export async function warmUp(arena: Arena, { warmUpConnections }: Scale): Promise<void> {
  const seeds = await playersFor(arena, warmUpConnections, 'early');
  await arrive(arena, seeds);
  await arena.generator.leave();
}

/** Enough where nothing is measured. */
const NO_IDLE_MS = 0;
/** V8 needs some thousand calls until all of the server's code is compiled; the first calls cost several times more. */
const WARM_UP_PASSES = 8;

/** Disconnects these players and lets them reconnect, until the cost of a call is steady. */
export async function warmUpCalls(arena: Arena, seeds: readonly PlayerSeed[]): Promise<void> {
  for (let pass = 0; pass < WARM_UP_PASSES; pass += 1) {
    await disconnect(arena, seeds, { atOnce: 32 }, NO_IDLE_MS);
    await arrive(arena, seeds);
  }
}

/** Enough players for this many connections, with three each. */
export function playersFor({ server }: Arena, connections: number, prefix = 'player'): Promise<PlayerSeed[]> {
  const count = Math.ceil(connections / CONNECTIONS_PER_PLAYER);
  return server.seeds(Array.from({ length: count }, (_, index) => `${prefix}-${index}`));
}

/** Opens the connections that these players lack. */
export async function arrive({ generator }: Arena, seeds: readonly PlayerSeed[]) {
  return await generator.connect({ seeds, perPlayer: CONNECTIONS_PER_PLAYER, atOnce: ARRIVALS_AT_ONCE });
}

/** A player who never connects. */
const NOBODY = 'nobody';
/** Enough for the calls of a third of a second at 200 a second, should a server answer none of them meanwhile. */
const CALLERS_AT_A_RATE = 64;

/**
 * Disconnects these players, and measures the server's CPU until it is idle again. The callers are connected before:
 * Node.js accepts one connection in each turn of its event loop, so the slowest of many that call at once would
 * otherwise show how long it waited to be accepted.
 */
export async function disconnect(
  { server, generator }: Arena,
  seeds: readonly PlayerSeed[],
  pacing: Pacing,
  idleMs = SHORT_IDLE_MS,
): Promise<DisconnectFigures & { cpuMicros: number }> {
  const untilIdle = () => untilSteady(() => server.cpuMicros(), { quietMs: idleMs, tolerance: 0.001 });
  await untilIdle();
  const call = await prepareCalls({ server, generator }, seeds, pacing);
  const before = server.cpuMicros();
  const figures = await call();
  await untilIdle();
  return { ...figures, cpuMicros: server.cpuMicros() - before };
}

/** Signs the calls and connects their callers. The calls must be made soon: Node.js closes connections that are silent for five seconds. */
export async function prepareCalls(
  { server, generator }: Arena,
  seeds: readonly PlayerSeed[],
  pacing: Pacing,
): Promise<() => Promise<DisconnectFigures>> {
  const calls = seeds.map(({ playerId }) => ({ playerId, request: server.disconnectRequest(playerId) }));
  const count = 'atOnce' in pacing ? pacing.atOnce : CALLERS_AT_A_RATE;
  await generator.openCallers({ count, request: server.disconnectRequest(NOBODY) });
  return () => generator.disconnect({ calls, pacing });
}

export function callFigures(
  label: string,
  { callMs, closedMs, cpuMicros, durationMs, cpuShare, latenessMs }: Awaited<ReturnType<typeof disconnect>>,
): Figures {
  return {
    [`${label}: call p50, ms`]: quantile(callMs, 0.5),
    [`${label}: call p99, ms`]: quantile(callMs, 0.99),
    [`${label}: last socket closed p50, ms`]: quantile(closedMs, 0.5),
    [`${label}: last socket closed p99, ms`]: quantile(closedMs, 0.99),
    [`${label}: calls/s`]: (callMs.length * 1000) / durationMs,
    [`${label}: server CPU, µs a call`]: cpuMicros / callMs.length,
    [`${label}: generator CPU, share of its core`]: cpuShare,
    [`${label}: generator late p99, ms`]: latenessMs,
  };
}

/** Waits until a value changes by at most the share `tolerance` in `quietMs`, or for 20 s. Returns the value then. */
export async function untilSteady(
  read: () => number,
  { quietMs, tolerance }: { quietMs: number; tolerance: number },
): Promise<number> {
  const deadline = performance.now() + SETTLE_TIMEOUT_MS;
  let steady = read();
  let since = performance.now();
  while (performance.now() - since < quietMs && performance.now() < deadline) {
    await wait(quietMs / 10);
    const value = read();
    if (Math.abs(value - steady) <= tolerance * steady) continue;
    steady = value;
    since = performance.now();
  }
  return read();
}

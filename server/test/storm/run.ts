import { setMaxListeners } from 'node:events';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { pause, Tally } from '../soak/tally.ts';
import { Calls } from './calls.ts';
import { Clients, type Life, playLane } from './clients.ts';
import { describePlan, findFault, makePlan, type Plan } from './faults.ts';
import { judge, type Recorded, record } from './judge.ts';
import { Points } from './points.ts';
import { type Node, type Rig, startRig, type Times } from './rig.ts';
import type { Scope } from './scope.ts';
import { Seeded } from './seeded.ts';
import { holdsWithin, type Player, Residents, SLACK_MS, type Stage, untilWorking } from './stage.ts';

const PLAYERS = 60;
const LANES_PER_PLAYER = 4;
const RESIDENTS = 30;
const LIFE_MS = 40_000;
const AWAY_MS = 1_000;
/** Longer than any run. */
const FOR_EVER_MS = 3_600_000;
/** Witnesses of faults: more than there are faults. */
const NEW_PLAYERS = 8;
const START_MS = 60_000;
const QUIET_MS = 30_000;
const REPORT_EVERY_MS = 10_000;

interface Verdict {
  readonly faults: readonly string[];
  readonly recorded: Recorded;
}

/** One run, from the start of the servers to the judgement. */
export async function runStorm({
  scope,
  directory,
  seed,
  times,
  say,
}: {
  scope: Scope;
  /** Where the programs have their files and log. */
  directory: string;
  seed: number;
  times: Times;
  say: (text: string) => void;
}): Promise<Verdict> {
  const random = new Seeded(seed);
  const rig = await startRig(scope, directory, times);
  const plan = makePlan(random, rig.nodes.length);
  for (const [number, planned] of plan.entries()) say(`  ${number + 1}. ${describePlan(planned, rig.nodes)}`);
  const tally = new Tally();
  const stage = await openStage(scope, rig, times, tally);
  const players = await newPlayers(stage.clients, PLAYERS);

  const [settle, leave] = [new AbortController(), new AbortController()];
  setMaxListeners(0, settle.signal, leave.signal);
  scope.after(() => {
    settle.abort();
    leave.abort();
    stage.residents.leave();
    stage.clients.leave();
  });
  const life: Life = { clients: stage.clients, tally, settle: settle.signal, leave: leave.signal };
  const lanes = letPlay(life, players, stage.residents);
  const calling = stage.calls.keepCalling(
    players.map(({ playerId }) => playerId),
    new Seeded(seed + 1),
    settle.signal,
  );
  const reporting = keepReporting(stage, settle.signal, say);
  await holdsWithin(START_MS, () => stage.residents.areServedSince(0));
  await untilWorking(stage, START_MS);
  for (const [number, planned] of plan.entries()) {
    say(`${number + 1} of ${plan.length}: ${describePlan(planned, rig.nodes)}`);
    await bring(stage, planned, say);
  }

  settle.abort();
  await Promise.all([calling, reporting]);
  const quiet = await untilQuiet(stage, lanes.count);
  const { outages } = stage;
  const recorded = record(stage.calls, { clients: stage.clients.all, outages, quiet, rig, times });
  const violations = judge(recorded);
  checkCoverage(tally);
  say(tally.lines().join('\n'));
  const unnamed = tally.faultCount - tally.faults.length;
  const more = unnamed > 0 ? [`${unnamed} more faults`] : [];
  stage.residents.leave();
  leave.abort();
  stage.clients.leave();
  await lanes.ended;
  return { faults: [...violations, ...tally.faults, ...more], recorded };
}

async function openStage(scope: Scope, rig: Rig, times: Times, tally: Tally): Promise<Stage> {
  const calls = new Calls(rig, tally);
  const clients = new Clients(rig, tally);
  const points = new Points(calls);
  for (const { name, redis } of rig.nodes) redis.watch = (chunk) => points.see(name, chunk);
  // The first nodes of a cluster wait as long as after a restart of Redis, and haproxy must have seen them ready.
  const isReady = async () => (await Promise.all(rig.nodes.map((node) => node.isReady()))).every(Boolean);
  if (!(await holdsWithin(times.recoveryMs + START_MS, isReady))) throw new Error('the nodes are not ready');
  await holdsWithin(START_MS, async () => (await fetch(`${rig.url}/readyz`).catch(() => undefined))?.status === 200);
  return {
    ...{ scope, rig, times, tally, points, calls, clients, outages: [] },
    residents: new Residents(await newPlayers(clients, RESIDENTS)),
    probes: await newPlayers(clients, rig.nodes.length),
    newPlayers: await newPlayers(clients, NEW_PLAYERS),
  };
}

async function newPlayers(clients: Clients, count: number): Promise<Player[]> {
  return await Promise.all(Array.from({ length: count }, () => clients.newPlayer()));
}

function letPlay(life: Life, players: readonly Player[], residents: Residents) {
  const churning = players.flatMap((player) => Array<Player>(LANES_PER_PLAYER).fill(player));
  const lanes = [
    ...churning.map(({ token }) => playLane(life, { token, lifeMs: LIFE_MS, awayMs: AWAY_MS })),
    ...residents.players.map(({ token }) => {
      const connected = residents.connected.bind(residents);
      return playLane(life, { token, lifeMs: FOR_EVER_MS * 1_000, awayMs: AWAY_MS, connected });
    }),
  ];
  return { count: lanes.length, ended: Promise.all(lanes) };
}

/** Brings a fault, and waits until all works again. */
async function bring(stage: Stage, plan: Plan, say: (text: string) => void): Promise<void> {
  const { rig, tally, residents, times } = stage;
  const { run, boundMs } = findFault(plan.kind);
  const startedAt = performance.now();
  const before = tally.faultCount;
  let closed: readonly string[] = [];
  try {
    closed = await run(stage, rig.nodes[plan.victim] as Node, plan);
    tally.count(`fault: ${plan.kind}`);
  } catch (error) {
    tally.fault(`${plan.kind}: ${error instanceof Error ? error.message : error}`);
  }
  const overAt = performance.now();
  await untilWorking(stage, boundMs(times));
  const workedAt = performance.now();
  for (const { client, code } of residents.lossesSince(startedAt)) {
    if (!closed.includes(client.life)) tally.fault(`${client.id} at ${client.life} was closed with ${code}`);
  }
  const seconds = [overAt - startedAt, workedAt - overAt].map((ms) => (ms / 1_000).toFixed(1));
  say(`   took ${seconds[0]} s, worked again ${seconds[1]} s later, ${tally.faultCount - before} faults`);
  for (const fault of tally.faults.slice(before)) say(`   ${fault}`);
}

/** Waits until the directory lists what the clients have. Returns, for each player, what it lists. */
async function untilQuiet(stage: Stage, count: number): Promise<ReadonlyMap<string, readonly string[]>> {
  const { clients, calls, rig, tally } = stage;
  const quiet = new Map<string, readonly string[]>();
  let counts: number[] = [];
  const isQuiet = async () => {
    const open = clients.open();
    for (const playerId of new Set(clients.all.map(({ player }) => player.playerId))) {
      const listed = await calls.status(playerId, rig.nodes[quiet.size % rig.nodes.length]);
      if (listed !== undefined) quiet.set(playerId, listed);
    }
    const tables = await Promise.all(rig.nodes.map((node) => node.metric('respark_connections')));
    counts = [open.length, [...quiet.values()].flat().length, tables.reduce((sum, table) => sum + table, 0)];
    return counts.every((counted) => counted === count);
  };
  if (!(await holdsWithin(QUIET_MS, isQuiet)))
    tally.fault(`I8: ${count} lanes; clients, directory and nodes have ${counts.join(', ')}`);
  const quietAt = performance.now();
  const isServed = () => clients.open().every((client) => client.isServedSince(quietAt));
  if (!(await holdsWithin(SLACK_MS, isServed))) tally.fault('a player is connected at the end and is not served');
  return quiet;
}

/** Each outcome that a call may have was met. */
function checkCoverage(tally: Tally): void {
  for (const what of [
    ...['disconnects with successes', 'disconnects with failures', 'disconnects answered with a retryable 500'],
    ...['disconnects cut by their caller', 'dead owners: failures first, then gone'],
    'nodes that closed their players after their lease',
  ]) {
    if (tally.of(what) === 0) tally.fault(`there were no ${what}`);
  }
}

async function keepReporting(stage: Stage, over: AbortSignal, say: (text: string) => void): Promise<void> {
  const startedAt = performance.now();
  // On a machine that is too busy even this process stands still, and with it what passes through its cables.
  const delay = monitorEventLoopDelay();
  delay.enable();
  while (!over.aborted) {
    await pause(REPORT_EVERY_MS, REPORT_EVERY_MS, over);
    const seconds = Math.round((performance.now() - startedAt) / 1_000);
    const { calls, clients, tally } = stage;
    say(
      `   ${seconds} s: ${clients.open().length} clients, ${calls.disconnects.length} disconnects, ${tally.faultCount} faults; this process stood still for up to ${Math.round(delay.max / 1e6)} ms`,
    );
    delay.reset();
  }
  delay.disable();
}

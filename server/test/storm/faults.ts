import { setTimeout as pass } from 'node:timers/promises';
import { CLOSE_CODES } from '@respark/protocol';
import type { Client } from './clients.ts';
import { POINTS, type Point } from './points.ts';
import type { Node, Times } from './rig.ts';
import type { Seeded } from './seeded.ts';
import { checkDeadOwner, holdsWithin, placeWitness, SLACK_MS, type Stage, strike } from './stage.ts';

/** What the seed has chosen for one fault. */
export interface Plan {
  readonly kind: FaultKind;
  /** The number of the node. */
  readonly victim: number;
  readonly point: Point;
  /** Which of two ways the fault happens. */
  readonly variant: boolean;
}

interface Fault {
  readonly name: string;
  /** What the two ways are. */
  readonly variants?: readonly [whenTrue: string, otherwise: string];
  /** The longest time after which all works again, once the fault is over. */
  readonly boundMs: (times: Times) => number;
  /** Returns the processes whose players may have been closed. */
  readonly run: (stage: Stage, victim: Node, plan: Plan) => Promise<readonly string[]>;
}

/** A node that finds Redis again has waited for an attempt to fail, and then for a pause that grows to 2 s. */
const reconnectMs = ({ redisTimeoutMs, renewMs }: Times) => 2 * redisTimeoutMs + 2_000 + renewMs + SLACK_MS;
/** A node that finds the database again may have waited for its silence to be noticed, and for a connect. */
const databaseMs = () => 3_000 + 2_000 + SLACK_MS;
const recoveryMs = (times: Times) => times.recoveryMs + reconnectMs(times);
/** Three processes may start on a busy machine at once. */
const startMs = (times: Times) => reconnectMs(times) + 10_000;

const FAULTS = {
  kill: {
    name: 'a node is killed',
    variants: ['after it has sent that', 'before it has sent that'],
    boundMs: startMs,
    async run(stage, victim, { point, variant }) {
      const witness = await placeWitness(stage, victim);
      const { life } = victim;
      await strike(stage, point, victim, () => {
        victim.kill();
        if (!variant) victim.redis.refuse();
      });
      const struckAt = performance.now();
      await victim.ended();
      victim.redis.mend();
      await checkDeadOwner(stage, witness, struckAt);
      await victim.start();
      return [life];
    },
  },
  holdBriefly: {
    name: 'a node is held up for less than its lease',
    boundMs: reconnectMs,
    async run(stage, victim, { point }) {
      await strike(stage, point, victim, () => victim.hold());
      await pass(stage.times.leaseMs * 0.3);
      victim.goOn();
      return [];
    },
  },
  holdLong: {
    name: 'a node that handles many messages is held up for more than its lease',
    boundMs: reconnectMs,
    async run(stage, victim, { point }) {
      const witness = await placeWitness(stage, victim);
      await holdWhileBusy(stage, victim, point);
      const struckAt = performance.now();
      await checkDeadOwner(stage, witness, struckAt);
      await pass(Math.max(0, struckAt + stage.times.leaseMs + 1_000 - performance.now()));
      const open = stage.clients.open().filter(({ life }) => life === victim.life);
      const resumedAt = performance.now();
      victim.goOn();
      await checkFenced(stage, victim, [...stage.residents.at(victim.life), witness.onVictim]);
      // The messages that they have sent meanwhile wait for the process.
      const late = open.filter(({ answeredAt }) => answeredAt > resumedAt);
      if (late.length > 0) stage.tally.fault(`${late.length} players were served after the lease of ${victim.name}`);
      return [victim.life];
    },
  },
  cutRedisBriefly: {
    name: 'a node is cut off from Redis for less than its lease',
    variants: ['in silence', 'with resets'],
    boundMs: reconnectMs,
    async run(stage, victim, { point, variant }) {
      await strike(stage, point, victim, () => cut(victim, 'redis', variant));
      const fromMs = performance.now();
      await pass(stage.times.leaseMs * 0.3);
      stage.outages.push({ fromMs, toMs: performance.now(), coordinator: victim.name });
      victim.redis.mend();
      return [];
    },
  },
  cutRedisLong: {
    name: 'a node is cut off from Redis for more than its lease',
    variants: ['in silence', 'with resets'],
    boundMs: reconnectMs,
    async run(stage, victim, { point, variant }) {
      const { leaseMs, marginMs } = stage.times;
      const witness = await placeWitness(stage, victim);
      await strike(stage, point, victim, () => cut(victim, 'redis', variant));
      const fromMs = performance.now();
      const cutOff = stage.clients.open().filter(({ life }) => life === victim.life);
      const residents = stage.residents.at(victim.life);
      await checkDeadOwner(stage, witness, fromMs);
      await pass(Math.max(0, fromMs + leaseMs + 1_000 - performance.now()));
      await checkFenced(stage, victim, [...residents, witness.onVictim]);
      const late = cutOff.filter((client) => client.isServedSince(fromMs + leaseMs - marginMs));
      if (late.length > 0) stage.tally.fault(`${late.length} players were served after the lease of ${victim.name}`);
      stage.outages.push({ fromMs, toMs: performance.now(), coordinator: victim.name });
      victim.redis.mend();
      return [victim.life];
    },
  },
  deafenRedis: {
    name: 'a node that Redis hears does not hear Redis, for less than its lease',
    boundMs: reconnectMs,
    async run(stage, victim, { point }) {
      await strike(stage, point, victim, () => victim.redis.deafen());
      const fromMs = performance.now();
      await pass(stage.times.leaseMs * 0.3);
      stage.outages.push({ fromMs, toMs: performance.now(), coordinator: victim.name });
      victim.redis.mend();
      return [];
    },
  },
  cutDatabase: {
    name: 'a node is cut off from PostgreSQL',
    variants: ['in silence', 'with resets'],
    boundMs: databaseMs,
    async run(stage, victim, { point, variant }) {
      await strike(stage, point, victim, () => cut(victim, 'database', variant));
      await pass(stage.times.databaseCutMs);
      victim.database.mend();
      return [];
    },
  },
  emptyRedis: {
    name: 'Redis is killed and starts again without its data',
    boundMs: recoveryMs,
    run: (stage, _, { point }) => restartRedis(stage, point, () => stage.rig.redis.forget()),
  },
  staleRedis: {
    name: 'Redis is killed and starts again from an old snapshot',
    boundMs: recoveryMs,
    async run(stage, _, { point }) {
      stage.rig.redis.command('SAVE');
      // Players come and go meanwhile, so that much of it is no longer true.
      await pass(2_000);
      return await restartRedis(stage, point, () => {});
    },
  },
  holdRedis: {
    name: 'Redis is held up for less than the lease',
    boundMs: reconnectMs,
    async run(stage, _, { point }) {
      const { redis } = stage.rig;
      await strike(stage, point, undefined, () => redis.pause());
      const fromMs = performance.now();
      await pass(stage.times.pauseMs);
      stage.outages.push({ fromMs, toMs: performance.now() });
      redis.resume();
      return [];
    },
  },
  killDatabase: {
    name: 'PostgreSQL is killed and starts again',
    variants: ['without a word to anyone', 'by an immediate stop'],
    boundMs: databaseMs,
    async run(stage, _, { point, variant }) {
      const { postgres } = stage.rig;
      let ending: Promise<void> | undefined;
      await strike(stage, point, undefined, () => {
        ending = variant ? postgres.kill() : postgres.stopImmediately();
      });
      await ending;
      await pass(1_500);
      assertOpen(stage);
      await postgres.restart();
      return [];
    },
  },
} as const satisfies Record<string, Fault>;

export type FaultKind = keyof typeof FAULTS;

/** Kinds that differ so much in their two ways that a run has both. */
const TWICE: readonly FaultKind[] = ['cutRedisBriefly', 'cutDatabase'];

/** Every kind of fault in an order, at nodes and at points that the seed chooses. */
export function makePlan(random: Seeded, nodes: number): Plan[] {
  const kinds = Object.keys(FAULTS) as FaultKind[];
  const both = kinds.flatMap((kind) =>
    TWICE.includes(kind)
      ? [true, false].map((variant) => ({ kind, variant }))
      : [{ kind, variant: random.fraction() < 0.5 }],
  );
  return random.shuffled(both).map((chosen) => {
    const victim = Math.floor(random.fraction() * nodes);
    return { ...chosen, victim, point: random.pick(POINTS) };
  });
}

export function findFault(kind: FaultKind): Fault {
  return FAULTS[kind];
}

export function describePlan({ kind, variant, victim, point }: Plan, nodes: readonly Node[]): string {
  const { name, variants }: Fault = FAULTS[kind];
  const way = variants === undefined ? '' : `, ${variants[variant ? 0 : 1]}`;
  return `${name} (${nodes[victim]?.name} at "${point}"${way})`;
}

/** Messages that each client sends before the process is held up, and as many again afterwards. */
const BURST = 10;

/**
 * A process that waits for events runs its timers first when it goes on. One that is held up while it handles messages goes
 * on with them, and reads from the same sockets what has come meanwhile.
 */
async function holdWhileBusy(stage: Stage, victim: Node, point: Point): Promise<void> {
  await strike(stage, point, victim, () => {
    const busy = stage.clients.open().filter(({ life }) => life === victim.life);
    const send = () => {
      for (let sent = 0; sent < BURST; sent += 1) for (const client of busy) client.send();
    };
    // haproxy and the node handle the first messages while this process still sends the others.
    send();
    victim.hold();
    send();
  });
}

function cut(node: Node, what: 'redis' | 'database', isSilent: boolean): void {
  if (isSilent) node[what].silence();
  else node[what].refuse();
}

async function restartRedis(stage: Stage, point: Point, prepare: () => void): Promise<readonly string[]> {
  const { rig, outages, times } = stage;
  let ending: Promise<void> | undefined;
  await strike(stage, point, undefined, () => {
    ending = rig.redis.kill();
  });
  await ending;
  const fromMs = performance.now();
  prepare();
  await pass(1_000);
  assertOpen(stage);
  // Nobody can have seen the new era before.
  outages.push({ fromMs, toMs: performance.now() + times.recoveryMs });
  await rig.redis.start();
  return [];
}

/** Nothing may be started once the run is being cleaned up. */
function assertOpen({ scope }: Stage): void {
  if (scope.isClosed) throw new Error('the run has ended');
}

/** The node closes these of its players itself. */
async function checkFenced({ tally }: Stage, { name }: Node, clients: readonly Client[]): Promise<void> {
  // The request of a disconnect may have waited for the process, too.
  const expected: readonly number[] = [CLOSE_CODES.node_fenced.code, CLOSE_CODES.disconnected.code];
  if (!(await holdsWithin(SLACK_MS, () => clients.every(({ end }) => end !== undefined))))
    tally.fault(`${name} has not closed all its players after its lease`);
  for (const { id, end } of clients) {
    if (end !== undefined && !expected.includes(end.code)) tally.fault(`${name} closed ${id} with ${end.code}`);
  }
  tally.count('nodes that closed their players after their lease');
}

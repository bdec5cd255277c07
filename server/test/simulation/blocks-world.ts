import type { BarEnforcement } from '../../src/domain/players/bars/bar-enforcement.ts';
import type { Blocks } from '../../src/domain/players/bars/blocks.ts';
import { ServiceError } from '../../src/errors.ts';
import { CHANGE } from '../support/domain.ts';
import type { Arrival, BarCall, BarHistory } from './bar-checker.ts';
import { Engine } from './engine.ts';
import { RedisData } from './redis-model.ts';
import { SimulatedBars } from './simulated-bars.ts';
import { CLUSTER_SETTINGS, GAME, SimulatedNode, STAGE } from './simulated-node.ts';
import { SimulatedRedis } from './simulated-redis.ts';
import type { SimulatedSocket } from './simulated-socket.ts';

const ACTION_MS = 9_000;
const PLAYERS = ['alice', 'bob'] as const;
/** Longer than it takes the nodes to look again for what is unfinished, and to end what is left of dead ones. */
const QUIET_MS = 45_000;

interface Member {
  readonly node: SimulatedNode;
  readonly blocks: Blocks;
  readonly enforcement: BarEnforcement;
}

/** Nodes that share a simulated Redis and a store, players who come again and again, and calls that keep them out. */
export class BlocksWorld {
  readonly engine: Engine;
  readonly redis: SimulatedRedis;
  readonly bars: SimulatedBars;
  readonly coverage: Set<string>;
  readonly members: Member[] = [];
  readonly calls: BarCall[] = [];
  readonly #arrivals = new Map<SimulatedSocket, Arrival>();
  readonly #partitions: number;
  #snapshot = new RedisData();
  #at = 0;

  constructor(seed: number, coverage: Set<string>) {
    this.engine = new Engine(seed);
    this.#partitions = this.engine.pick([1, 1, 3]);
    this.coverage = coverage;
    this.redis = new SimulatedRedis(this.engine, coverage);
    this.bars = new SimulatedBars(this.engine);
    this.engine.afterStep = () => this.#observe();
  }

  /** Runs the history to its quiet end. */
  async run(): Promise<BarHistory> {
    const { engine } = this;
    for (let count = engine.pick([2, 2, 3]); count > 0; count -= 1) this.#addNode();
    await engine.passTo(CLUSTER_SETTINGS.recoveryMs + 1_500);
    for (let count = 15 + Math.floor(engine.random() * 30); count > 0; count -= 1) {
      engine.after(engine.between(0, ACTION_MS), () => this.#act());
    }
    for (let count = engine.pick([0, 1, 2, 3]); count > 0; count -= 1) {
      engine.after(engine.between(0, ACTION_MS), () => this.#fail());
    }
    engine.after(engine.between(0, ACTION_MS), () => {
      if (this.redis.isUp) this.#snapshot = this.redis.data.clone();
    });
    await engine.passTo(engine.nowMs + ACTION_MS);
    this.#heal();
    await engine.passTo(engine.nowMs + QUIET_MS);
    const quiet = await this.#knock();
    for (const { node, enforcement } of this.members) {
      void enforcement.close();
      void node.cluster.close();
    }
    return { calls: this.calls, arrivals: [...this.#arrivals.values()], quiet };
  }

  #addNode(): void {
    const { engine, redis, bars } = this;
    const notes = {
      tick: () => this.#tick(),
      record: () => {},
      leaseEnded: () => this.coverage.add('a lease that ended'),
      newestRuntime: () => undefined,
    };
    const skewMs = Math.floor(engine.between(0, 1e6));
    const node = new SimulatedNode({ engine, redis, notes, skewMs, partitions: this.#partitions, bars });
    this.members.push({ node, ...node.blocks(bars) });
  }

  #tick(): number {
    this.#at += 1;
    return this.#at;
  }

  #living(): Member[] {
    return this.members.filter(({ node }) => !node.isKilled);
  }

  /** Notes how hellos have ended in this step. */
  #observe(): void {
    for (const [socket, arrival] of this.#arrivals) {
      // One that is stopped must not be welcomed any more.
      if (arrival.outcome !== undefined && arrival.outcome !== 'other') continue;
      const { connection, closedWith, isGone } = socket;
      if (arrival.outcome === 'other' && connection?.isWelcomed !== true) continue;
      if (connection?.isWelcomed) arrival.outcome = 'welcomed';
      else if (closedWith?.startsWith('4510')) arrival.outcome = 'blocked';
      else if (closedWith?.startsWith('4503')) arrival.outcome = 'revoked';
      else if (closedWith !== undefined || isGone) arrival.outcome = 'other';
      else continue;
      arrival.endedAt = this.#tick();
      arrival.endedMs = this.engine.nowMs;
      this.coverage.add(`a hello: ${arrival.outcome}`);
    }
  }

  #act(): void {
    const { engine } = this;
    const [player, member] = [engine.pick(PLAYERS), engine.pick(this.#living())];
    const choice = engine.random();
    if (choice < 0.4) this.#connect(player, member);
    else if (choice < 0.7) this.#call(engine.chance(0.9) ? 'block' : 'revoke', player, member);
    else this.#call('unblock', player, member);
    const sockets = member.node.sockets.filter(({ isGone }) => !isGone);
    if (sockets.length > 0 && engine.chance(0.5)) engine.pick(sockets).peerCloses();
    // What somebody does is often met by somebody else.
    for (const chance of [0.6, 0.4]) {
      if (!engine.chance(chance)) continue;
      const other = engine.pick(this.#living());
      const [call, delayMs] = [engine.pick(['block', 'unblock', 'hello', 'hello'] as const), engine.between(0, 40)];
      engine.after(delayMs, () => {
        if (call === 'hello') this.#connect(player, other);
        else this.#call(call, player, other);
      });
    }
  }

  #connect(player: string, { node }: Member): SimulatedSocket | undefined {
    if (node.isKilled) return undefined;
    const { engine } = this;
    const issuedMs = Math.floor(engine.between(0, engine.nowMs));
    const socket = node.connect(`${player}:${node.clock.now() - Math.ceil(engine.nowMs - issuedMs)}`);
    const times = { helloAt: this.#tick(), helloMs: engine.nowMs, issuedMs };
    this.#arrivals.set(socket, { player, ...times, id: socket.connection?.id ?? '' });
    return socket;
  }

  #call(kind: BarCall['kind'], player: string, { node, blocks }: Member): void {
    if (node.isKilled) return;
    const { engine } = this;
    const isInGame = engine.chance(0.3);
    const what = kind === 'revoke' ? 'revocation' : 'block';
    const seconds = kind === 'block' && engine.chance(0.3) ? engine.between(0.5, 4) : undefined;
    const call: BarCall = {
      ...{ kind, player, subject: `${what} of ${player} in ${isInGame ? 'the game' : 'the stage'}` },
      ...{ calledAt: this.#tick(), calledMs: engine.nowMs },
    };
    this.calls.push(call);
    const requestId = `call-${this.calls.length}`;
    const change = { ...CHANGE, requestId };
    const named = { gameName: GAME, ...(!isInGame && { stageName: STAGE }), playerId: player };
    const work = async () => {
      // The block ends as the node's clock says when it takes the call.
      if (seconds !== undefined) Object.assign(call, { untilMs: engine.nowMs + seconds * 1_000 });
      if (kind === 'unblock') await blocks.unblock(named, change);
      else if (kind === 'block') call.failures = (await blocks.block(named, { seconds }, change)).ended.failures;
      else {
        const { ended } = await blocks.revokeTokens(named, { keepsConnections: false }, change);
        call.failures = ended.failures;
      }
    };
    node.schedule(0, () => {
      void work()
        .then(() => 'done' as const)
        .catch((error: unknown) => {
          if (error instanceof ServiceError && error.code === 'internal') return 'unavailable' as const;
          throw error;
        })
        .then((outcome) => {
          this.#observe();
          call.returnedAt = this.#tick();
          call.outcome = outcome;
          call.version = this.bars.versions.get(requestId);
          this.coverage.add(`${kind === 'unblock' ? 'an' : 'a'} ${kind}: ${outcome}`);
        });
    });
  }

  #fail(): void {
    const { engine, redis, coverage } = this;
    const { node } = engine.pick(this.#living());
    const choice = engine.random();
    if (choice < 0.2) {
      node.pause();
      engine.after(engine.pick([engine.between(50, 2_000), engine.between(2_500, 6_500)]), () => node.resume());
    } else if (choice < 0.3 && this.#living().length > 1) {
      coverage.add('a killed node');
      node.kill();
      for (const socket of node.sockets) socket.isGone = true;
      engine.after(engine.between(0, 20), () => redis.breakAll((client) => client === node));
      engine.after(engine.between(0, 2_000), () => this.#addNode());
    } else if (choice < 0.45) {
      node.cut();
      engine.after(engine.pick([engine.between(50, 1_500), engine.between(1_500, 6_000)]), () => {
        node.mend();
        redis.flush();
      });
    } else if (choice < 0.6) redis.breakAll((client) => client === node);
    else if (redis.isUp && !redis.isPaused) this.#restartRedis();
  }

  #restartRedis(): void {
    const { engine, coverage, redis } = this;
    const isStale = engine.chance(0.5);
    coverage.add(isStale ? 'a stale restart' : 'an empty restart');
    redis.restart(isStale ? this.#snapshot.clone() : new RedisData(), engine.between(0, 800));
    // Players and operators come while the new era has just begun.
    for (let count = 0; count < 8; count += 1) engine.after(engine.between(0, 1_500), () => this.#act());
    if (engine.chance(0.5)) engine.after(engine.between(1, 900), () => redis.breakAll(() => engine.chance(0.6)));
  }

  #heal(): void {
    for (const { node } of this.#living()) {
      node.resume();
      node.mend();
    }
    this.redis.flush();
  }

  /** Has every player say hello at every node. */
  async #knock(): Promise<BarHistory['quiet']> {
    const { engine, bars } = this;
    // A player has only so many connections.
    for (const { node } of this.#living()) for (const socket of node.sockets) if (!socket.isGone) socket.peerCloses();
    await engine.passTo(engine.nowMs + 1_500);
    const knocking = PLAYERS.flatMap((player) =>
      this.#living().map((member) => ({ player, socket: this.#connect(player, member) as SimulatedSocket })),
    );
    await engine.passTo(engine.nowMs + 1_500);
    const now = this.#living()[0]?.node.clock.now() ?? 0;
    const blocked = [...bars.records.values()].filter(
      ({ kind, state, until }) => kind === 'block' && state === 'SET' && (until === undefined || until > now),
    );
    const unfinished = [...bars.records.values()].filter(({ isEnforced }) => !isEnforced);
    if (unfinished.length > 0) throw new Error(`B3: nobody enforces ${unfinished.map(({ name }) => name).join(', ')}`);
    return knocking.map(({ player, socket }) => ({
      player,
      isBarred: blocked.some(({ playerId }) => playerId === player),
      outcome: this.#isRevoked(socket)
        ? blocked.some(({ playerId }) => playerId === player)
          ? 'blocked'
          : 'welcomed'
        : this.#arrivals.get(socket)?.outcome,
    }));
  }

  /** Tokens in histories are of any age, so that at the end some are still revoked. */
  #isRevoked(socket: SimulatedSocket): boolean {
    return this.#arrivals.get(socket)?.outcome === 'revoked';
  }
}

import { encode } from '@respark/protocol';
import type { Clock } from '../../src/clock.ts';
import type { Cluster, Lease } from '../../src/cluster/cluster.ts';
import type { NodeLease } from '../../src/cluster/redis/lease.ts';
import { RedisCluster } from '../../src/cluster/redis/redis-cluster.ts';
import { createBarChanges } from '../../src/domain/players/bars/bar-changes.ts';
import { type BarEnforcement, createBarEnforcement } from '../../src/domain/players/bars/bar-enforcement.ts';
import { loadBarsOf } from '../../src/domain/players/bars/bars.ts';
import { createBlocking } from '../../src/domain/players/bars/blocking.ts';
import { type Blocks, createBlocks } from '../../src/domain/players/bars/blocks.ts';
import { createDisconnect } from '../../src/domain/players/disconnect.ts';
import type { VerifiedToken } from '../../src/domain/players/player-tokens.ts';
import { createPlayers, type Players } from '../../src/domain/players/players.ts';
import { createRuntimes } from '../../src/domain/runtime/runtimes.ts';
import { Gateway, type GatewaySettings } from '../../src/gateway/gateway.ts';
import { Limits } from '../../src/gateway/limits.ts';
import type { GameRecord, StageRecord } from '../../src/store/store.ts';
import { NO_BARS, NO_TOKEN } from '../support/bars.ts';
import { NO_ANSWERS, NO_BLOCKING, NO_PROVIDERS } from '../support/cloud-code.ts';
import { UNRECORDED } from '../support/domain.ts';
import { NO_METRICS } from '../support/metrics.ts';
import type { Engine } from './engine.ts';
import type { SimulatedBars } from './simulated-bars.ts';
import type { SimulatedRedis } from './simulated-redis.ts';
import { SimulatedSocket } from './simulated-socket.ts';

export const CLUSTER_SETTINGS = {
  ...{ redisPrefix: 'p', redisPartitions: 1 },
  ...{ leaseMs: 3_000, leaseMarginMs: 300, renewMs: 500, recoveryMs: 3_000, redisTimeoutMs: 1_000 },
};

export const DEADLINE_MS = 2_000;

const GATEWAY_SETTINGS: GatewaySettings = {
  ...{ authTimeoutMs: 2_000, heartbeatMs: 600_000, closeFlushMs: 250, closeGraceMs: 500, drainConnectionsPerSecond: 0 },
  ...{ maxConnectionsPerPlayer: 6, whenPlayerFull: 'refuse', probeTimeoutMs: 500 },
  ...{ maxFrameBytes: 65_536, maxOutboxBytes: 20_000, outboxMemoryBytes: 50_000, maxRequestsInFlight: 64 },
  ...{ messagesPerSecond: 1e6, messagesBurst: 1e6, bytesPerSecond: 1e9, bytesBurst: 1e9 },
  playerTokenLifetimeMs: 60_000,
};

const LIMITS = {
  ...{ handshakesPerSecond: 1e6, handshakesPerSecondPerAddress: 1e6, maxUnauthenticated: 1e6 },
  ...{ messagesPerSecondPerAddress: 1e9, messagesBurstPerAddress: 1e9 },
  ...{ bytesPerSecondPerAddress: 1e9, bytesBurstPerAddress: 1e9, maxUnauthenticatedPerAddress: 1e6 },
  ...{ maxConnections: 1e6, maxConnectionsPerAddress: 1e6 },
};

export const GAME = 'Demo';
export const STAGE = 'Dev';

const STAGE_RECORD: StageRecord = {
  ...{ id: 'stage-1', gameId: 'game-1', gameName: GAME, name: STAGE, description: '', role: 'role', gameKey: 'key' },
  ...{ logGroup: 'group', state: 'ACTIVE', gameState: 'ACTIVE', runtimeId: undefined, identity: undefined },
  ...{ tags: {}, createdAt: 0, updatedAt: 0 },
};

export type PlayersRoom = Partial<Pick<GatewaySettings, 'maxConnectionsPerPlayer' | 'whenPlayerFull'>>;

/** What happens on a node's sockets, as the world notes it. */
export interface Notes {
  tick(): number;
  record(event: { kind: 'dispatched' | 'handed to kernel'; id: string }): void;
  leaseEnded(lease: Lease): void;
  /** The runtime that the store has for the stage. */
  newestRuntime(): string | undefined;
}

/** One process: the real gateway, player rules and cluster over Redis. It may be held up, cut off or killed. */
export class SimulatedNode {
  readonly clock: Clock;
  readonly cluster: RedisCluster;
  readonly gateway: Gateway;
  readonly sockets: SimulatedSocket[] = [];
  readonly leases = new Set<NodeLease>();
  readonly #engine: Engine;
  readonly #notes: Notes;
  #backlog: { readonly task: () => void; readonly lane: object | undefined }[] = [];
  #pausedAtMs = 0;
  #stoppedMs = 0;
  isPaused = false;
  isKilled = false;
  #cutSinceMs: number | undefined;
  wallOffsetMs = 1_700_000_000_000;

  constructor({
    engine,
    redis,
    notes,
    skewMs,
    partitions: redisPartitions,
    bars,
    room = {},
  }: {
    engine: Engine;
    redis: SimulatedRedis;
    notes: Notes;
    skewMs: number;
    partitions: number;
    /** What the store has of bars; without it, no player is ever barred. */
    bars?: SimulatedBars;
    /** How many connections a player may have, and what happens to one more. */
    room?: PlayersRoom | undefined;
  }) {
    this.#engine = engine;
    this.#notes = notes;
    this.clock = {
      now: () => engine.nowMs + this.wallOffsetMs,
      monotonic: () => engine.nowMs + skewMs,
      after: (delayMs, task) => this.#after(delayMs, task),
    };
    this.cluster = new RedisCluster({
      ...{ clock: this.clock, random: engine.bytes, log: SILENT, facts: {} },
      settings: { ...CLUSTER_SETTINGS, redisPartitions },
      link: redis.linkOf(this),
      loadBars: bars === undefined ? NO_BARS : loadBarsOf({ store: { bars: bars.of(this) }, limit: 2 }),
      metrics: { directoryCalled() {}, linkLost() {}, eraChanged() {}, leaseEnded() {} },
    });
    this.cluster.onLeaseEnd((lease) => notes.leaseEnded(lease));
    const runtimes = createRuntimes({ renewToken: NO_TOKEN, answers: NO_ANSWERS, log: SILENT });
    this.cluster.answer('runtime_deployed', ({ stageId, runtimeId }) => {
      runtimes.deployed(stageId, runtimeId);
      return {};
    });
    this.gateway = new Gateway({
      players: this.players(this.cluster),
      runtimes: {
        enter: (name) => ({
          ...runtimes.enter(name),
          request: async ({ type: id }) => {
            notes.record({ kind: 'dispatched', id });
            await new Promise<void>((resolve) => this.schedule(engine.between(0, 3), resolve));
            return { isHandled: true, payloadJson: '{}' };
          },
        }),
      },
      cluster: this.cluster,
      limits: new Limits({ settings: LIMITS, clock: this.clock }),
      clock: this.clock,
      random: engine.bytes,
      log: SILENT,
      metrics: NO_METRICS,
      settings: { ...GATEWAY_SETTINGS, ...room },
    });
  }

  /** The rules over this node's cluster, or over one that watches the look-ups of a single call. */
  players(cluster: Cluster): Players {
    const find = async () => {
      const passing = (longestMs: number) =>
        new Promise<void>((resolve) => this.schedule(this.#engine.between(0.1, longestMs), resolve));
      await passing(2);
      const record = { ...STAGE_RECORD, runtimeId: this.#notes.newestRuntime() };
      await passing(this.#engine.chance(0.2) ? 60 : 2);
      return record;
    };
    return createPlayers({
      store: { games: { find: async () => undefined }, stages: { find, findByGameKey: find, forget() {} } },
      ...{
        cluster,
        audit: UNRECORDED,
        clock: this.clock,
        random: this.#engine.bytes,
        log: SILENT,
        metrics: NO_METRICS,
        events: { emit() {} },
        blocking: NO_BLOCKING,
      },
      tokens: { issue: (_stageId, playerId) => playerId, verify: (_stageId, token) => readToken(token) },
      providerTokens: NO_PROVIDERS,
      settings: { disconnectDeadlineMs: DEADLINE_MS, maxFrameBytes: 16_384, playerTokenLifetimeMs: DEADLINE_MS },
    });
  }

  /** The rules of blocks over this node's cluster, and the work that goes on with what they leave. */
  blocks(bars: SimulatedBars): { readonly blocks: Blocks; readonly enforcement: BarEnforcement } {
    const { clock, cluster } = this;
    const game = { id: STAGE_RECORD.gameId, state: 'ACTIVE' } as GameRecord;
    const games = { find: async () => game };
    const stages = {
      find: async () => STAGE_RECORD,
      findById: async () => STAGE_RECORD,
      list: async () => [STAGE_RECORD],
    };
    const store = { bars: bars.of(this), games, stages };
    const enforcement = createBarEnforcement({
      ...{ store, cluster, clock, log: SILENT, settings: { disconnectDeadlineMs: DEADLINE_MS } },
      disconnect: createDisconnect({ cluster, clock, log: SILENT }),
    });
    enforcement.start();
    const changes = createBarChanges({ store, enforcement, room: { take: async () => () => {}, freed() {} }, clock });
    const paginate = async () => ({ items: [], nextToken: undefined });
    const settings = { maxFrameBytes: 16_384 };
    const blocking = createBlocking({ changes, events: { emit() {} }, settings });
    const parts = { store, blocking, changes, audit: UNRECORDED, paginate, turn: async () => {}, clock, settings };
    return { blocks: createBlocks(parts), enforcement };
  }

  connect(player: string): SimulatedSocket {
    const socket = new SimulatedSocket({
      history: this.#notes,
      gateway: this.gateway,
      later: (label, task) => {
        // Some clients are slow to notice that they are being closed, and go on sending.
        const isSlow = label === 'close answered' && this.#engine.chance(0.3);
        this.schedule(this.#engine.between(0.1, isSlow ? 400 : 5), task);
      },
    });
    const connection = this.gateway.accept(socket, '127.0.0.1');
    socket.connection = connection;
    this.sockets.push(socket);
    socket.peerSends(encode({ kind: 'hello', gameKey: 'key', token: player }));
    return socket;
  }

  schedule(delayMs: number, task: () => void, lane?: object): void {
    this.#engine.after(delayMs, () => this.#take(task, lane));
  }

  pause(): void {
    if (!this.isPaused) this.#pausedAtMs = this.#engine.nowMs;
    this.isPaused = true;
  }

  /** How long the process has been stopped in all. */
  get stoppedMs(): number {
    return this.#stoppedMs + (this.isPaused ? this.#engine.nowMs - this.#pausedAtMs : 0);
  }

  /** What has come meanwhile is there at once, with timers and messages in any order. */
  resume(): void {
    if (!this.isPaused) return;
    this.#stoppedMs = this.stoppedMs;
    this.isPaused = false;
    const held = this.#backlog;
    this.#backlog = [];
    const lanes = new Map<object, number>();
    for (const { task, lane } of held) {
      const earliest = (lane === undefined ? undefined : lanes.get(lane)) ?? 0;
      const delayMs = Math.max(earliest + 0.001, this.#engine.between(0, 5));
      if (lane !== undefined) lanes.set(lane, delayMs);
      this.schedule(delayMs, task, lane);
    }
  }

  kill(): void {
    this.isKilled = true;
    this.#backlog = [];
  }

  /** Notes the lease that the node has now; called after each step. */
  noteLease(): void {
    this.leases.add(this.cluster.lease as NodeLease);
  }

  get isCut(): boolean {
    return this.#cutSinceMs !== undefined;
  }

  /** Cuts the node off from Redis, unless it is already. */
  cut(): void {
    this.#cutSinceMs ??= this.#engine.nowMs;
  }

  /** Ends the cut, whichever has begun it, and gives the time since when the node was cut off. */
  mend(): number | undefined {
    const sinceMs = this.#cutSinceMs;
    this.#cutSinceMs = undefined;
    return sinceMs;
  }

  /** Its incarnations that others may take for dead: killed, or past their lease. */
  goneLives(): string[] {
    const [monotonic, wall] = [this.clock.monotonic(), this.clock.now()];
    return [...this.leases].flatMap((lease) => {
      const isPast = lease.isOver || monotonic >= lease.until.monotonic || wall >= lease.until.wall;
      return this.isKilled || isPast ? [lease.node] : [];
    });
  }

  #take(task: () => void, lane: object | undefined): void {
    if (this.isKilled) return;
    if (this.isPaused) this.#backlog.push({ task, lane });
    else task();
  }

  #after(delayMs: number, task: () => void): () => void {
    let isCancelled = false;
    const cancel = this.#engine.after(delayMs, () => {
      this.#take(() => {
        if (!isCancelled) task();
      }, undefined);
    });
    return () => {
      isCancelled = true;
      cancel();
    };
  }
}

/** A token is a player's id and, behind a colon, when it was issued. */
function readToken(token: string): VerifiedToken {
  const [playerId = '', issuedAtMs = '0'] = token.split(':');
  return { playerId, issuedAtMs: Number(issuedAtMs), signedInAtMs: Number(issuedAtMs) };
}

const SILENT = { debug() {}, info() {}, warn() {}, error() {} };

import { createHash } from 'node:crypto';
import { encode } from '@respark/protocol';
import type fc from 'fast-check';
import { withTimeout } from '../../src/clock.ts';
import type { Cluster } from '../../src/cluster/cluster.ts';
import { LocalCluster } from '../../src/cluster/local.ts';
import type { NodeCallKind, NodeRequest } from '../../src/cluster/node-calls.ts';
import { createPlayers, type Players } from '../../src/domain/players/players.ts';
import { createRuntimes } from '../../src/domain/runtime/runtimes.ts';
import type { Connection } from '../../src/gateway/connection.ts';
import { Gateway, type GatewaySettings } from '../../src/gateway/gateway.ts';
import { type LimitSettings, Limits } from '../../src/gateway/limits.ts';
import type { Log } from '../../src/log.ts';
import type { MaybePromise } from '../../src/maybe-promise.ts';
import type { PlayerKey } from '../../src/player-key.ts';
import type { RandomBytes } from '../../src/random.ts';
import type { StageRecord } from '../../src/store/store.ts';
import { NO_TOKEN } from '../support/bars.ts';
import { NO_ANSWERS, NO_BLOCKING, NO_PROVIDERS } from '../support/cloud-code.ts';
import { UNRECORDED } from '../support/domain.ts';
import { NO_METRICS } from '../support/metrics.ts';
import type { History } from './history.ts';
import { SimulatedClock } from './simulated-clock.ts';
import { SimulatedSocket } from './simulated-socket.ts';

/** Decides the order in which everything that waits goes on. fast-check replays and shrinks its choices. */
export type Scheduler = fc.Scheduler;

export const GAME = 'Demo';
export const STAGE = 'Dev';
export const STAGE_ID = 'stage-1';
export const DEADLINE_MS = 5_000;

export const SETTINGS: GatewaySettings = {
  authTimeoutMs: 5_000,
  heartbeatMs: 20_000,
  closeFlushMs: 250,
  closeGraceMs: 2_000,
  drainConnectionsPerSecond: 0,
  maxConnectionsPerPlayer: 3,
  whenPlayerFull: 'refuse',
  probeTimeoutMs: 2_000,
  maxFrameBytes: 65_536,
  maxOutboxBytes: 2_000,
  outboxMemoryBytes: 5_000,
  maxRequestsInFlight: 4,
  messagesPerSecond: 1_000,
  messagesBurst: 1_000,
  bytesPerSecond: 1_000_000,
  bytesBurst: 1_000_000,
  playerTokenLifetimeMs: 60_000,
};

/** A failure of a link between nodes, or of the directory. A world uses up its faults in order. */
export type LinkFault = 'none' | 'request lost' | 'reply lost' | 'list fails' | 'unregister fails';

const silence = () => new Promise<never>(() => {});

/** The real single-node cluster, behind links on which every message waits for the scheduler. */
class ScheduledCluster implements Cluster {
  readonly inner: LocalCluster;
  readonly #world: World;
  readonly #faults: LinkFault[];
  readonly isAvailable = true;
  readonly node: string;

  constructor(world: World, inner: LocalCluster, faults: readonly LinkFault[]) {
    this.#world = world;
    this.inner = inner;
    this.node = inner.node;
    this.#faults = [...faults];
  }

  #takeFault(kind: LinkFault): boolean {
    if (this.#faults[0] !== kind) return false;
    this.#faults.shift();
    this.#world.history.coverage.add(kind);
    return true;
  }

  get lease() {
    return this.inner.lease;
  }

  era = () => this.inner.era();
  isProvenDead = (node: string) => this.inner.isProvenDead(node);
  nodes = () => this.inner.nodes();
  joinedNodes = () => this.inner.joinedNodes();
  onLeaseEnd = () => {};
  requestAll: Cluster['requestAll'] = (...parameters) => this.inner.requestAll(...parameters);
  announceRuntime: Cluster['announceRuntime'] = (...parameters) => this.inner.announceRuntime(...parameters);
  answer: Cluster['answer'] = (kind, handler) => this.inner.answer(kind, handler);
  isAlive = (node: string) => this.inner.isAlive(node);
  close = () => this.inner.close();

  async register(...parameters: Parameters<Cluster['register']>) {
    return await this.#acrossLink('register', () => this.inner.register(...parameters));
  }

  setBar: Cluster['setBar'] = (...parameters) => this.#acrossLink('set bar', () => this.inner.setBar(...parameters));
  liftBar: Cluster['liftBar'] = (...parameters) =>
    this.#acrossLink('lift bar', () => this.inner.liftBar(...parameters));
  findBar: Cluster['findBar'] = (...parameters) =>
    this.#acrossLink('find bar', () => this.inner.findBar(...parameters));

  async unregister(key: PlayerKey, ids: readonly string[]) {
    if (this.#takeFault('unregister fails')) throw new Error('the directory is away');
    await this.#acrossLink('unregister', () => this.inner.unregister(key, ids));
  }

  async list(key: PlayerKey) {
    if (this.#takeFault('list fails')) throw new Error('the directory is away');
    return await this.#acrossLink('list', () => this.inner.list(key));
  }

  listStage: Cluster['listStage'] = (...parameters) =>
    this.#acrossLink('list stage', () => this.inner.listStage(...parameters));
  countStage: Cluster['countStage'] = (...parameters) =>
    this.#acrossLink('count stage', () => this.inner.countStage(...parameters));

  /** The time limit includes the time on both links. */
  request<Kind extends NodeCallKind>(node: string, kind: Kind, request: NodeRequest<Kind>, timeoutMs: number) {
    return withTimeout(this.#exchange(node, kind, request, timeoutMs), timeoutMs, this.#world.clock);
  }

  async #exchange<Kind extends NodeCallKind>(node: string, kind: Kind, request: NodeRequest<Kind>, timeoutMs: number) {
    if (this.#takeFault('request lost')) return await silence();
    const isReplyLost = this.#takeFault('reply lost');
    await this.#world.turn('request');
    const reply = await this.inner.request(node, kind, request, timeoutMs);
    if (isReplyLost) return await silence();
    await this.#world.turn('reply');
    return reply;
  }

  get size() {
    return this.inner.size;
  }

  closeStage = (stageId: string, timeoutMs: number) => this.inner.closeStage(stageId, timeoutMs);

  async #acrossLink<T>(name: string, act: () => MaybePromise<T>): Promise<T> {
    await this.#world.turn(name);
    const result = await act();
    await this.#world.turn(`${name} answered`);
    return result;
  }
}

/** One node: the real gateway, player rules and directory, with simulated time, links and sockets. */
export class World {
  readonly clock = new SimulatedClock();
  readonly history: History;
  readonly gateway: Gateway;
  readonly cluster: ScheduledCluster;
  readonly limits: Limits;
  readonly runtimes = createRuntimes({ renewToken: NO_TOKEN, answers: NO_ANSWERS, log: SILENT });
  readonly sockets: SimulatedSocket[] = [];
  readonly #scheduler: Scheduler;
  readonly #random: RandomBytes;
  #stageState: StageRecord['state'] = 'ACTIVE';

  constructor({
    scheduler,
    history,
    faults,
    settings = {},
    limits = {},
  }: {
    scheduler: Scheduler;
    history: History;
    faults: readonly LinkFault[];
    settings?: Partial<GatewaySettings>;
    /** The world has no limits but these. */
    limits?: Partial<LimitSettings>;
  }) {
    this.#scheduler = scheduler;
    this.history = history;
    this.#random = seededRandom('world');
    const local = new LocalCluster({ clock: this.clock, random: this.#random });
    this.cluster = new ScheduledCluster(this, local, faults);
    this.limits = new Limits({ settings: { ...UNLIMITED, ...limits }, clock: this.clock });
    this.gateway = new Gateway({
      players: this.players(this.cluster),
      runtimes: {
        enter: (name) => ({
          ...this.runtimes.enter(name),
          request: async ({ type: id }) => {
            history.record({ kind: 'dispatched', id });
            await this.turn('handler');
            return { isHandled: true, payloadJson: '{}' };
          },
          event: async () => ({ isHandled: true, payloadJson: '{}' }),
        }),
      },
      cluster: this.cluster,
      limits: this.limits,
      clock: this.clock,
      random: this.#random,
      log: SILENT,
      metrics: NO_METRICS,
      settings: { ...SETTINGS, ...settings },
    });
  }

  /**
   * The player rules over the given cluster, so that a test may pass one that watches the look-ups of a single call.
   */
  players(cluster: Cluster): Players {
    const find = async () => {
      await this.turn('store');
      return { ...STAGE_RECORD, state: this.#stageState };
    };
    return createPlayers({
      store: { games: { find: async () => undefined }, stages: { find, findByGameKey: find, forget() {} } },
      cluster,
      audit: UNRECORDED,
      // The token is simply the player's id, because this does not test signatures.
      tokens: {
        issue: (_stageId, playerId) => playerId,
        verify: (_stageId, token) => ({ playerId: token, issuedAtMs: 0, signedInAtMs: 0 }),
      },
      clock: this.clock,
      random: this.#random,
      log: SILENT,
      metrics: NO_METRICS,
      providerTokens: NO_PROVIDERS,
      events: { emit() {} },
      blocking: NO_BLOCKING,
      settings: { disconnectDeadlineMs: DEADLINE_MS, maxFrameBytes: 16_384, playerTokenLifetimeMs: DEADLINE_MS },
    });
  }

  /** Waits until the scheduler lets this go on. */
  async turn(label: string): Promise<void> {
    await this.#scheduler.schedule(Promise.resolve(), label);
  }

  /** Runs the task when the scheduler chooses. */
  later(label: string, task: () => void): void {
    void this.turn(label).then(task);
  }

  connect(playerId: string): void {
    this.accept(playerId).says();
  }

  /** Takes over a socket, on which the player says hello when told to. */
  accept(
    playerId: string,
    { address = '127.0.0.1', hasPlace = true } = {},
  ): { socket: SimulatedSocket; connection: Connection; says: () => void } {
    const socket = new SimulatedSocket(this);
    const connection = this.gateway.accept(socket, address, { hasPlace });
    socket.connection = connection;
    this.sockets.push(socket);
    const says = () => socket.peerSends(encode({ kind: 'hello', gameKey: 'key', token: playerId }));
    return { socket, connection, says };
  }

  /** Connects these players, one after the other; those without a network lose it once they have been welcomed. */
  async setScene(players: readonly { readonly player: string; readonly hasNetwork: boolean }[]): Promise<void> {
    for (const { player, hasNetwork } of players) {
      this.connect(player);
      await this.#scheduler.waitIdle();
      if (!hasNetwork) this.sockets.at(-1)?.losesNetwork();
    }
  }

  async deleteStage(): Promise<void> {
    this.#stageState = 'DELETING';
    await this.cluster.closeStage(STAGE_ID, DEADLINE_MS).catch(() => {});
  }

  /** Lets everything that waits go on, and time pass, until the last player has been silent for too long. */
  async settle(): Promise<void> {
    for (;;) {
      await this.#scheduler.waitIdle();
      for (const socket of this.sockets) socket.answersPings = false;
      const { nextAt } = this.clock;
      if (nextAt === undefined) return;
      await this.clock.passTo(nextAt);
    }
  }
}

/** A request frame whose type is the id of its connection, so that the history knows which one it came on. */
export function requestFrame(connectionId: string): string {
  return encode({ kind: 'request', id: '1', type: connectionId, payload: {} });
}

const UNLIMITED = {
  handshakesPerSecond: 1e6,
  messagesPerSecondPerAddress: 1e9,
  messagesBurstPerAddress: 1e9,
  bytesPerSecondPerAddress: 1e9,
  bytesBurstPerAddress: 1e9,
  handshakesPerSecondPerAddress: 1e6,
  maxUnauthenticated: 1e6,
  maxUnauthenticatedPerAddress: 1e6,
  maxConnections: 1e6,
  maxConnectionsPerAddress: 1e6,
};

const STAGE_RECORD: StageRecord = {
  id: STAGE_ID,
  gameId: 'game-1',
  gameName: GAME,
  name: STAGE,
  description: '',
  role: 'arn:aws:iam::000000000000:role/any',
  gameKey: 'key',
  logGroup: '/aws/gamesparks/Demo/Dev',
  state: 'ACTIVE',
  gameState: 'ACTIVE',
  runtimeId: undefined,
  identity: undefined,
  tags: {},
  createdAt: 0,
  updatedAt: 0,
};

const SILENT: Log = { debug() {}, info() {}, warn() {}, error() {} };

/** Bytes that look random and are the same in every run. */
function seededRandom(seed: string): RandomBytes {
  const state = { count: 0 };
  return (count) => {
    state.count += 1;
    return createHash('sha512').update(`${seed} ${state.count}`).digest().subarray(0, count);
  };
}

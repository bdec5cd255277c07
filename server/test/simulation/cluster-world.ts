import { ServiceError } from '../../src/errors.ts';
import { CHANGE } from '../support/domain.ts';
import type { ClusterHistory, DisconnectRecord } from './checker.ts';
import { Engine } from './engine.ts';
import { RedisData } from './redis-model.ts';
import { CLUSTER_SETTINGS, DEADLINE_MS, GAME, type PlayersRoom, SimulatedNode, STAGE } from './simulated-node.ts';
import { SimulatedRedis } from './simulated-redis.ts';
import type { SimulatedSocket } from './simulated-socket.ts';
import { lookAtStage } from './stage-look.ts';
import { actingIn, watchFirstListing, watchNodes } from './watched-cluster.ts';
import { requestFrame } from './world.ts';

type Mutable<T> = { -readonly [Key in keyof T]: T[Key] };

/** What comes while a process is stopped reaches it some time after it goes on. */
const HANDOVER_MS = 10;

const ACTION_MS = 9_000;
const PLAYERS = ['alice', 'bob'] as const;

/** Nodes that share a simulated Redis, players on them, and everything that may go wrong; all of it from one seed. */
export class ClusterWorld {
  readonly engine: Engine;
  readonly redis: SimulatedRedis;
  readonly coverage: Set<string>;
  readonly nodes: SimulatedNode[] = [];
  readonly disconnects: DisconnectRecord[] = [];
  readonly statuses: ClusterHistory['statuses'][number][] = [];
  readonly passages: ClusterHistory['passages'][number][] = [];
  readonly #connections = new Map<string, Mutable<ClusterHistory['connections'][number]>>();
  readonly #outages: ClusterHistory['outages'][number][] = [];
  readonly #callers = new Map<DisconnectRecord, { readonly node: SimulatedNode; readonly stoppedMs: number }>();
  #snapshot = new RedisData();
  #at = 0;
  #calls = 0;
  readonly #erasBegan = new Map<string, number>();
  readonly #deployments: ClusterHistory['deployments'][number][] = [];
  readonly #leftOut: string[] = [];
  readonly #ofEachNode: { readonly partitions: number; readonly room: PlayersRoom | undefined };
  #newestRuntime: string | undefined;
  #runtimes = 0;

  constructor(seed: number, coverage: Set<string>, room?: PlayersRoom) {
    this.engine = new Engine(seed);
    this.#ofEachNode = { partitions: this.engine.pick([1, 1, 3]), room };
    this.coverage = coverage;
    this.redis = new SimulatedRedis(this.engine, coverage);
    this.engine.afterStep = () => this.#observe();
  }

  /** Runs the history to its quiet end. */
  async run(): Promise<ClusterHistory> {
    const { engine } = this;
    for (let count = engine.pick([2, 2, 3]); count > 0; count -= 1) this.#addNode();
    // The directory begins to answer when it has been seen for long enough.
    await engine.passTo(CLUSTER_SETTINGS.recoveryMs + 1_500);
    const actions = 10 + Math.floor(engine.random() * 30);
    for (let count = 0; count < actions; count += 1) engine.after(engine.between(0, ACTION_MS), () => this.#act());
    const faults = engine.pick([0, 1, 2, 3, 4]);
    for (let count = 0; count < faults; count += 1) engine.after(engine.between(0, ACTION_MS), () => this.#fail());
    engine.after(engine.between(0, ACTION_MS), () => this.#keepSnapshot());
    await engine.passTo(engine.nowMs + ACTION_MS);
    this.#heal();
    await engine.passTo(engine.nowMs + 2 * CLUSTER_SETTINGS.leaseMs + CLUSTER_SETTINGS.recoveryMs + 3_000);
    const [around, stage] = [this.#lookAround(), lookAtStage(engine.pick(this.#living()).cluster)];
    await engine.passTo(engine.nowMs + 1_000);
    for (const player of PLAYERS) this.#disconnect(player, engine.pick(this.#living()));
    await engine.passTo(engine.nowMs + 3_000);
    const last = this.disconnects.slice(-PLAYERS.length);
    const isUnwell = last.some(({ outcome }) => typeof outcome !== 'object' || outcome.failures.length > 0);
    const quiet = { ...around, stage: await stage };
    for (const node of this.nodes) void node.cluster.close();
    return {
      ...{ disconnects: this.disconnects, statuses: this.statuses, passages: this.passages },
      ...{ connections: [...this.#connections.values()], outages: this.#outages },
      ...{ deployments: this.#deployments, leftOut: this.#leftOut },
      quiet: isUnwell ? { ...quiet, directory: ['does not work again'] } : quiet,
    };
  }

  #addNode(): void {
    const notes = {
      tick: () => this.#tick(),
      record: (event: { kind: 'dispatched' | 'handed to kernel'; id: string }) => {
        this.passages.push({ at: this.#tick(), id: event.id, kind: event.kind });
      },
      leaseEnded: () => this.coverage.add('a lease that ended'),
      newestRuntime: () => this.#newestRuntime,
    };
    const { engine, redis } = this;
    const skewMs = Math.floor(engine.between(0, 1e6));
    const node = new SimulatedNode({ engine, redis, notes, skewMs, ...this.#ofEachNode });
    watchNodes(node.cluster, () => actingIn(this.#living()), this.#leftOut);
    this.nodes.push(node);
  }

  #tick(): number {
    this.#at += 1;
    return this.#at;
  }

  #living(): SimulatedNode[] {
    return this.nodes.filter(({ isKilled }) => !isKilled);
  }

  /** Notes what a step has changed. */
  #observe(): void {
    for (const [partition, beganMs] of this.redis.erasBegan) {
      if (this.#erasBegan.get(partition) === beganMs) continue;
      this.#erasBegan.set(partition, beganMs);
      if (this.redis.erasBegan.size < this.#ofEachNode.partitions) continue;
      // A player's partition may have been the first to begin anew.
      const firstMs = Math.min(...this.redis.erasBegan.values());
      this.#outages.push({ fromMs: beganMs, toMs: firstMs + CLUSTER_SETTINGS.recoveryMs });
    }
    for (const node of this.nodes) {
      if (node.isKilled) continue;
      node.noteLease();
      for (const socket of node.sockets) this.#observeSocket(socket);
    }
  }

  #observeSocket({ connection, closedWith, isGone }: SimulatedSocket): void {
    if (connection === undefined) return;
    const known = this.#connections.get(connection.id);
    if (known === undefined) {
      if (!connection.isWelcomed || connection.player === undefined || connection.lease === undefined) return;
      const { id, player, lease, runtime } = connection;
      const welcomedAt = this.#tick();
      const runtimeId = runtime?.id ?? '';
      this.#connections.set(id, { id, player: player.playerId, node: lease.node, welcomedAt, runtimeId });
      return;
    }
    if (known.stoppedAt !== undefined || !(connection.isStopped || isGone)) return;
    known.stoppedAt = this.#tick();
    const [, stoppedBy] = /requestId=([^;\s]+)/.exec(closedWith ?? '') ?? [];
    if (stoppedBy !== undefined) known.stoppedBy = stoppedBy;
  }

  #act(): void {
    const { engine } = this;
    const node = engine.pick(this.#living());
    const player = engine.pick(PLAYERS);
    const sockets = node.sockets.filter(({ isGone }) => !isGone);
    const choice = engine.random();
    if (choice < 0.34) this.#connect(player, node);
    else if (choice < 0.64) this.#disconnect(player, node);
    else if (choice < 0.72) void this.#status(player, node);
    else if (choice < 0.76) void this.#deploy(node);
    else if (choice < 0.9) for (const socket of sockets) this.#send(socket, engine.between(1, 40), 4);
    else if (sockets.length > 0) {
      const socket = engine.pick(sockets);
      engine.pick([() => socket.peerCloses(), () => socket.peerReads(false), () => socket.peerReads(true)])();
    }
  }

  #connect(player: string, node: SimulatedNode): void {
    const socket = node.connect(player);
    // A call that comes while the handshake is under way.
    if (this.engine.chance(0.3)) {
      this.engine.after(this.engine.between(1, 40), () => this.#disconnect(player, this.engine.pick(this.#living())));
    }
    if (this.engine.chance(0.7)) this.#send(socket, this.engine.between(5, 600), 40);
  }

  #send(socket: SimulatedSocket, everyMs: number, times: number): void {
    const { connection } = socket;
    if (times === 0 || socket.isGone || connection === undefined) return;
    if (connection.isWelcomed) socket.peerSends(requestFrame(connection.id));
    this.engine.after(everyMs, () => this.#send(socket, everyMs, times - 1));
  }

  #disconnect(player: string, node: SimulatedNode): void {
    this.#calls += 1;
    const call: DisconnectRecord = {
      ...{ player, coordinator: `node ${this.nodes.indexOf(node)}`, requestId: `call-${this.#calls}` },
      ...{ calledAt: this.#tick(), calledMs: this.engine.nowMs },
    };
    this.disconnects.push(call);
    this.#callers.set(call, { node, stoppedMs: node.stoppedMs });
    node.schedule(0, () => void this.#callDisconnect(call, node));
  }

  async #callDisconnect(call: DisconnectRecord, node: SimulatedNode): Promise<void> {
    const { coverage } = this;
    const cluster = watchFirstListing(node.cluster, (ids) => {
      call.listed = ids;
    });
    const named = { gameName: GAME, stageName: STAGE, playerId: call.player };
    try {
      const { successes, failures } = await node
        .players(cluster)
        .disconnect(named, { ...CHANGE, requestId: call.requestId });
      call.outcome = { successes, failures };
      if (successes.length > 0) coverage.add('a success');
      if (failures.length > 0) coverage.add('a failure');
    } catch (error) {
      if (!(error instanceof ServiceError) || error.code !== 'internal') throw error;
      coverage.add('an unavailable directory');
      call.outcome = 'unavailable';
    }
    // What has stopped in this step had stopped before the call returned.
    this.#observe();
    call.returnedAt = this.#tick();
    call.returnedMs = this.engine.nowMs;
    call.heldUpMs = node.stoppedMs - (this.#callers.get(call)?.stoppedMs ?? 0) + HANDOVER_MS;
    // Clients that have not noticed yet go on sending.
    const ended = new Set(typeof call.outcome === 'object' ? call.outcome.successes : []);
    for (const socket of this.nodes.flatMap(({ sockets }) => sockets)) {
      if (ended.has(socket.connection?.id ?? '')) this.#send(socket, 20, 5);
    }
    call.goneNodes = this.nodes.flatMap((each) => each.goneLives());
    call.killedNodes = this.nodes.flatMap((each) => (each.isKilled ? each.goneLives() : []));
  }

  async #status(player: string, node: SimulatedNode): Promise<void> {
    const calledAt = this.#tick();
    const named = { gameName: GAME, stageName: STAGE, playerId: player };
    const connections = await node
      .players(node.cluster)
      .connections(named)
      .catch(() => []);
    this.statuses.push({ player, calledAt, ids: connections.map(({ connectionId }) => connectionId) });
  }

  /** Puts a runtime on the stage, and has all nodes hear of it, while players connect. */
  async #deploy(node: SimulatedNode): Promise<void> {
    for (let count = 0; count < 4; count += 1) {
      const at = this.engine.pick(this.#living());
      this.engine.after(this.engine.between(0, 12), () => this.#connect(this.engine.pick(PLAYERS), at));
    }
    await new Promise<void>((resolve) => this.engine.after(9, resolve));
    this.#runtimes += 1;
    const runtimeId = `01-${String(this.#runtimes).padStart(3, '0')}`;
    this.#newestRuntime = runtimeId;
    try {
      await node.cluster.announceRuntime('stage-1', runtimeId, DEADLINE_MS);
      // What has opened in this step had opened before.
      this.#observe();
      this.#deployments.push({ completedAt: this.#tick(), runtimeId });
      this.coverage.add('a deployment of which all nodes have heard');
    } catch {
      this.coverage.add('a deployment of which not all nodes have heard');
    }
  }

  #fail(): void {
    const { engine, redis, coverage } = this;
    const [node, choice] = [engine.pick(this.#living()), engine.random()];
    if (choice < 0.2) this.#pauseNode(node);
    else if (choice < 0.3 && this.#living().length > 1) this.#killNode(node);
    else if (choice < 0.45) this.#cutNode(node);
    else if (choice < 0.55) {
      coverage.add('a broken link');
      redis.breakAll((client) => client === node);
    } else if (choice < 0.65) {
      redis.lossRate = engine.pick([0.2, 1]);
      engine.after(engine.between(50, 1_500), () => {
        redis.lossRate = 0;
      });
    } else if (choice < 0.9) this.#restartRedis();
    else if (choice < 0.97) this.#pauseRedis();
    else {
      coverage.add('a wall clock that jumped');
      node.wallOffsetMs += engine.pick([-3_600_000, 1_000, 3_600_000]);
    }
    // What goes wrong is often met by a call.
    if (engine.chance(0.7)) this.#disconnect(engine.pick(PLAYERS), engine.pick(this.#living()));
  }

  #pauseNode(node: SimulatedNode): void {
    const { engine, coverage } = this;
    const pauseMs = engine.pick([engine.between(50, 2_000), engine.between(2_500, 6_500)]);
    node.pause();
    for (const socket of node.sockets) this.#send(socket, 50, 200);
    engine.after(pauseMs, () => {
      if (!node.isPaused || node.isKilled) return;
      if (pauseMs > CLUSTER_SETTINGS.leaseMs) coverage.add('a pause longer than the lease');
      node.resume();
    });
  }

  #killNode(node: SimulatedNode): void {
    const { engine, coverage } = this;
    coverage.add('a killed node');
    node.kill();
    for (const [call, caller] of this.#callers) {
      if (caller.node === node && call.returnedAt === undefined) call.isLost = true;
    }
    for (const socket of node.sockets) socket.isGone = true;
    engine.after(engine.between(0, 20), () => this.redis.breakAll((client) => client === node));
    engine.after(engine.between(0, 2_000), () => this.#addNode());
  }

  #cutNode(node: SimulatedNode): void {
    const { engine, coverage } = this;
    const cutMs = engine.pick([engine.between(50, 1_500), engine.between(1_500, 7_000)]);
    coverage.add(cutMs > CLUSTER_SETTINGS.leaseMs ? 'a cut longer than the lease' : 'a short cut');
    this.#cut(node, cutMs);
  }

  #cut(node: SimulatedNode, cutMs: number): void {
    const { engine } = this;
    node.cut();
    engine.after(cutMs, () => {
      const fromMs = node.mend();
      if (fromMs === undefined) return;
      this.#outages.push({
        fromMs,
        toMs: engine.nowMs,
        coordinator: `node ${this.nodes.indexOf(node)}`,
      });
      this.redis.flush();
    });
  }

  #restartRedis(): void {
    const { engine, coverage, redis } = this;
    if (!redis.isUp || redis.isPaused) return;
    const isStale = engine.chance(0.5);
    coverage.add(isStale ? 'a stale restart' : 'an empty restart');
    if (isStale && this.engine.chance(0.3)) this.#keepSnapshot();
    const data = isStale ? this.#snapshot.clone() : new RedisData();
    redis.restart(data, engine.between(0, 800));
    const crowded = this.#living().filter(({ sockets }) => sockets.some(({ isGone }) => !isGone));
    if (crowded.length > 0 && engine.chance(0.4)) this.#trip(engine.pick(crowded));
    if (!engine.chance(0.5)) return;
    // Often when the nodes have only begun to list their connections again.
    engine.after(engine.between(1, 900), () => {
      coverage.add('a link break after a restart');
      redis.breakAll(() => engine.chance(0.6));
    });
  }

  /** Cuts a node off when the server restarts, and again when it has only begun to list its connections in the new era. */
  #trip(node: SimulatedNode): void {
    const { engine, coverage, redis } = this;
    // Long enough that the era has nearly recovered, and short enough for the old lease.
    this.#cut(node, engine.between(1_300, 1_900));
    redis.arrived = (client, name) => {
      if (client !== node || name !== 'restore') return;
      redis.arrived = () => {};
      coverage.add('a link break in the middle of a re-registration');
      this.#cut(node, engine.between(2_000, 4_000));
      for (let count = 0; count < 4; count += 1) {
        engine.after(engine.between(1_000, 3_000), () =>
          this.#disconnect(engine.pick(PLAYERS), engine.pick(this.#living())),
        );
      }
    };
  }

  #pauseRedis(): void {
    const { engine, coverage, redis } = this;
    if (redis.isPaused) return;
    coverage.add('a paused Redis');
    const fromMs = engine.nowMs;
    redis.pause();
    engine.after(engine.pick([engine.between(50, 1_500), engine.between(1_500, 5_000)]), () => {
      if (!redis.isPaused) return;
      this.#outages.push({ fromMs, toMs: engine.nowMs });
      redis.resume();
    });
  }

  #heal(): void {
    this.redis.lossRate = 0;
    for (const node of this.#living()) {
      node.resume();
      node.mend();
      for (const socket of node.sockets) socket.peerReads(true);
    }
    if (this.redis.isPaused) this.redis.resume();
    this.redis.flush();
  }

  /** A state of the directory that an old snapshot may bring back. */
  #keepSnapshot(): void {
    if (this.redis.isUp) this.#snapshot = this.redis.data.clone();
  }

  #lookAround(): NonNullable<ClusterHistory['quiet']> {
    const living = this.#living();
    const sockets = living.flatMap((node) =>
      node.sockets.flatMap(({ connection, isGone }) =>
        connection?.isWelcomed && !connection.isStopped && !isGone ? [connection] : [],
      ),
    );
    const listed = living.reduce((sum, { gateway }) => sum + gateway.counts.listed, 0);
    const recorded = living.reduce((sum, { cluster }) => sum + cluster.size, 0);
    const ids = sockets.map(({ id }) => id);
    const isEven = listed === ids.length && recorded === ids.length;
    return {
      directory: [...this.redis.entries().keys()],
      players: new Set(sockets.map(({ player }) => player?.playerId)).size,
      sockets: ids,
      nodeTables: isEven ? ids : [`${listed} in gateways, ${recorded} in clusters`],
    };
  }
}

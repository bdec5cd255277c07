import { withTimeout } from '../../clock.ts';
import type { MaybePromise } from '../../maybe-promise.ts';
import type { PlayerKey } from '../../player-key.ts';
import {
  type Bar,
  type Barred,
  type BarTarget,
  type Cluster,
  type DirectoryEntry,
  DirectoryUnavailable,
  type Expectations,
  type Lease,
  type Lifting,
  type Listing,
  type Newcomer,
  type NodeRecord,
  type RegistrationFault,
  type StageCounts,
  type StageListing,
  type StagePage,
  type Standing,
} from '../cluster.ts';
import type { AnswerNodeCall, NodeCallKind, NodeReply, NodeRequest } from '../node-calls.ts';
import { partitionOf } from './keys.ts';
import { Life, type LifeParts } from './life.ts';
import type { Partition } from './partition.ts';

/** What the cluster counts. */
export interface ClusterMetrics {
  directoryCalled(durationMs: number): void;
  linkLost(): void;
  eraChanged(): void;
  leaseEnded(): void;
}

/**
 * The cluster of nodes that share a Redis server, which is the directory and carries their messages. What other nodes see of
 * this one is its current life.
 */
export class RedisCluster implements Cluster {
  readonly #parts: LifeParts;
  readonly #metrics: ClusterMetrics;
  readonly #leaseEnd: ((lease: Lease) => void)[] = [];
  #answers: { [Kind in NodeCallKind]?: AnswerNodeCall<Kind> } = {};
  #life: Life;
  #isClosed = false;

  constructor({ metrics, ...parts }: LifeParts & { readonly metrics: ClusterMetrics }) {
    this.#parts = parts;
    this.#metrics = metrics;
    this.#life = this.#begin();
  }

  get node(): string {
    return this.#life.node;
  }

  get lease(): Lease {
    return this.#life.lease;
  }

  get isAvailable(): boolean {
    return this.#life.isAvailable;
  }

  get size(): number {
    return this.#life.partitions.reduce((total, partition) => total + (partition?.size ?? 0), 0);
  }

  /** The eras of all partitions: the player, and so the partition, is known only later. */
  era(): string {
    return this.#life.partitions.map((partition) => partition?.era ?? '').join(' ');
  }

  async register(
    key: PlayerKey,
    entry: DirectoryEntry,
    expected: Expectations,
  ): Promise<RegistrationFault | Barred | undefined> {
    const number = this.#partitionOf(key);
    const era = expected.era.split(' ')[number] ?? '';
    return await this.#life.partition(number).register(key, entry, { ...expected, era });
  }

  async setBar(target: BarTarget, bar: Bar, { era, node }: Standing): Promise<number | undefined> {
    const eras = era.split(' ');
    // Asynchronous, so that the error about a partition that the node has not joined yet is a rejection as well.
    const set = async (number: number) =>
      await this.#life.partition(number).setBar(target, bar, { era: eras[number] ?? '', node });
    return newestOf(await Promise.all(this.#partitionsOf(target).map(set)));
  }

  async liftBar(target: BarTarget, version: number): Promise<Lifting> {
    const lift = async (number: number) => await this.#life.partition(number).liftBar(target, version);
    const lifted = await Promise.all(this.#partitionsOf(target).map(lift));
    return { hasHeld: lifted.some(({ hasHeld }) => hasHeld), newer: newestOf(lifted.map(({ newer }) => newer)) };
  }

  async findBar(key: PlayerKey, newcomer: Newcomer): Promise<Barred | undefined> {
    return await this.#life.partition(this.#partitionOf(key)).findBar(newcomer);
  }

  async unregister(key: PlayerKey, connectionIds: readonly string[]): Promise<void> {
    // An incarnation that has not joined yet has no entries.
    await this.#life.partitions[this.#partitionOf(key)]?.unregister(key, connectionIds);
  }

  async list(key: PlayerKey, owners: readonly string[] = []): Promise<Listing> {
    return await this.#life.partition(this.#partitionOf(key)).list(key, owners);
  }

  async listStage(stageId: string, page: StagePage): Promise<StageListing> {
    const partitions = this.#allPartitions();
    const lists = await Promise.all(partitions.map(({ stages }) => stages.players(stageId, page)));
    // The first `limit` players of all partitions are among the first `limit` of each.
    const ids = (lists.length === 1 ? lists.flat() : lists.flat().sort()).slice(0, page.limit);
    const isEnd = ids.length < page.limit;
    const entriesIn = async ({ stages }: Partition, number: number) => {
      const own = ids.filter((playerId) => this.#partitionOf({ stageId, playerId }) === number);
      return await stages.entries(stageId, own);
    };
    const entries = new Map((await Promise.all(partitions.map(entriesIn))).flatMap((found) => [...found]));
    return {
      players: ids.flatMap((playerId) => {
        const own = entries.get(playerId) ?? [];
        return own.length === 0 ? [] : [{ playerId, entries: own }];
      }),
      last: isEnd ? undefined : ids.at(-1),
    };
  }

  async countStage(stageId: string): Promise<StageCounts> {
    const counts = await Promise.all(this.#allPartitions().map(({ stages }) => stages.counts(stageId)));
    return {
      players: counts.reduce((total, { players }) => total + players, 0),
      groups: counts.flatMap(({ groups }) => groups),
    };
  }

  request<Kind extends NodeCallKind>(
    node: string,
    kind: Kind,
    request: NodeRequest<Kind>,
    timeoutMs: number,
  ): MaybePromise<NodeReply<Kind>> {
    const life = this.#life;
    if (node !== life.node) {
      const partition = 'player' in request ? this.#partitionOf(request.player) : 0;
      return life.channels(partition).request(node, kind, request, timeoutMs) as Promise<NodeReply<Kind>>;
    }
    return withTimeout(this.#answerIn(life, kind, request), timeoutMs, this.#parts.clock);
  }

  async requestAll<Kind extends NodeCallKind>(kind: Kind, request: NodeRequest<Kind>, timeoutMs: number) {
    const nodes = await this.nodes();
    return await Promise.all(nodes.map(async ({ node }) => await this.request(node, kind, request, timeoutMs)));
  }

  answer<Kind extends NodeCallKind>(kind: Kind, handler: AnswerNodeCall<Kind>): void {
    if (this.#answers[kind] !== undefined) throw new Error(`${kind} requests already have a handler`);
    this.#answers = { ...this.#answers, [kind]: handler };
  }

  async isAlive(node: string): Promise<boolean> {
    if (node === this.node) return true;
    const first = this.#life.partition(0);
    if (first.isDead(node)) return false;
    // While the directory is recovering, a node that acts may be missing, even if it has recovered by the time of the
    // answer.
    const isComplete = first.isAvailable;
    const nodes = await first.nodes();
    return nodes.some(([known]) => known === node) || !isComplete || !first.isAvailable;
  }

  isProvenDead(node: string): boolean {
    return this.#life.partitions.some((partition) => partition?.isDead(node));
  }

  async nodes(): Promise<readonly NodeRecord[]> {
    // A node that acts has joined every era that has recovered. In one that has not, it may still be on its way.
    if (!this.#allPartitions().some(({ isRecovered }) => isRecovered))
      throw new DirectoryUnavailable('the directory is recovering: nodes may be missing in it');
    return await this.joinedNodes();
  }

  async joinedNodes(): Promise<readonly NodeRecord[]> {
    const tables = await Promise.all(this.#allPartitions().map((partition) => partition.nodes()));
    const records = new Map(tables.flat());
    return [...records].map(([node, facts]) => ({ node, facts: JSON.parse(facts) as NodeRecord['facts'] }));
  }

  async closeStage(stageId: string, timeoutMs: number): Promise<void> {
    await withTimeout(this.#announce(stageId, 'closed'), timeoutMs, this.#parts.clock);
    // Nodes that join from now on find in the directory what was announced.
    await this.requestAll('close_stage', { stageId }, timeoutMs);
  }

  async announceRuntime(stageId: string, runtimeId: string, timeoutMs: number): Promise<void> {
    await withTimeout(this.#announce(stageId, runtimeId), timeoutMs, this.#parts.clock);
    await this.requestAll('runtime_deployed', { stageId, runtimeId }, timeoutMs);
  }

  onLeaseEnd(listener: (lease: Lease) => void): void {
    this.#leaseEnd.push(listener);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#life.close({ isLeaving: true });
  }

  #partitionOf(key: PlayerKey): number {
    return partitionOf(key, this.#parts.settings.redisPartitions);
  }

  #partitionsOf({ player }: BarTarget): number[] {
    if (player !== undefined) return [this.#partitionOf(player)];
    return Array.from({ length: this.#parts.settings.redisPartitions }, (_, number) => number);
  }

  #begin(former?: Life): Life {
    const events = {
      ended: (ended: Life) => this.#goOn(ended),
      answer: (kind: NodeCallKind, request: unknown) =>
        this.#answerIn(life, kind, request as NodeRequest<NodeCallKind>),
      eraChanged: () => this.#metrics.eraChanged(),
      measured: (durationMs: number) => this.#metrics.directoryCalled(durationMs),
      linkLost: () => this.#metrics.linkLost(),
    };
    const life: Life = new Life(this.#parts, events, former);
    return life;
  }

  /** Begins another life of the node. The ended one may be swept at once. */
  #goOn(ended: Life): void {
    if (this.#isClosed || ended !== this.#life) return;
    this.#parts.log.warn({ node: ended.node }, "the lease of this node ended: its players' connections are closed");
    this.#metrics.leaseEnded();
    this.#life = this.#begin(ended);
    void ended.close({ isLeaving: false });
    for (const listener of this.#leaseEnd) listener(ended.lease);
  }

  async #answerIn<Kind extends NodeCallKind>(
    life: Life,
    kind: Kind,
    request: NodeRequest<Kind>,
  ): Promise<NodeReply<Kind>> {
    const answer: AnswerNodeCall<Kind> | undefined = this.#answers[kind];
    if (answer === undefined) throw new Error(`this node does not answer ${kind} requests yet`);
    const reply = await answer(request);
    // The handler may have asked the directory in another life.
    if (life.lease.isOver) throw new Error(`incarnation ${life.node} ended before it could answer`);
    return reply;
  }

  async #announce(stageId: string, news: string): Promise<void> {
    await Promise.all(this.#allPartitions().map((partition) => partition.stages.announce(stageId, news)));
  }

  #allPartitions(): Partition[] {
    return Array.from({ length: this.#parts.settings.redisPartitions }, (_, number) => this.#life.partition(number));
  }
}

function newestOf(versions: readonly (number | undefined)[]): number | undefined {
  const known = versions.filter((version) => version !== undefined);
  return known.length === 0 ? undefined : Math.max(...known);
}

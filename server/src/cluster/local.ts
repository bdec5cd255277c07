import { type Clock, withTimeout } from '../clock.ts';
import type { MaybePromise } from '../maybe-promise.ts';
import type { PlayerKey } from '../player-key.ts';
import { type RandomBytes, uuidV7 } from '../random.ts';
import { isNewerRuntime } from '../runtime-id.ts';
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
  type LoadBars,
  type Newcomer,
  type NodeRecord,
  type RegistrationFault,
  type StageCounts,
  type StageListing,
  type StagePage,
  type Standing,
} from './cluster.ts';
import { LocalBars } from './local-bars.ts';
import { LocalStage } from './local-stage.ts';
import type { AnswerNodeCall, NodeCallKind, NodeReply, NodeRequest } from './node-calls.ts';

/**
 * How long an announcement about a stage is remembered: far longer than a handshake can take that looked the stage up
 * before.
 */
const ANNOUNCEMENT_MEMORY_MS = 10 * 60_000;

/** What was announced of a stage: that it is closed, or its newest runtime. */
interface Announcement {
  readonly runtimeId: string | 'closed';
  /** Monotonic time when it may be forgotten. */
  readonly until: number;
}

/** The cluster of a single node. Its directory, in memory, ends with the sockets it lists, so its era never changes. */
export class LocalCluster implements Cluster {
  readonly node: string;
  readonly lease: Lease;
  readonly isAvailable = true;
  readonly #clock: Clock;
  readonly #facts: NodeRecord['facts'];
  /** Only stages that have entries. */
  readonly #stages = new Map<string, LocalStage>();
  /** Stage → its latest announcement; the oldest comes first. */
  readonly #announcements = new Map<string, Announcement>();
  readonly #bars: LocalBars;
  #answers: { [Kind in NodeCallKind]?: AnswerNodeCall<Kind> } = {};

  constructor({ clock, random, facts = {} }: { clock: Clock; random: RandomBytes; facts?: NodeRecord['facts'] }) {
    this.#clock = clock;
    this.#facts = facts;
    this.#bars = new LocalBars({ clock });
    this.node = uuidV7(random, clock.now());
    // No other node takes this one for dead, so the lease never ends.
    this.lease = { node: this.node, mayAct: () => true };
  }

  era(): string {
    return this.node;
  }

  /** Sets every bar that holds. Must be called before the first registration. */
  async loadBars(load: LoadBars): Promise<void> {
    let after: string | undefined;
    do {
      const { bars, next } = await load(after);
      for (const { target, bar } of bars) this.#bars.set(target.name, bar);
      after = next;
    } while (after !== undefined);
  }

  register(key: PlayerKey, entry: DirectoryEntry, expected: Expectations): RegistrationFault | Barred | undefined {
    if (expected.era !== this.era()) return 'era_changed';
    const announced = this.#announcements.get(key.stageId)?.runtimeId;
    if (announced === 'closed') return 'stage_closed';
    if (announced !== undefined && isNewerRuntime(announced, entry.runtimeId)) return 'runtime_changed';
    const barred = this.#bars.find(expected.newcomer);
    if (barred !== undefined) return barred;
    const entries = this.#entriesOf(key);
    if (entries.some(({ connectionId }) => connectionId === entry.connectionId)) return undefined;
    if (entries.length >= expected.maxConnectionsPerPlayer) return 'player_full';
    let stage = this.#stages.get(key.stageId);
    if (stage === undefined) {
      stage = new LocalStage();
      this.#stages.set(key.stageId, stage);
    }
    stage.add(key.playerId, entry);
    return undefined;
  }

  setBar(target: BarTarget, bar: Bar, { era, node }: Standing): number | undefined {
    if (era !== this.era() || node !== this.node) throw new DirectoryUnavailable('the bar was read in another era');
    return this.#bars.set(target.name, bar);
  }

  liftBar({ name }: BarTarget, version: number): Lifting {
    return this.#bars.lift(name, version);
  }

  findBar(_key: PlayerKey, newcomer: Newcomer): Barred | undefined {
    return this.#bars.find(newcomer);
  }

  unregister({ stageId, playerId }: PlayerKey, connectionIds: readonly string[]): void {
    const stage = this.#stages.get(stageId);
    stage?.remove(playerId, connectionIds);
    if (stage?.size === 0) this.#stages.delete(stageId);
  }

  list(key: PlayerKey): Listing {
    return { era: this.era(), entries: this.#entriesOf(key), endedOwners: NO_OWNERS };
  }

  listStage(stageId: string, page: StagePage): StageListing {
    return this.#stages.get(stageId)?.list(page) ?? { players: [], last: undefined };
  }

  countStage(stageId: string): StageCounts {
    return this.#stages.get(stageId)?.counts(this.node) ?? { players: 0, groups: [] };
  }

  request<Kind extends NodeCallKind>(
    node: string,
    kind: Kind,
    request: NodeRequest<Kind>,
    timeoutMs: number,
  ): MaybePromise<NodeReply<Kind>> {
    if (node !== this.node) throw new Error(`there is no node ${node}: this cluster has a single node`);
    const answer: AnswerNodeCall<Kind> | undefined = this.#answers[kind];
    if (answer === undefined) throw new Error(`this node does not answer ${kind} requests yet`);
    return withTimeout(answer(request), timeoutMs, this.#clock);
  }

  async requestAll<Kind extends NodeCallKind>(kind: Kind, request: NodeRequest<Kind>, timeoutMs: number) {
    return [await this.request(this.node, kind, request, timeoutMs)];
  }

  answer<Kind extends NodeCallKind>(kind: Kind, handler: AnswerNodeCall<Kind>): void {
    if (this.#answers[kind] !== undefined) throw new Error(`${kind} requests already have a handler`);
    this.#answers = { ...this.#answers, [kind]: handler };
  }

  /** A store without a cluster is for one server at a time, so every other life has ended. */
  async isAlive(node: string): Promise<boolean> {
    return node === this.node;
  }

  isProvenDead(node: string): boolean {
    return node !== this.node;
  }

  nodes(): readonly NodeRecord[] {
    return this.joinedNodes();
  }

  joinedNodes(): readonly NodeRecord[] {
    return [{ node: this.node, facts: this.#facts }];
  }

  async closeStage(stageId: string, timeoutMs: number): Promise<void> {
    this.#announce(stageId, 'closed');
    await this.request(this.node, 'close_stage', { stageId }, timeoutMs);
  }

  async announceRuntime(stageId: string, runtimeId: string, timeoutMs: number): Promise<void> {
    const announced = this.#announcements.get(stageId)?.runtimeId;
    if (announced === 'closed') return;
    if (announced === undefined || isNewerRuntime(runtimeId, announced)) this.#announce(stageId, runtimeId);
    await this.request(this.node, 'runtime_deployed', { stageId, runtimeId }, timeoutMs);
  }

  #announce(stageId: string, runtimeId: string): void {
    const now = this.#clock.monotonic();
    for (const [known, { until }] of this.#announcements) {
      if (until > now) break;
      this.#announcements.delete(known);
    }
    this.#announcements.delete(stageId);
    this.#announcements.set(stageId, { runtimeId, until: now + ANNOUNCEMENT_MEMORY_MS });
  }

  /** The lease of a single node never ends before its process. */
  onLeaseEnd(): void {}

  async close(): Promise<void> {
    this.#answers = {};
  }

  get size(): number {
    let total = 0;
    for (const { size } of this.#stages.values()) total += size;
    return total;
  }

  #entriesOf({ stageId, playerId }: PlayerKey): readonly DirectoryEntry[] {
    return this.#stages.get(stageId)?.entriesOf(playerId) ?? NONE;
  }
}

const NONE: readonly DirectoryEntry[] = [];
const NO_OWNERS: readonly string[] = [];

import type { Clock } from '../../clock.ts';
import type { Log } from '../../log.ts';
import { type RandomBytes, uuidV7 } from '../../random.ts';
import { DirectoryUnavailable, type LoadBars } from '../cluster.ts';
import type { NodeCallKind } from '../node-calls.ts';
import { Channels } from './channels.ts';
import { PartitionKeys } from './keys.ts';
import { NodeLease } from './lease.ts';
import type { RedisLink } from './link.ts';
import { Partition } from './partition.ts';
import type { PartitionEvents, PartitionSettings } from './partition-parts.ts';

export interface LifeSettings extends PartitionSettings {
  /** How long before others take it for dead a node stops, because clocks run at different rates. */
  readonly leaseMarginMs: number;
}

export interface LifeParts {
  readonly link: RedisLink;
  readonly loadBars: LoadBars;
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly log: Log;
  readonly facts: Readonly<Record<string, unknown>>;
  /** Tells the nodes' database from copies of it, and from its own state before it lost something. */
  readonly databaseLineage?: string | undefined;
  readonly settings: LifeSettings;
}

interface LifeEvents extends Omit<PartitionEvents, 'buried'> {
  ended(life: Life): void;
  answer(kind: NodeCallKind, request: unknown): Promise<unknown>;
}

/**
 * One incarnation: its lease, its side of each partition and its channels. It ends with its lease, for good; a node
 * that goes on begins another. Nothing of an ended one is ever acknowledged.
 */
export class Life {
  readonly lease: NodeLease;
  /** One for each partition, so that requests about its players depend on its server alone. */
  readonly #channels: readonly Channels[];
  readonly #partitions: (Partition | undefined)[];

  constructor(parts: LifeParts, events: LifeEvents, former?: Life) {
    const { clock, random, log, link, settings, facts, databaseLineage } = parts;
    const { redisPartitions, leaseMs, leaseMarginMs, redisPrefix, redisTimeoutMs: timeoutMs } = settings;
    const node = uuidV7(random, clock.now());
    this.lease = new NodeLease({
      ...{ node, clock, partitions: redisPartitions, durationMs: leaseMs - leaseMarginMs },
      ended: () => events.ended(this),
    });
    this.#partitions = new Array<Partition | undefined>(redisPartitions).fill(undefined);
    this.#channels = Array.from(this.#partitions, (_, number) => {
      const channels = new Channels({
        ...{ node, timeoutMs, link, clock, random, log },
        keys: new PartitionKeys(redisPrefix, number),
        publish: async (channel, text) => await this.partition(number).publish(channel, text),
        answer: (kind, request) => events.answer(kind, request),
      });
      // An entry is made only when requests about it can arrive.
      void channels.subscribed.then(() => {
        if (this.lease.isOver) return;
        const database = typeof facts.database === 'string' ? facts.database : undefined;
        const own = { lease: this.lease, facts: JSON.stringify(facts), database, former: former?.node };
        // Only a start of the process can lead to another database. If every life looked at it, nodes on two databases
        // would end each other's eras for ever.
        const comesFrom = former === undefined ? databaseLineage : undefined;
        const partitionEvents = { ...events, buried: () => this.lease.end() };
        this.#partitions[number] = new Partition({ ...parts, ...own, comesFrom, number, events: partitionEvents });
      });
      return channels;
    });
  }

  get node(): string {
    return this.lease.node;
  }

  /** By number; those that the node has not joined yet are undefined. */
  get partitions(): readonly (Partition | undefined)[] {
    return this.#partitions;
  }

  /** While the lease lasts, a partition that is away does not matter to the players of the others. */
  get isAvailable(): boolean {
    return this.lease.mayAct() && this.#partitions.some((partition) => partition?.isAvailable);
  }

  channels(partition: number): Channels {
    const channels = this.#channels[partition];
    if (channels === undefined) throw new Error(`there is no partition ${partition}`);
    return channels;
  }

  partition(number: number): Partition {
    const partition = this.#partitions[number];
    if (partition === undefined) throw new DirectoryUnavailable('the node has not joined the cluster yet');
    return partition;
  }

  /** The life must not be used afterwards. */
  async close({ isLeaving }: { isLeaving: boolean }): Promise<void> {
    const mayLeave = isLeaving && this.lease.mayAct();
    this.lease.close();
    const closing = this.#partitions.map((partition) => partition?.close({ isLeaving: mayLeave }));
    if (mayLeave) await Promise.all(closing);
    for (const channels of this.#channels) channels.close();
  }
}

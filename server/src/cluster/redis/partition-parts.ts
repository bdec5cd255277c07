import type { Clock } from '../../clock.ts';
import type { Log } from '../../log.ts';
import type { RandomBytes } from '../../random.ts';
import type { LoadBars } from '../cluster.ts';
import type { OpenSession } from './kept-session.ts';
import type { EraKeys } from './keys.ts';
import type { NodeLease } from './lease.ts';
import type { RedisLink } from './link.ts';

export interface PartitionSettings {
  readonly redisPrefix: string;
  readonly redisPartitions: number;
  /** After this time without a renewal a node is taken for dead. */
  readonly leaseMs: number;
  readonly renewMs: number;
  /** How long a new era must have been seen before what it lists is believed to be complete. */
  readonly recoveryMs: number;
  /** After this time without a reply a connection is given up. */
  readonly redisTimeoutMs: number;
}

/** What a partition tells of itself. */
export interface PartitionEvents {
  /** Other nodes have taken the incarnation for dead. */
  buried(): void;
  eraChanged(): void;
  /** A command to the directory had its reply. */
  measured(durationMs: number): void;
  linkLost(): void;
}

export interface PartitionParts {
  readonly number: number;
  readonly lease: NodeLease;
  readonly facts: string;
  /** Names the database whose bars this node has; undefined where there is but one. */
  readonly database: string | undefined;
  /** The former incarnation of this node, which has stopped. */
  readonly former: string | undefined;
  /**
   * The lineage of the database on which the process has started, in its first life: the directory may belong to
   * another one.
   */
  readonly comesFrom: string | undefined;
  readonly link: RedisLink;
  readonly loadBars: LoadBars;
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly log: Log;
  readonly settings: PartitionSettings;
  readonly events: PartitionEvents;
}

/** A connection on which the node has joined an era. */
export interface Joined {
  readonly session: OpenSession;
  readonly era: string;
  readonly keys: EraKeys;
  /** The number of the connection, by which the directory refuses what still comes on an earlier one. */
  readonly link: string;
}

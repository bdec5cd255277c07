import type { PlayerKey } from '../../player-key.ts';

/** The names of one partition's keys and channels. They share a hash tag, so that one server has all of them. */
export class PartitionKeys {
  readonly era: string;
  readonly former: string;
  readonly database: string;
  readonly #base: string;
  readonly #database: string;

  /** `database` names the one whose bars the nodes have. */
  constructor(prefix: string, partition: number, database = '') {
    this.#base = `${prefix}:{d${partition}}`;
    this.#database = database;
    this.era = `${this.#base}:era`;
    this.former = `${this.#base}:former`;
    this.database = `${this.#base}:database`;
  }

  /** The channel on which the node hears of the partition's players. */
  channel(node: string): string {
    return `${this.#base}:node:${node}`;
  }

  of(era: string): EraKeys {
    return new EraKeys(`${this.#base}:${era}`, this.#database);
  }
}

/** The names of the keys that belong to one era. */
export class EraKeys {
  readonly #base: string;
  readonly links: string;
  readonly nodes: string;
  readonly facts: string;
  readonly dead: string;
  readonly stages: string;
  readonly announced: string;
  readonly recovered: string;
  readonly touch: string;
  readonly bars: string;
  readonly barEnds: string;
  /** A node on another database, which must not be there, knows nothing of these bars and may begin an era all the same. */
  readonly barred: string;
  readonly listers: string;

  constructor(base: string, database: string) {
    this.#base = base;
    this.links = `${base}:links`;
    this.nodes = `${base}:nodes`;
    this.facts = `${base}:facts`;
    this.dead = `${base}:dead`;
    this.stages = `${base}:stages`;
    this.announced = `${base}:announced`;
    this.recovered = `${base}:recovered`;
    this.touch = `${base}:touch`;
    this.bars = `${base}:bars`;
    this.barEnds = `${base}:barends`;
    this.barred = database === '' ? `${base}:barred` : `${base}:barred:${database}`;
    this.listers = `${base}:listers`;
  }

  /** The keys of which the era has only one each. */
  get single(): readonly string[] {
    return [
      ...[this.links, this.nodes, this.facts, this.dead, this.stages, this.recovered, this.touch],
      ...[this.bars, this.barEnds, this.barred, this.listers, this.announced],
      // What nodes of an earlier version have made.
      `${this.#base}:barred`,
    ];
  }

  player(name: string): string {
    return `${this.#base}:c:${name}`;
  }

  index(node: string): string {
    return `${this.#base}:i:${node}`;
  }

  stage(stageId: string): string {
    return `${this.#base}:s:${stageId}`;
  }

  counts(stageId: string): string {
    return `${this.#base}:n:${stageId}`;
  }

  /** What changes with a player's entries: the player, and the stage's list and counts. */
  entriesOf(name: string): [player: string, stage: string, counts: string] {
    const stageId = name.slice(0, name.indexOf(':'));
    return [this.player(name), this.stage(stageId), this.counts(stageId)];
  }
}

/** A player's name within keys and scripts. Stage ids have no colon. */
export function playerName({ stageId, playerId }: PlayerKey): string {
  return `${stageId}:${playerId}`;
}

/** The partition that lists the player's connections: all nodes must agree on it. FNV-1a, 32 bits. */
export function partitionOf({ stageId, playerId }: PlayerKey, partitions: number): number {
  if (partitions === 1) return 0;
  let hash = 0x811c9dc5;
  for (const byte of Buffer.from(`${stageId}:${playerId}`)) hash = Math.imul(hash ^ byte, 0x01000193) >>> 0;
  return hash % partitions;
}

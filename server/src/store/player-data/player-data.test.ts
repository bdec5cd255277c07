import assert from 'node:assert/strict';
import { describe, type TestContext, test } from 'node:test';
import { ServiceError } from '../../errors.ts';
import type { PlayerKey } from '../../player-key.ts';
import { failuresOf } from '../suite.ts';
import { testPlayerData } from './player-data.contract.ts';
import { BYTES_BESIDE_ENTRY, type PlayerData, type PlayerDataLimits, type PlayerValues } from './player-data.ts';
import type { PlayerDataStores } from './player-data-stores.ts';

interface Player {
  readonly key: PlayerKey;
  readonly version: number;
  readonly values: ReadonlyMap<string, string>;
}

type Changes = ReadonlyMap<string, string | undefined>;

/** What all processes share. */
interface Disk {
  lastVersion: number;
  readonly players: Map<string, Player>;
  /** Id of a stage → what it is charged. */
  readonly charges: Map<string, number>;
}

const CANNOT_BE_KEPT = /\0|\p{Surrogate}/u;

/**
 * The smallest code that keeps every promise, in memory. Each step is a method, so that a variant can get one wrong.
 */
class Model implements PlayerData {
  readonly disk: Disk;
  protected readonly limits: PlayerDataLimits;
  protected isClosed = false;

  constructor(limits: PlayerDataLimits, disk: Disk = { lastVersion: 0, players: new Map(), charges: new Map() }) {
    this.limits = limits;
    this.disk = disk;
  }

  async get(key: PlayerKey, keys?: readonly string[]): Promise<PlayerValues> {
    const { version, values } = this.find(key);
    if (keys === undefined) return { version, values };
    return { version, values: new Map([...values].filter(([name]) => keys.includes(name))) };
  }

  async set(key: PlayerKey, changes: Changes, expectedVersion?: number): Promise<number> {
    this.assertCanBeKept(changes);
    const { version, values: before } = this.find(key);
    if (expectedVersion !== undefined && expectedVersion !== version) throw new ServiceError('conflict', 'changed');
    const values = this.merge(before, changes);
    if ([...changes.values()].some((value) => value !== undefined)) {
      this.assertWithinLimits(values);
      this.assertStageMayGrow(key.stageId, this.chargeFor(values) - this.chargeFor(before));
    }
    return this.write(key, values);
  }

  async remove(key: PlayerKey): Promise<void> {
    this.write(key, new Map());
  }

  async removeStage(stageId: string): Promise<void> {
    this.find({ stageId, playerId: '' });
    for (const { key } of this.disk.players.values()) if (this.isOfStage(key, stageId)) this.write(key, new Map());
  }

  async close(): Promise<void> {
    this.isClosed = true;
  }

  protected find(key: PlayerKey): Player {
    if (this.isClosed) throw new ServiceError('internal', 'closed');
    return this.disk.players.get(this.nameOf(key)) ?? { key, version: 0, values: new Map() };
  }

  protected write(key: PlayerKey, values: ReadonlyMap<string, string>): number {
    this.count(key.stageId, this.chargeFor(values) - this.chargeFor(this.find(key).values));
    if (values.size === 0) {
      this.disk.players.delete(this.nameOf(key));
      return 0;
    }
    const version = this.nextVersion(key);
    this.disk.players.set(this.nameOf(key), { key, version, values });
    return version;
  }

  protected count(stageId: string, growth: number): void {
    this.disk.charges.set(stageId, (this.disk.charges.get(stageId) ?? 0) + growth);
  }

  protected chargeFor(values: ReadonlyMap<string, string>): number {
    return this.bytesOf(values) + values.size * BYTES_BESIDE_ENTRY;
  }

  protected bytesOf(values: ReadonlyMap<string, string>): number {
    return [...values].reduce((sum, [name, value]) => sum + this.sizeOf(name) + this.sizeOf(value), 0);
  }

  protected nameOf({ stageId, playerId }: PlayerKey): string {
    return JSON.stringify([stageId, playerId]);
  }

  protected nextVersion(_key: PlayerKey): number {
    this.disk.lastVersion += 1;
    return this.disk.lastVersion;
  }

  protected merge(before: ReadonlyMap<string, string>, changes: Changes): ReadonlyMap<string, string> {
    const values = new Map(before);
    for (const [name, value] of changes) {
      if (value === undefined) values.delete(name);
      else values.set(name, value);
    }
    return values;
  }

  protected isOfStage(key: PlayerKey, stageId: string): boolean {
    return key.stageId === stageId;
  }

  protected sizeOf(text: string): number {
    return Buffer.byteLength(text);
  }

  protected assertCanBeKept(changes: Changes): void {
    for (const [name, value = ''] of changes) {
      if (CANNOT_BE_KEPT.test(name) || CANNOT_BE_KEPT.test(value)) throw new ServiceError('validation', 'bad text');
    }
  }

  protected assertWithinLimits(values: ReadonlyMap<string, string>): void {
    const bytes = this.bytesOf(values);
    const { maxKeysPerPlayer, maxBytesPerPlayer } = this.limits;
    if (values.size > maxKeysPerPlayer || bytes > maxBytesPerPlayer) throw new ServiceError('quota_exceeded', 'full');
  }

  protected assertStageMayGrow(stageId: string, growth: number): void {
    if (growth <= 0) return;
    const total = (this.disk.charges.get(stageId) ?? 0) + growth;
    if (total > this.limits.maxBytesPerStage) throw new ServiceError('quota_exceeded', 'full');
  }
}

type ModelClass = new (limits: PlayerDataLimits, disk?: Disk) => Model;

function storesOf(Variant: ModelClass): PlayerDataStores {
  return {
    open: async (_t: TestContext, limits: PlayerDataLimits) => new Variant(limits),
    openBeside: async (_t, first, limits) => new Variant(limits, (first as Model).disk),
  };
}

describe('a model of player data', () => testPlayerData(storesOf(Model)));

/** The mistakes that the suite must notice, and the promise that each must break. */
const BROKEN: Readonly<Record<string, { Variant: ModelClass; promise: RegExp }>> = {
  'a write puts its keys in place of all others': {
    promise: /leaves all others/,
    Variant: class extends Model {
      protected override merge(_before: ReadonlyMap<string, string>, changes: Changes) {
        return super.merge(new Map(), changes);
      }
    },
  },
  'keys are members of an object': {
    promise: /whatever the keys/,
    Variant: class extends Model {
      override async get(key: PlayerKey, keys?: readonly string[]) {
        const { version, values } = await super.get(key, keys);
        const object: Record<string, string> = {};
        for (const [name, value] of values) object[name] = value;
        return { version, values: new Map(Object.entries(object)) };
      }
    },
  },
  'stage and player are one text': {
    promise: /one player in one stage/,
    Variant: class extends Model {
      protected override nameOf({ stageId, playerId }: PlayerKey) {
        return `${stageId}/${playerId}`;
      }
    },
  },
  'text that cannot be kept is kept as something else': {
    promise: /cannot be kept is refused/,
    Variant: class extends Model {
      protected override assertCanBeKept() {}
    },
  },
  'versions are counted for each player and begin anew': {
    promise: /does not come back/,
    Variant: class extends Model {
      protected override nextVersion(key: PlayerKey) {
        return this.find(key).version + 1;
      }
    },
  },
  'a write that changes no value keeps the version': {
    promise: /each write makes another version/,
    Variant: class extends Model {
      override async set(key: PlayerKey, changes: Changes, expectedVersion?: number) {
        const { version, values } = await super.get(key, [...changes.keys()]);
        const isSame = version > 0 && [...changes].every(([name, value]) => values.get(name) === value);
        return isSame ? version : await super.set(key, changes, expectedVersion);
      }
    },
  },
  'a player without keys still has a version': {
    promise: /last key was removed/,
    Variant: class extends Model {
      protected override write(key: PlayerKey, values: ReadonlyMap<string, string>) {
        const version = this.nextVersion(key);
        this.disk.players.set(this.nameOf(key), { key, version, values });
        return version;
      }
    },
  },
  'an expected version of 0 counts as none': {
    promise: /at that version only/,
    Variant: class extends Model {
      override set(key: PlayerKey, changes: Changes, expectedVersion?: number) {
        return super.set(key, changes, expectedVersion || undefined);
      }
    },
  },
  'the version is compared some time before the write': {
    promise: /expect one version, one is made/,
    Variant: class extends Model {
      override async set(key: PlayerKey, changes: Changes, expectedVersion?: number) {
        const { version } = await this.get(key);
        if (expectedVersion !== undefined && expectedVersion !== version) throw new ServiceError('conflict', 'changed');
        await undefined;
        return await super.set(key, changes);
      }
    },
  },
  'a write without an expectation loses what was written since it read': {
    promise: /expect nothing, each is made/,
    Variant: class extends Model {
      override async set(key: PlayerKey, changes: Changes, expectedVersion?: number) {
        const { values } = await this.get(key);
        return await super.set(key, new Map([...values, ...changes]), expectedVersion);
      }
    },
  },
  'keys are written one by one': {
    promise: /part of a write/,
    Variant: class extends Model {
      override async set(key: PlayerKey, changes: Changes, expectedVersion?: number) {
        let version = expectedVersion;
        for (const change of changes) version = await super.set(key, new Map([change]), version);
        return version ?? 0;
      }
    },
  },
  'characters are counted as bytes': {
    promise: /bytes of UTF-8/,
    Variant: class extends Model {
      protected override sizeOf(text: string) {
        return text.length;
      }
    },
  },
  'keys are not counted': {
    promise: /no more keys than the limit/,
    Variant: class extends Model {
      protected override assertWithinLimits(values: ReadonlyMap<string, string>) {
        if (values.size <= this.limits.maxKeysPerPlayer) super.assertWithinLimits(values);
      }
    },
  },
  'a full player can remove nothing': {
    promise: /can still remove/,
    Variant: class extends Model {
      protected override write(key: PlayerKey, values: ReadonlyMap<string, string>) {
        this.assertWithinLimits(values);
        return super.write(key, values);
      }
    },
  },
  'nothing bounds the players of a stage together': {
    promise: /no more than its quota/,
    Variant: class extends Model {
      protected override assertStageMayGrow() {}
    },
  },
  'a stage has as many tiny values as it likes': {
    promise: /each key of a player/,
    Variant: class extends Model {
      protected override chargeFor(values: ReadonlyMap<string, string>) {
        return this.bytesOf(values);
      }
    },
  },
  'a stage does not get back what was removed': {
    promise: /removed of a player's data makes room/,
    Variant: class extends Model {
      protected override count(stageId: string, growth: number) {
        super.count(stageId, Math.max(growth, 0));
      }
    },
  },
  'the removal of a stage gives nothing back': {
    promise: /removal of a stage makes room/,
    Variant: class extends Model {
      override async removeStage(stageId: string) {
        const before = this.disk.charges.get(stageId) ?? 0;
        await super.removeStage(stageId);
        this.disk.charges.set(stageId, before);
      }
    },
  },
  'a refused write counts': {
    promise: /counts for nothing/,
    Variant: class extends Model {
      protected override assertStageMayGrow(stageId: string, growth: number) {
        this.count(stageId, growth);
        super.assertStageMayGrow(stageId, growth);
        this.count(stageId, -growth);
      }
    },
  },
  'a stage beyond its quota can write nothing': {
    promise: /still shrinks/,
    Variant: class extends Model {
      protected override assertStageMayGrow(stageId: string, growth: number) {
        super.assertStageMayGrow(stageId, Math.max(growth, 1));
      }
    },
  },
  'all stages share one quota': {
    promise: /quota of its own/,
    Variant: class extends Model {
      protected override count(_stageId: string, growth: number) {
        for (const stageId of ['dev', 'live']) super.count(stageId, growth);
      }
    },
  },
  'a process counts for itself': {
    promise: /counted together/,
    Variant: class extends Model {
      constructor(limits: PlayerDataLimits, disk?: Disk) {
        super(limits, disk && { ...disk, charges: new Map() });
      }
    },
  },
  'a process reads the counts when it begins, and not again': {
    promise: /when its data is opened again/,
    Variant: class extends Model {
      constructor(limits: PlayerDataLimits, disk?: Disk) {
        super(limits, disk && { ...disk, charges: new Map(disk.charges) });
      }
    },
  },
  'a stage takes others with it whose ids begin with its own': {
    promise: /no other stage's/,
    Variant: class extends Model {
      protected override isOfStage(key: PlayerKey, stageId: string) {
        return key.stageId.startsWith(stageId);
      }
    },
  },
  'the removal of a stage ends after one step': {
    promise: /however many players/,
    Variant: class extends Model {
      protected override isOfStage(key: PlayerKey, stageId: string) {
        return super.isOfStage(key, stageId) && key.playerId.length < 4;
      }
    },
  },
  'a process remembers what it has read': {
    promise: /another process sees/,
    Variant: class extends Model {
      readonly #remembered = new Map<string, Player>();
      protected override find(key: PlayerKey) {
        const found = this.#remembered.get(this.nameOf(key)) ?? super.find(key);
        this.#remembered.set(this.nameOf(key), found);
        return found;
      }
      protected override write(key: PlayerKey, values: ReadonlyMap<string, string>) {
        this.#remembered.delete(this.nameOf(key));
        return super.write(key, values);
      }
    },
  },
  'closed player data still writes': {
    promise: /nothing after/,
    Variant: class extends Model {
      override async close() {}
    },
  },
};

for (const [name, { Variant, promise }] of Object.entries(BROKEN)) {
  test(`the suite of player data notices it when ${name}`, async (t) => {
    const failures = await failuresOf((register) => testPlayerData(storesOf(Variant), register), t);
    assert.ok(
      failures.some((title) => promise.test(title)),
      `found broken: ${failures.join('; ') || 'nothing'}`,
    );
  });
}

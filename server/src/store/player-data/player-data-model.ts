import { ServiceError } from '../../errors.ts';
import type { PlayerKey } from '../../player-key.ts';
import {
  BYTES_BESIDE_ENTRY,
  type PlayerData,
  type PlayerDataLimits,
  type PlayerDataPage,
  type PlayerDataSize,
  type PlayerValues,
} from './player-data.ts';
import type { PlayerDataStores } from './player-data-stores.ts';

export interface Player {
  readonly key: PlayerKey;
  readonly version: number;
  readonly values: ReadonlyMap<string, string>;
}

export type Changes = ReadonlyMap<string, string | undefined>;

/** What all processes share. */
export interface Disk {
  lastVersion: number;
  readonly players: Map<string, Player>;
  /** Id of a stage → what it is charged. */
  readonly charges: Map<string, number>;
}

const CANNOT_BE_KEPT = /\0|\p{Surrogate}/u;

/**
 * The smallest code that keeps every promise, in memory. Each step is a method, so that a variant can get one wrong.
 */
export class Model implements PlayerData {
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

  async page(
    key: PlayerKey,
    { start = { from: '', skip: 0 }, maxBytes }: Parameters<PlayerData['page']>[1],
  ): Promise<PlayerDataPage> {
    const { version, values } = this.find(key);
    const page = new Map<string, string>();
    const left = [...values].slice(start.skip);
    for (const [name, value] of left) {
      if (page.size > 0 && this.chargeFor(new Map([...page, [name, value]])) > maxBytes) break;
      page.set(name, value);
    }
    const next = left.length > page.size ? { from: '', skip: start.skip + page.size } : undefined;
    const bytes = [...page].map(([name, value]) => [name, Buffer.from(value)] as const);
    return { version, ...this.countAll(values), values: new Map(bytes), next };
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

  async remove(key: PlayerKey): Promise<PlayerDataSize> {
    const removed = this.countAll(this.find(key).values);
    this.write(key, new Map());
    return removed;
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

  protected countAll(values: ReadonlyMap<string, string>): PlayerDataSize {
    return { keys: values.size, bytes: this.bytesOf(values) };
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

export type ModelClass = new (limits: PlayerDataLimits, disk?: Disk) => Model;

export function storesOf(Variant: ModelClass): PlayerDataStores {
  return {
    open: async (_t, limits) => new Variant(limits),
    openBeside: async (_t, first, limits) => new Variant(limits, (first as Model).disk),
  };
}

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { failuresOf } from '../suite.ts';
import type { PlayerDataLimits } from './player-data.ts';
import { type Disk, Model, type ModelClass, storesOf } from './player-data-model.ts';
import { testQuota } from './quota.contract.ts';

/** The mistakes that the suite must notice, and the promise that each must break. */
const BROKEN: Readonly<Record<string, { Variant: ModelClass; promise: RegExp }>> = {
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
};

for (const [name, { Variant, promise }] of Object.entries(BROKEN)) {
  test(`the suite of the quota of player data notices it when ${name}`, async (t) => {
    const failures = await failuresOf((register) => testQuota(storesOf(Variant), register), t);
    assert.ok(
      failures.some((title) => promise.test(title)),
      `found broken: ${failures.join('; ') || 'nothing'}`,
    );
  });
}

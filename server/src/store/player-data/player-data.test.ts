import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ServiceError } from '../../errors.ts';
import type { PlayerKey } from '../../player-key.ts';
import { failuresOf } from '../suite.ts';
import { testPlayerData } from './player-data.contract.ts';
import { type Changes, Model, type ModelClass, type Player, storesOf } from './player-data-model.ts';

describe('a model of player data', () => testPlayerData(storesOf(Model)));

type Part = Parameters<Model['page']>[1];

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
  'a page ends behind the value that it has no room for': {
    promise: /as many as there is room for/,
    Variant: class extends Model {
      override async page(key: PlayerKey, { start, maxBytes }: Part) {
        return await super.page(key, { start, maxBytes: maxBytes + 1_000 });
      }
    },
  },
  'a page says how much it has itself': {
    promise: /say how much there is/,
    Variant: class extends Model {
      override async page(key: PlayerKey, part: Part) {
        const page = await super.page(key, part);
        return { ...page, keys: page.values.size };
      }
    },
  },
  'a page begins with the last value of the one before': {
    promise: /every value once/,
    Variant: class extends Model {
      override async page(key: PlayerKey, part: Part) {
        const page = await super.page(key, part);
        if (page.next === undefined || page.values.size === 1) return page;
        return { ...page, next: { ...page.next, skip: page.next.skip - 1 } };
      }
    },
  },
  'a page is read in steps': {
    promise: /no part of another/,
    Variant: class extends Model {
      override async page(key: PlayerKey, part: Part) {
        const { version } = this.find(key);
        await new Promise((resolve) => setImmediate(resolve));
        return { ...(await super.page(key, part)), version };
      }
    },
  },
  'a removal counts what it finds some time before': {
    promise: /is of one removal/,
    Variant: class extends Model {
      override async remove(key: PlayerKey) {
        const removed = this.countAll(this.find(key).values);
        await undefined;
        await super.remove(key);
        return removed;
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

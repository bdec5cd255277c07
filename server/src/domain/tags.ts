import type { Clock } from '../clock.ts';
import { ServiceError } from '../errors.ts';
import type { GameRecord, StageRecord, Store, Tags } from '../store/store.ts';
import { printable } from '../text.ts';
import type { Arns } from './arn.ts';

const MAX_TAGS = 50;

/** Tags of games and stages, by ARN; those being deleted are not there. */
export interface ResourceTags {
  /** Undefined also for an ARN that names nothing here. */
  find(arn: string): Promise<Tags | undefined>;
  /** Throws `validation` for the ARN of anything but a game or a stage of this server, and `not_found`, as do the following. */
  get(arn: string): Promise<Tags>;
  /** Keys that are there get the new value. Throws `validation` when the resource would have more than 50. */
  add(arn: string, tags: Tags): Promise<void>;
  /** Keys that are not there are none the less gone. */
  remove(arn: string, keys: readonly string[]): Promise<void>;
}

export function createResourceTags({
  store,
  arns,
  clock,
}: {
  store: Store;
  arns: Pick<Arns, 'game' | 'parse'>;
  clock: Clock;
}): ResourceTags {
  type Found =
    | { readonly kind: 'games'; readonly record: GameRecord }
    | { readonly kind: 'stages'; readonly record: StageRecord };

  async function findResource(store: Store, arn: string): Promise<Found | undefined> {
    const name = arns.parse(arn);
    if (name === undefined) return undefined;
    const { gameName, stageName } = name;
    const found =
      stageName === undefined
        ? { kind: 'games' as const, record: await store.games.find(gameName) }
        : { kind: 'stages' as const, record: await store.stages.find(gameName, stageName) };
    return found.record?.state === 'ACTIVE' ? (found as Found) : undefined;
  }

  async function getResource(store: Store, arn: string): Promise<Found> {
    const found = await findResource(store, arn);
    if (found !== undefined) return found;
    const shown = `"${printable(arn)}"`;
    if (arns.parse(arn) !== undefined) {
      throw new ServiceError('not_found', `there is no ${shown}: GetGame and GetStage show the Arn of what there is`);
    }
    throw new ServiceError(
      'validation',
      `${shown} must be the ARN of a game or a stage of this server: ${arns.game('NAME')}, or the same with /stage/NAME`,
    );
  }

  function change(arn: string, changed: (tags: Tags) => Tags): Promise<void> {
    return store.transaction(async (store) => {
      const { kind, record } = await getResource(store, arn);
      await store[kind].update(record.id, { tags: changed(record.tags), updatedAt: clock.now() });
    });
  }

  return {
    find: async (arn) => (await findResource(store, arn))?.record.tags,
    get: async (arn) => (await getResource(store, arn)).record.tags,
    add: (arn, tags) =>
      change(arn, (existing) => {
        const merged = { ...existing, ...tags };
        const count = Object.keys(merged).length;
        if (count <= MAX_TAGS) return merged;
        throw new ServiceError(
          'validation',
          `"${arn}" would have ${count} tags, and may have ${MAX_TAGS}: remove some with UntagResource first`,
        );
      }),
    remove: (arn, keys) =>
      change(arn, (existing) => Object.fromEntries(Object.entries(existing).filter(([key]) => !keys.includes(key)))),
  };
}

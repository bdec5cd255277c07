import { hash } from 'node:crypto';
import type { Clock } from '../clock.ts';
import { ServiceError } from '../errors.ts';
import type { GameRecord, StageRecord, Store, Tags } from '../store/store.ts';
import { printable } from '../text.ts';
import type { Arns } from './arn.ts';
import type { Audit, Change } from './audit/audit.ts';

export type { Tags } from '../store/store.ts';

const MAX_TAGS = 50;

/** Tags of games and stages, by ARN. A game or stage that is being deleted counts as missing. */
export interface ResourceTags {
  /** Undefined when the ARN names no game or stage of this server. */
  find(arn: string): Promise<Tags | undefined>;
  /**
   * Throws `validation` for the ARN of anything but a game or a stage of this server, and `not_found`, as do the
   * methods below.
   */
  get(arn: string): Promise<Tags>;
  /** Existing keys get the new value. Throws `validation` when the resource would have more than 50 tags. */
  add(arn: string, tags: Tags, change: Change): Promise<void>;
  /** Removing a key that does not exist is not an error. */
  remove(arn: string, keys: readonly string[], change: Change): Promise<void>;
}

export function createResourceTags({
  store,
  audit,
  arns,
  clock,
}: {
  store: Store;
  audit: Audit;
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

  function assertOfThisServer(arn: string): void {
    if (arns.parse(arn) !== undefined) return;
    throw new ServiceError(
      'validation',
      `"${printable(arn)}" must be the ARN of a game or a stage of this server: ${arns.game('NAME')}, or the same with /stage/NAME`,
    );
  }

  async function getResource(store: Store, arn: string): Promise<Found> {
    assertOfThisServer(arn);
    const found = await findResource(store, arn);
    if (found !== undefined) return found;
    throw new ServiceError('not_found', `there is no "${arn}": GetGame and GetStage show the Arn of a game or stage`);
  }

  /** What is not the name of anything here does not get into a record either. */
  async function update(
    arn: string,
    { details, ...change }: Change,
    about: NonNullable<Change['details']>,
    changed: (tags: Tags) => Tags,
  ): Promise<void> {
    assertOfThisServer(arn);
    await audit.around({ ...change, details: { ...details, ...about } }, () =>
      store.transaction(async (store) => {
        const { kind, record } = await getResource(store, arn);
        await store[kind].update(record.id, { tags: changed(record.tags), updatedAt: clock.now() });
      }),
    );
  }

  return {
    find: async (arn) => (await findResource(store, arn))?.record.tags,
    get: async (arn) => (await getResource(store, arn)).record.tags,
    add: (arn, tags, change) =>
      update(arn, change, { ...onRecordOf(Object.keys(tags)), tagsDigest: digestOf(tags) }, (existing) => {
        const merged = { ...existing, ...tags };
        const count = Object.keys(merged).length;
        if (count <= MAX_TAGS) return merged;
        throw new ServiceError(
          'validation',
          `"${arn}" would have ${count} tags, but may have only ${MAX_TAGS}: remove some with UntagResource first`,
        );
      }),
    remove: (arn, keys, change) =>
      update(arn, change, onRecordOf(keys), (existing) =>
        Object.fromEntries(Object.entries(existing).filter(([key]) => !keys.includes(key))),
      ),
  };
}

/** What the tags take in a list, about. */
export function bytesOfTags(tags: Tags): number {
  return Object.entries(tags).reduce((sum, [key, value]) => sum + Buffer.byteLength(key) + Buffer.byteLength(value), 0);
}

/** Policies may depend on tags, so a record says which were changed. Their values are words of the operators’ own. */
function onRecordOf(keys: readonly string[]): { readonly tagKeys: string } {
  return { tagKeys: [...keys].sort().join(' ') };
}

/** Two records whose digests are alike set the same tags, to the last character of their values. */
function digestOf(tags: Tags): string {
  return hash('sha256', JSON.stringify(Object.entries(tags).sort()), 'hex');
}

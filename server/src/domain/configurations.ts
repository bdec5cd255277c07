import { createHash, hash } from 'node:crypto';
import type { Clock } from '../clock.ts';
import { ServiceError } from '../errors.ts';
import type { ConfigurationRecord, Store } from '../store/store.ts';
import type { Audit, Change } from './audit/audit.ts';
import {
  exportedBytesOf,
  type MadeSections,
  type ModificationText,
  NO_SECTIONS,
  type SectionJobs,
  type StoredSections,
  sectionJobs,
} from './configuration/stored-sections.ts';
import { type Game, getActiveGame, getGame } from './games.ts';
import { LONG, type LongWork } from './long-work.ts';

export interface Configuration {
  /** When the game was created. */
  readonly createdAt: number;
  readonly updatedAt: number;
  /** The sections as JSON for clients: see `SectionJobs`. */
  readonly sections: Uint8Array;
}

/**
 * The rules of games' configurations. Every method throws `not_found` when the game does not exist, and `throttled` when
 * too many long configurations are in work.
 */
export interface Configurations {
  /** Resolves with the named sections only, if any are named; names without a section are ignored. */
  get(gameName: string, sections?: readonly string[]): Promise<Configuration>;
  /**
   * Makes all of the modifications, in order, or none. Throws `validation`, naming the one that cannot be made by its
   * place in the list, counted from 1, and `quota_exceeded` when the whole would be larger than
   * `maxConfigurationBytes`.
   */
  update(gameName: string, modifications: readonly ModificationText[], change: Change): Promise<Configuration>;
  /** Replaces the whole configuration by an exported document. Throws `validation` and `quota_exceeded`. */
  import(gameName: string, file: Uint8Array, change: Change): Promise<Configuration>;
}

export interface ConfigurationsParts {
  readonly store: Store;
  readonly audit: Audit;
  readonly longWork: LongWork<SectionJobs>;
  readonly clock: Clock;
  readonly settings: { readonly maxConfigurationBytes: number };
}

/** Only another process, or short updates of a short configuration, can come before a long update. */
const MAX_ATTEMPTS = 10;
const RETRY_AFTER_MS = 1_000;

export function createConfigurations(parts: ConfigurationsParts): Configurations {
  const { store, audit, longWork, clock, settings } = parts;

  async function set(store: Store, game: Game, { stored, described }: MadeSections): Promise<Configuration> {
    const bytes = exportedBytesOf(stored);
    if (bytes > settings.maxConfigurationBytes) {
      throw new ServiceError(
        'quota_exceeded',
        `the configuration would have ${bytes} bytes when exported, and this server allows ${settings.maxConfigurationBytes}: make it smaller, or raise RESPARK_MAX_CONFIGURATION_BYTES`,
      );
    }
    const updatedAt = clock.now();
    await store.configurations.set({ gameId: game.id, sections: stored, updatedAt });
    return { createdAt: game.createdAt, updatedAt, sections: described };
  }

  async function lengthOf(store: Store, game: Game, modifications: readonly ModificationText[]): Promise<number> {
    const bytes = (await store.configurations.bytes(game.id)) ?? 0;
    return modifications.reduce((length, { value = '' }) => length + value.length, bytes);
  }

  /** Undefined, with nothing changed, when the work is long: no other write may wait for that. */
  function updateShort(gameName: string, modifications: readonly ModificationText[]) {
    return store.transaction(async (store) => {
      const game = await getActiveGame(store, gameName);
      if ((await lengthOf(store, game, modifications)) > LONG) return undefined;
      const { sections } = await findOrEmpty(store, game);
      return await set(store, game, sectionJobs.modify({ sections, modifications }));
    });
  }

  /** The modifications are made outside of a transaction, and count only for the sections that they were made for. */
  function updateLong(gameName: string, modifications: readonly ModificationText[]): Promise<Configuration> {
    return longWork.run({ owner: ownerOf(gameName), length: Number.POSITIVE_INFINITY }, async (jobs) => {
      for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt += 1) {
        const { sections } = await findOrEmpty(store, await getActiveGame(store, gameName));
        const made = await jobs.modify({ sections, modifications });
        const configuration = await store.transaction(async (store) => {
          const game = await getActiveGame(store, gameName);
          if ((await findOrEmpty(store, game)).sections !== sections) return undefined;
          return await set(store, game, made);
        });
        if (configuration !== undefined) return configuration;
      }
      throw new ServiceError('throttled', 'the configuration is changed too often at the moment: try again', {
        retryAfterMs: RETRY_AFTER_MS,
      });
    });
  }

  return {
    async get(gameName, names) {
      const game = await getGame(store, gameName);
      const bytes = (await store.configurations.bytes(game.id)) ?? 0;
      const read = () => findOrEmpty(store, game);
      const { updatedAt, sections } = await readDescribed(longWork, { gameName, bytes, names }, read);
      return { createdAt: game.createdAt, updatedAt, sections };
    },

    update: (gameName, modifications, change) =>
      audit.around(withDetails(change, onRecordOf(modifications)), async () => {
        const isLong = (await lengthOf(store, await getActiveGame(store, gameName), modifications)) > LONG;
        const configuration = isLong ? undefined : await updateShort(gameName, modifications);
        return configuration ?? (await updateLong(gameName, modifications));
      }),

    import: (gameName, file, change) =>
      audit.around(withDetails(change, { fileDigest: hash('sha256', file, 'hex') }), () =>
        longWork.run({ owner: ownerOf(gameName), length: file.length }, async (jobs) => {
          const made = await jobs.import(file);
          return await store.transaction(async (store) => set(store, await getActiveGame(store, gameName), made));
        }),
      ),
  };
}

function withDetails(change: Change, details: NonNullable<Change['details']>): Change {
  return { ...change, details: { ...change.details, ...details } };
}

/** Two records whose digests are alike made the same modifications. What they wrote may be long, and the studio's secret. */
function onRecordOf(modifications: readonly ModificationText[]): NonNullable<Change['details']> {
  const sections = [...new Set(modifications.map(({ section }) => section))].sort().join(' ');
  const digest = createHash('sha256');
  for (const { section, operation, path, value } of modifications) {
    digest.update(JSON.stringify([section, operation, path, value?.length ?? null])).update(value ?? '');
  }
  return { sections, modificationsDigest: digest.digest('hex') };
}

/** The game's configuration, which is empty until something has been written to it. */
export async function findOrEmpty(
  store: Pick<Store, 'configurations'>,
  game: Game,
): Promise<Pick<ConfigurationRecord, 'sections' | 'updatedAt'>> {
  return (await store.configurations.find(game.id)) ?? { sections: NO_SECTIONS, updatedAt: game.createdAt };
}

/**
 * Reads a record with stored sections and describes these for clients: all of them, or only those that are named.
 * `bytes` is how long they were a moment ago. What is long is read only when it is the game's turn.
 */
export async function readDescribed<R extends { readonly sections: StoredSections }>(
  longWork: LongWork<SectionJobs>,
  {
    gameName,
    bytes,
    names,
  }: { readonly gameName: string; readonly bytes: number; readonly names?: readonly string[] | undefined },
  read: () => Promise<R>,
): Promise<Omit<R, 'sections'> & { readonly sections: Uint8Array }> {
  const described = await longWork.run({ owner: ownerOf(gameName), length: bytes }, async (jobs) => {
    const record = await read();
    const { sections } = record;
    const hasGrown = sections.length > LONG && bytes <= LONG;
    return hasGrown ? undefined : { ...record, sections: await jobs.describe({ sections, names }) };
  });
  return described ?? (await readDescribed(longWork, { gameName, bytes: Number.POSITIVE_INFINITY, names }, read));
}

/** All long work on a game's configuration and snapshots has one owner. */
export function ownerOf(gameName: string): string {
  return `game ${gameName}`;
}

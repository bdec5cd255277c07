import { parseJson } from '@respark/protocol';
import type { Clock } from '../clock.ts';
import { ServiceError } from '../errors.ts';
import type { ConfigurationRecord, Store } from '../store/store.ts';
import type { Audit, Change } from './audit.ts';
import { documentSizeOf, parseDocument, type Sections } from './configuration/document.ts';
import { applyModifications, type Modification } from './configuration/modifications.ts';
import { type Game, getActiveGame, getGame } from './games.ts';

export interface Configuration {
  /** When the game was created. */
  readonly createdAt: number;
  readonly updatedAt: number;
  readonly sections: Sections;
}

/** The rules of games' configurations. Every method throws `not_found` when the game does not exist. */
export interface Configurations {
  /** Gives only the named sections, if any are named; names without a section are ignored. */
  get(gameName: string, sections?: readonly string[]): Promise<Configuration>;
  /**
   * Makes all of the modifications, in order, or none. Throws `validation`, naming the one that cannot be made by its
   * place in the list, counted from 1, and `quota_exceeded` when the whole would be larger than
   * `maxConfigurationBytes`.
   */
  update(gameName: string, modifications: readonly Modification[], change: Change): Promise<Configuration>;
  /** Replaces the whole configuration by an exported document. Throws `validation` and `quota_exceeded`. */
  import(gameName: string, file: Uint8Array, change: Change): Promise<Configuration>;
}

export interface ConfigurationsParts {
  readonly store: Store;
  readonly audit: Audit;
  readonly clock: Clock;
  readonly settings: { readonly maxConfigurationBytes: number };
}

export function createConfigurations({ store, audit, clock, settings }: ConfigurationsParts): Configurations {
  async function set(store: Store, game: Game, sections: Sections): Promise<Configuration> {
    const bytes = documentSizeOf(sections);
    if (bytes > settings.maxConfigurationBytes) {
      throw new ServiceError(
        'quota_exceeded',
        `the configuration would have ${bytes} bytes when exported, and this server allows ${settings.maxConfigurationBytes}: make it smaller, or raise RESPARK_MAX_CONFIGURATION_BYTES`,
      );
    }
    const updatedAt = clock.now();
    await store.configurations.set({ gameId: game.id, sections: JSON.stringify(sections), updatedAt });
    return { createdAt: game.createdAt, updatedAt, sections };
  }

  return {
    async get(gameName, names) {
      const game = await getGame(store, gameName);
      const { sections, updatedAt } = await findOrEmpty(store, game);
      return { createdAt: game.createdAt, updatedAt, sections: readSections(sections, names) };
    },

    update: (gameName, modifications, change) =>
      audit.around(change, () =>
        store.transaction(async (store) => {
          const game = await getActiveGame(store, gameName);
          const { sections } = await findOrEmpty(store, game);
          return await set(store, game, applyModifications(readSections(sections), modifications));
        }),
      ),

    import: (gameName, file, change) =>
      audit.around(change, async () => {
        const sections = parseDocument(file);
        return await store.transaction(async (store) => set(store, await getActiveGame(store, gameName), sections));
      }),
  };
}

/** The game's configuration, which is empty until something has been written to it. */
export async function findOrEmpty(
  store: Pick<Store, 'configurations'>,
  game: Game,
): Promise<Pick<ConfigurationRecord, 'sections' | 'updatedAt'>> {
  return (await store.configurations.find(game.id)) ?? { sections: '{}', updatedAt: game.createdAt };
}

/** Reads stored sections: all of them, or only those that are named. */
export function readSections(text: string, names?: readonly string[]): Sections {
  const sections = parseJson(text) as Sections;
  if (names === undefined || names.length === 0) return sections;
  const wanted = new Set(names);
  return Object.fromEntries(Object.entries(sections).filter(([name]) => wanted.has(name)));
}

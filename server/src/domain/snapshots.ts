import type { Clock } from '../clock.ts';
import { ServiceError } from '../errors.ts';
import type { PageQuery, SnapshotRecord, SnapshotSummary, Store } from '../store/store.ts';
import type { Audit, Change } from './audit.ts';
import type { Sections } from './configuration/document.ts';
import { findOrEmpty, readSections } from './configurations.ts';
import type { Downloads } from './downloads.ts';
import { type Game, getActiveGame, getGame } from './games.ts';
import type { Page, PageRequest, Paginate } from './pagination.ts';

export interface Snapshot extends SnapshotSummary {
  readonly sections: Sections;
}

/**
 * The rules of snapshots: immutable copies of a game's configuration. Every method throws `not_found` when the game
 * does not exist.
 */
export interface Snapshots {
  /** Throws `conflict` beyond `maxSnapshots`: nothing removes a snapshot but the deletion of its game. */
  create(gameName: string, description: string | undefined, change: Change): Promise<Snapshot>;
  /** Throws `not_found` without the snapshot, as do the methods below. Sections are as in a configuration's `get`. */
  get(gameName: string, id: string, sections?: readonly string[]): Promise<Snapshot>;
  /** Newest first. */
  list(gameName: string, request: PageRequest): Promise<Page<SnapshotSummary>>;
  update(
    gameName: string,
    id: string,
    update: { readonly description?: string | undefined },
    change: Change,
  ): Promise<Snapshot>;
  /**
   * A URL of this server that gives the snapshot to every client that knows it, as a document to import, for ten
   * minutes. The download needs no signature, so handing out the URL is on record like a change.
   */
  exportUrl(gameName: string, id: string, change: Change): Promise<string>;
}

/** The time for which AWS said that the URL is valid. */
const EXPORT_LIFETIME_MS = 600_000;

export interface SnapshotsParts {
  readonly store: Store;
  readonly audit: Audit;
  readonly downloads: Pick<Downloads, 'urlOf'>;
  readonly paginate: Paginate;
  readonly clock: Clock;
  readonly settings: { readonly maxSnapshots: number };
}

export function createSnapshots({ store, audit, downloads, paginate, clock, settings }: SnapshotsParts): Snapshots {
  async function insert(store: Store, gameName: string, description: string): Promise<Snapshot> {
    const game = await getActiveGame(store, gameName);
    if ((await store.snapshots.count(game.id)) >= settings.maxSnapshots) {
      throw new ServiceError(
        'conflict',
        `game "${gameName}" has ${settings.maxSnapshots} snapshots, as many as this server allows: raise RESPARK_MAX_SNAPSHOTS`,
      );
    }
    const { sections } = await findOrEmpty(store, game);
    const [newest] = await store.snapshots.list(game.id, { limit: 1 });
    const now = clock.now();
    const id = snapshotIdAfter(newest?.id, now);
    const snapshot = { id, gameId: game.id, description, createdAt: now, updatedAt: now };
    await store.snapshots.insert({ ...snapshot, sections });
    return { ...snapshot, sections: readSections(sections) };
  }

  return {
    create: (gameName, description = '', change) =>
      audit.around(change, () => store.transaction((store) => insert(store, gameName, description))),

    async get(gameName, id, names) {
      const { sections, ...snapshot } = await getSnapshot(store, await getGame(store, gameName), id);
      return { ...snapshot, sections: readSections(sections, names) };
    },

    async list(gameName, request) {
      const game = await getGame(store, gameName);
      const list = (page: PageQuery) => store.snapshots.list(game.id, page);
      return await paginate(`ListSnapshots ${game.id}`, request, list, ({ id }) => id);
    },

    update: (gameName, id, { description }, change) =>
      audit.around(change, () =>
        store.transaction(async (store) => {
          const game = await getActiveGame(store, gameName);
          const { sections, ...snapshot } = await getSnapshot(store, game, id);
          const update = description === undefined ? {} : { description, updatedAt: clock.now() };
          const updated = { ...snapshot, ...update };
          if (description !== undefined) await store.snapshots.update(game.id, id, updated);
          return { ...updated, sections: readSections(sections) };
        }),
      ),

    exportUrl: (gameName, id, change) =>
      audit.around(change, async () => {
        const { gameId } = await getSnapshot(store, await getGame(store, gameName), id);
        // Not every file system allows a colon in a name.
        const fileName = `${gameName}-${id.replaceAll(':', '-')}.json`;
        const download = { kind: 'snapshot', gameId, snapshotId: id } as const;
        return (await downloads.urlOf(download, fileName, EXPORT_LIFETIME_MS, change.actor)).url;
      }),
  };
}

/** The game's snapshot. Throws `not_found`. */
export async function getSnapshot(
  store: Pick<Store, 'snapshots'>,
  game: Pick<Game, 'id' | 'name'>,
  id: string,
): Promise<SnapshotRecord> {
  const snapshot = await store.snapshots.find(game.id, id);
  if (snapshot !== undefined) return snapshot;
  throw new ServiceError(
    'not_found',
    `there is no snapshot "${id}" of game "${game.name}": ListSnapshots shows those that exist`,
  );
}

/**
 * `Snapshot_` and a time with microseconds, later than that of `newest`. The microseconds tell apart, and keep in
 * order, the snapshots of one millisecond and those of a clock that was set back.
 */
function snapshotIdAfter(newest: string | undefined, unixMs: number): string {
  const micros = Math.max(unixMs * 1_000, newest === undefined ? 0 : microsOf(newest) + 1);
  const toMillisecond = new Date(Math.floor(micros / 1_000)).toISOString().slice(0, -1);
  return `Snapshot_${toMillisecond}${String(micros % 1_000).padStart(3, '0')}Z`;
}

function microsOf(id: string): number {
  const [, toMillisecond = '', micros = ''] = /^Snapshot_(.*)(\d{3})Z$/.exec(id) ?? [];
  return Date.parse(`${toMillisecond}Z`) * 1_000 + Number(micros);
}

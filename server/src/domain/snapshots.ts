import type { Clock } from '../clock.ts';
import type { Cluster } from '../cluster/cluster.ts';
import { ServiceError } from '../errors.ts';
import type { Log } from '../log.ts';
import type { PageQuery } from '../store/page-query.ts';
import type { SnapshotRecord, SnapshotSummary, Store } from '../store/store.ts';
import type { Audit, Change } from './audit/audit.ts';
import type { SectionJobs } from './configuration/stored-sections.ts';
import { findOrEmpty, ownerOf, readDescribed } from './configurations.ts';
import type { Downloads } from './downloads.ts';
import { type Game, getActiveGame, getGame } from './games.ts';
import { LONG, type LongWork } from './long-work.ts';
import type { Page, PageRequest, Paginate } from './pagination.ts';
import { findRuntimesInUse, forgetOldRuntimes, hasOldRuntimes } from './runtime/old-runtimes.ts';
import { findExcess, type StoredBytesSettings } from './stored-bytes.ts';

export interface Snapshot extends SnapshotSummary {
  /** As in a configuration. */
  readonly sections: Uint8Array;
}

/**
 * The rules of snapshots: immutable copies of a game's configuration. Every method throws `not_found` when the game
 * does not exist. Those that give sections throw `throttled` when too many long ones are in work.
 */
export interface Snapshots {
  /** Throws `conflict` beyond `maxSnapshots`, or the bytes that may be stored. */
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
   * Throws `conflict` for the newest snapshot of the game, because ids must keep growing, and while a stage runs the
   * snapshot, a deployment or a job of generated code is at work on it, or a connection may still be on a runtime of it.
   */
  delete(gameName: string, id: string, change: Change): Promise<void>;
  /**
   * A relative URL of this server that gives the snapshot to every client that knows it, as a document to import, for ten
   * minutes. The download needs no signature, so handing out the URL is on record like a change.
   */
  exportUrl(gameName: string, id: string, change: Change): Promise<string>;
}

/** Sections only turn from short to long, or back, when the configuration is changed in between. */
const MAX_ATTEMPTS = 10;
const RETRY_AFTER_MS = 1_000;
const STAGES_AT_ONCE = 100;

/** The time for which AWS said that the URL is valid. */
const EXPORT_LIFETIME_MS = 600_000;

export interface SnapshotsParts {
  readonly store: Store;
  readonly audit: Audit;
  readonly downloads: Pick<Downloads, 'urlOf'>;
  readonly longWork: LongWork<SectionJobs>;
  readonly paginate: Paginate;
  readonly clock: Clock;
  readonly log: Pick<Log, 'warn'>;
  readonly cluster: Pick<Cluster, 'requestAll'>;
  readonly settings: StoredBytesSettings & {
    readonly maxSnapshots: number;
    readonly authTimeoutMs: number;
    readonly disconnectDeadlineMs: number;
  };
}

export function createSnapshots(parts: SnapshotsParts): Snapshots {
  const { store, audit, downloads, longWork, paginate, clock, settings } = parts;

  async function bytesOf(store: Store, game: Game): Promise<number> {
    return (await store.configurations.bytes(game.id)) ?? 0;
  }

  /** The game's snapshot, described for clients. Throws `not_found`. */
  async function getDescribed(game: Game, id: string, names?: readonly string[]): Promise<Snapshot> {
    const bytes = (await store.snapshots.bytes(game.id, id)) ?? 0;
    return await readDescribed(longWork, { gameName: game.name, bytes, names }, () => getSnapshot(store, game, id));
  }

  /** Undefined when the configuration is not, or no longer, as long or short as it was. */
  async function insert(
    store: Store,
    gameName: string,
    description: string,
    wasLong: boolean,
  ): Promise<SnapshotRecord | undefined> {
    const game = await getActiveGame(store, gameName);
    if ((await store.snapshots.count(game.id)) >= settings.maxSnapshots) {
      throw new ServiceError(
        'conflict',
        `game "${gameName}" has ${settings.maxSnapshots} snapshots, as many as this server allows: delete some with DeleteSnapshot, or raise RESPARK_MAX_SNAPSHOTS`,
      );
    }
    if ((await bytesOf(store, game)) > LONG !== wasLong) return undefined;
    const { sections } = await findOrEmpty(store, game);
    const excess = await findExcess(store, game.id, Buffer.byteLength(sections), settings);
    if (excess !== undefined) throw new ServiceError('conflict', excess);
    const [newest] = await store.snapshots.list(game.id, { limit: 1 });
    const now = clock.now();
    const id = snapshotIdAfter(newest?.id, now);
    const snapshot = { id, gameId: game.id, description, sections, createdAt: now, updatedAt: now };
    await store.snapshots.insert(snapshot);
    return snapshot;
  }

  async function create(gameName: string, description: string): Promise<Snapshot> {
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt += 1) {
      const length = await bytesOf(store, await getActiveGame(store, gameName));
      // The turn comes first, so that a call that finds no place to wait has made nothing.
      const snapshot = await longWork.run({ owner: ownerOf(gameName), length }, async (jobs) => {
        const made = await store.transaction((store) => insert(store, gameName, description, length > LONG));
        return made && { ...made, sections: await jobs.describe({ sections: made.sections }) };
      });
      if (snapshot !== undefined) return snapshot;
    }
    throw new ServiceError('throttled', 'the configuration is changed too often at the moment: try again', {
      retryAfterMs: RETRY_AFTER_MS,
    });
  }

  return {
    create: (gameName, description = '', change) => audit.around(change, () => create(gameName, description)),

    get: async (gameName, id, names) => await getDescribed(await getGame(store, gameName), id, names),

    async list(gameName, request) {
      const game = await getGame(store, gameName);
      const list = (page: PageQuery) => store.snapshots.list(game.id, page);
      return await paginate(`ListSnapshots ${game.id}`, request, list, ({ id }) => id);
    },

    update: (gameName, id, { description }, change) =>
      audit.around(change, async () => {
        const { sections } = await getDescribed(await getActiveGame(store, gameName), id);
        return await store.transaction(async (store) => {
          const game = await getActiveGame(store, gameName);
          const snapshot = await getSnapshotSummary(store, game, id);
          const update = description === undefined ? {} : { description, updatedAt: clock.now() };
          const updated = { ...snapshot, ...update };
          if (description !== undefined) await store.snapshots.update(game.id, id, updated);
          return { ...updated, sections };
        });
      }),

    delete: (gameName, id, change) => audit.around(change, () => deleteUnneeded(parts, gameName, id)),

    exportUrl: (gameName, id, change) =>
      audit.around(change, async () => {
        const { gameId } = await getSnapshotSummary(store, await getGame(store, gameName), id);
        // Not every file system allows a colon in a name.
        const fileName = `${gameName}-${id.replaceAll(':', '-')}.json`;
        const download = { kind: 'snapshot', gameId, snapshotId: id } as const;
        return (await downloads.urlOf(download, fileName, EXPORT_LIFETIME_MS, change.actor)).url;
      }),
  };
}

/** Throws as `assertUnneeded` does. */
async function deleteUnneeded(parts: SnapshotsParts, gameName: string, id: string): Promise<void> {
  const { store } = parts;
  const game = await getActiveGame(store, gameName);
  await getSnapshotSummary(store, game, id);
  await forgetUnused(game, parts);
  await store.transaction((store) => assertUnneeded(store, gameName, id));
  // Its zips would go with it, all in one step, which holds everybody up.
  await store.snapshots.removeCode(game.id, id);
  await store.transaction(async (store) => {
    await assertUnneeded(store, gameName, id);
    await store.snapshots.remove(game.id, id);
  });
}

/** Throws `not_found`, and `conflict` for a snapshot that something still needs. */
async function assertUnneeded(store: Store, gameName: string, id: string): Promise<void> {
  const game = await getActiveGame(store, gameName);
  await getSnapshotSummary(store, game, id);
  const why = await whyNeeded(store, game, id);
  if (why !== undefined) throw new ServiceError('conflict', `snapshot "${id}" cannot be deleted: ${why}`);
}

/**
 * Forgets runtimes that no connection can be on any more, of one stage of the game after the other, so that other calls get
 * their turn, until a node does not answer: another would take as long to say nothing.
 */
async function forgetUnused(game: Game, parts: SnapshotsParts): Promise<void> {
  const { store, clock, settings } = parts;
  let after: string | undefined;
  do {
    const stages = await store.stages.list(game.id, { limit: STAGES_AT_ONCE, ...(after !== undefined && { after }) });
    for (const { id: stageId } of stages) {
      const at = { nowMs: clock.now(), graceMs: settings.authTimeoutMs };
      if (!(await hasOldRuntimes({ store, stageId, ...at }))) continue;
      const inUse = await findRuntimesInUse({ ...parts, stageId });
      if (inUse === undefined) return;
      await forgetOldRuntimes({ store, inUse, stageId, ...at });
      await new Promise((resolve) => setImmediate(resolve));
    }
    after = stages.length < STAGES_AT_ONCE ? undefined : stages.at(-1)?.name;
  } while (after !== undefined);
}

/** Why the snapshot must stay, and what to do; undefined when it may go. */
async function whyNeeded(store: Store, game: Game, id: string): Promise<string | undefined> {
  const use = await store.snapshots.findUse(game.id, id);
  switch (use?.kind) {
    case 'stage':
      return `stage "${use.stageName}" runs it: deploy another one there first`;
    case 'deployment':
      return `it is being deployed to stage "${use.stageName}": wait until GetStageDeployment says that this has ended, and deploy another one`;
    case 'job':
      return 'its code is being generated: wait until GetGeneratedCodeJob says that this has ended';
    case 'runtime':
      return `players of stage "${use.stageName}" may still be on it: try again an hour after it was replaced there, when they have left`;
  }
  const [newest] = await store.snapshots.list(game.id, { limit: 1 });
  return newest?.id === id
    ? 'it is the newest of its game, and ids must keep growing: make another one first'
    : undefined;
}

async function getSnapshot(store: Pick<Store, 'snapshots'>, game: Game, id: string): Promise<SnapshotRecord> {
  return (await store.snapshots.find(game.id, id)) ?? snapshotNotFound(game, id);
}

/** The game's snapshot without its sections, which may take a millisecond to read. Throws `not_found`. */
export async function getSnapshotSummary(
  store: Pick<Store, 'snapshots'>,
  game: Pick<Game, 'id' | 'name'>,
  id: string,
): Promise<SnapshotSummary> {
  return (await store.snapshots.findSummary(game.id, id)) ?? snapshotNotFound(game, id);
}

function snapshotNotFound(game: Pick<Game, 'name'>, id: string): never {
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

import type { Clock } from '../clock.ts';
import type { Cluster } from '../cluster/cluster.ts';
import { ServiceError } from '../errors.ts';
import { Interrupted } from '../interrupted.ts';
import type { Log } from '../log.ts';
import { type RandomBytes, uuidV7After } from '../random.ts';
import type { PageQuery } from '../store/page-query.ts';
import type { GeneratedCodeJobRecord, Store } from '../store/store.ts';
import { excerpt } from '../text.ts';
import type { Audit, Change } from './audit/audit.ts';
import type { BackgroundWork } from './background.ts';
import { createClaimedWork, isUnfinished, type WorkKind } from './claimed-work.ts';
import { describeFault } from './configuration/fault.ts';
import type { Downloads, DownloadUrl } from './downloads.ts';
import type { Examine, GeneratorInput } from './examination.ts';
import { type Game, getActiveGame, getGame } from './games.ts';
import { chooseGenerator, type Generator } from './generated-code/generators.ts';
import type { Page, PageRequest, Paginate } from './pagination.ts';
import { getSnapshotSummary } from './snapshots.ts';
import { findExcess, type StoredBytesSettings } from './stored-bytes.ts';

export type GeneratedCodeJob = GeneratedCodeJobRecord & {
  /** Where the zip of a completed job is, until the URL expires or newer jobs have pushed the job out. */
  readonly download: DownloadUrl | undefined;
};

/** Jobs that generate a snapshot's code. Every method throws `not_found` when the game or snapshot does not exist. */
export interface GeneratedCodeJobs extends BackgroundWork {
  /**
   * Starts a job and gives its id. Throws `validation`, which lists the choices, for an unknown platform, language or
   * version, and `throttled` when as many jobs as are kept are under way for the snapshot.
   */
  start(gameName: string, snapshotId: string, generator: Generator, change: Change): Promise<string>;
  /** Throws `not_found`. When the job has a download, that is on record, because its URL works without a signature. */
  get(gameName: string, snapshotId: string, id: string, change: Change): Promise<GeneratedCodeJob>;
  /** Newest first. Downloads are on record as in `get`, with one record for the page. */
  list(gameName: string, snapshotId: string, request: PageRequest, change: Change): Promise<Page<GeneratedCodeJob>>;
}

const MAX_AT_ONCE = 2;
/** A game may have thousands of jobs, for which the one of another game is not to wait. */
const MAX_OF_GAME = 1;
const MAX_DESCRIPTION_LENGTH = 250;
const DOWNLOAD_LIFETIME_MS = 3_600_000;
const RETRY_AFTER_MS = 1_000;

export interface GeneratedCodeJobsParts {
  readonly store: Store;
  readonly audit: Audit;
  readonly cluster: Pick<Cluster, 'node' | 'isAlive'>;
  readonly examine: Examine;
  readonly downloads: Pick<Downloads, 'urlOf'>;
  readonly paginate: Paginate;
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly log: Log;
  readonly settings: StoredBytesSettings & { readonly maxGeneratedCodeJobs: number };
}

export function createGeneratedCodeJobs(parts: GeneratedCodeJobsParts): GeneratedCodeJobs {
  const { store, audit, paginate, clock, random, settings } = parts;
  const withDownloads = createWithDownloads(parts);
  const work = createClaimedWork({ ...parts, kind: createGenerationWork(parts) });

  async function insert(
    store: Store,
    game: Game,
    snapshotId: string,
    generator: string,
  ): Promise<GeneratedCodeJobRecord> {
    await getSnapshotSummary(store, game, snapshotId);
    const { maxGeneratedCodeJobs: max } = settings;
    const newest = await store.generatedCodeJobs.list(game.id, snapshotId, { limit: max });
    const unfinished = newest.filter(isUnfinished).length;
    if (unfinished >= max) {
      throw new ServiceError(
        'throttled',
        `${unfinished} jobs are generating code for snapshot "${snapshotId}", as many as this server allows: wait until one has ended`,
        { retryAfterMs: RETRY_AFTER_MS },
      );
    }
    await store.generatedCodeJobs.prune(game.id, snapshotId, max - unfinished - 1);
    const now = clock.now();
    const job: GeneratedCodeJobRecord = {
      id: uuidV7After(newest[0]?.id, random, now),
      gameId: game.id,
      snapshotId,
      state: 'PENDING',
      description: '',
      generator,
      createdAt: now,
      updatedAt: now,
      claimedBy: undefined,
      claims: 0,
    };
    await store.generatedCodeJobs.insert(job);
    return job;
  }

  return {
    ...work,

    start: (gameName, snapshotId, asked, change) =>
      audit.around(change, async () => {
        const { targetPlatform, language, gameSdkVersion } = chooseGenerator(asked);
        const generator = JSON.stringify({
          gameName,
          targetPlatform,
          language,
          gameSdkVersion,
        } satisfies GeneratorInput);
        const job = await store.transaction(async (store) =>
          insert(store, await getActiveGame(store, gameName), snapshotId, generator),
        );
        work.start(job);
        return job.id;
      }),

    async get(gameName, snapshotId, id, change) {
      const game = await getGame(store, gameName);
      const job = await store.generatedCodeJobs.find(game.id, snapshotId, id);
      const [found] = await withDownloads(gameName, job === undefined ? [] : [job], change);
      if (found !== undefined) return found;
      throw new ServiceError(
        'not_found',
        `there is no job "${id}" of snapshot "${snapshotId}": ListGeneratedCodeJobs shows those that are kept`,
      );
    },

    async list(gameName, snapshotId, request, change) {
      const game = await getGame(store, gameName);
      const list = (page: PageQuery) => store.generatedCodeJobs.list(game.id, snapshotId, page);
      const scope = `ListGeneratedCodeJobs ${game.id} ${snapshotId}`;
      const { items, nextToken } = await paginate(scope, request, list, ({ id }) => id);
      // Where there are jobs the snapshot exists, since jobs do not outlive it.
      if (items.length === 0) await getSnapshotSummary(store, game, snapshotId);
      return { items: await withDownloads(gameName, items, change), nextToken };
    },
  };
}

type WithDownloads = (
  gameName: string,
  jobs: readonly GeneratedCodeJobRecord[],
  change: Change,
) => Promise<GeneratedCodeJob[]>;

/** A client that waits for a job asks often, and leaves a record only when it is given a URL. */
function createWithDownloads({ audit, downloads }: Pick<GeneratedCodeJobsParts, 'audit' | 'downloads'>): WithDownloads {
  async function withDownload(gameName: string, job: GeneratedCodeJobRecord, actor: string): Promise<GeneratedCodeJob> {
    if (job.state !== 'COMPLETED') return { ...job, download: undefined };
    const { targetPlatform, language } = JSON.parse(job.generator) as GeneratorInput;
    const fileName = `${gameName}-${targetPlatform}-${language}.zip`;
    const download = { kind: 'generated_code', jobId: job.id } as const;
    return { ...job, download: await downloads.urlOf(download, fileName, DOWNLOAD_LIFETIME_MS, actor) };
  }

  return async (gameName, jobs, change) => {
    const complete = () => Promise.all(jobs.map((job) => withDownload(gameName, job, change.actor)));
    const hasDownload = jobs.some(({ state }) => state === 'COMPLETED');
    return hasDownload ? await audit.around(change, complete) : await complete();
  };
}

interface Begun {
  readonly job: GeneratedCodeJobRecord;
  readonly sections: string;
}

/** Without an archive the job has failed, for the reason in the description. */
interface Generated {
  readonly archive: Uint8Array | undefined;
  readonly description: string;
}

/** What a job does. A failure of the store makes it try again; anything else that goes wrong ends it as failed. */
function createGenerationWork(
  parts: GeneratedCodeJobsParts,
): WorkKind<GeneratedCodeJobRecord, Begun, Generated, Generated> {
  const { store, examine, clock, log, settings } = parts;

  /** The result, or why there is no room for it. An archive is stored as text, which takes a third more bytes. */
  async function withinLimits(store: Store, gameId: string, generated: Generated): Promise<Generated> {
    if (generated.archive === undefined) return generated;
    const excess = await findExcess(store, gameId, Math.ceil(generated.archive.length / 3) * 4, settings);
    return excess === undefined ? generated : { archive: undefined, description: toDescription(excess) };
  }

  return {
    name: 'generated code jobs',
    failure: 'generation of code was interrupted and will be tried again',
    maxAtOnce: MAX_AT_ONCE,
    lanes: [{ of: ({ gameId }) => gameId, max: MAX_OF_GAME }],
    listUnfinished: () => store.generatedCodeJobs.listUnfinished(),
    find: (store, { gameId, snapshotId, id }) => store.generatedCodeJobs.find(gameId, snapshotId, id),
    claim: (store, { id }, owner) => store.generatedCodeJobs.claim(id, owner, clock.now()),
    leave: ({ id }, owner) => store.generatedCodeJobs.leave(id, owner),

    async begin(store, job) {
      const snapshot = await store.snapshots.find(job.gameId, job.snapshotId);
      return snapshot && { job, sections: snapshot.sections };
    },

    async perform({ job: { id, generator }, sections }) {
      try {
        const code = JSON.parse(generator) as GeneratorInput;
        const { faults, archive } = await examine({ sections, code });
        const [fault] = faults;
        return { archive, description: fault === undefined ? '' : toDescription(describeFault(fault)) };
      } catch (error) {
        if (error instanceof Interrupted) throw error;
        log.error({ err: error, generatedCodeJobId: id }, 'code could not be generated');
        return { archive: undefined, description: 'the server failed to generate this code; its log says why' };
      }
    },

    abandoned(claims) {
      const description = `this was begun ${claims} times, and each time the server ended before it was done; its log may say why`;
      return { archive: undefined, description };
    },

    async end(store, { job: { id, gameId } }, performed, owner) {
      const generated = await withinLimits(store, gameId, performed);
      const { archive, description } = generated;
      const state = archive === undefined ? 'FAILED' : 'COMPLETED';
      const outcome = { state, description, updatedAt: clock.now() } as const;
      if (!(await store.generatedCodeJobs.end(id, owner, outcome))) return undefined;
      if (archive !== undefined) await store.generatedCodeJobs.setArchive(id, archive);
      return generated;
    },
  };
}

/** Makes a fault fit for a description: one line that neither begins nor ends with white space. */
function toDescription(fault: string): string {
  return excerpt(fault.replace(/\s+/g, ' ').trim(), MAX_DESCRIPTION_LENGTH);
}

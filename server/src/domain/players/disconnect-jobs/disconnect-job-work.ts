import { createPauses } from '../../../pauses.ts';
import type { DisconnectJobRecord, JobEnd } from '../../../store/disconnect-jobs.ts';
import type { Store } from '../../../store/store.ts';
import type { BackgroundWork } from '../../background.ts';
import { createClaimedWork, type WorkKind } from '../../claimed-work.ts';
import { createGameTurns } from '../../game-turns.ts';
import { createDisconnectJobEnds, type DisconnectJobEndParts } from './disconnect-job-ends.ts';
import type { JobRequest } from './disconnect-job-request.ts';
import { DisconnectJobRun, type RunEnd, type RunParts } from './disconnect-job-run.ts';
import { createUnconfirmedJobs } from './unconfirmed-jobs.ts';

/**
 * Jobs at the same time on one node, of one game, and of one stage: a slow one takes hours, for which no other game or stage
 * is to wait.
 */
const MAX_AT_ONCE = 64;
const MAX_OF_GAME = 20;
const MAX_OF_STAGE = 3;

export type DisconnectJobWork = BackgroundWork & {
  start(job: DisconnectJobRecord): void;
  /** Must be called for a job that was cancelled by its record alone. Never rejects. */
  cancelled(job: DisconnectJobRecord): Promise<void>;
};

type Parts = Omit<RunParts, 'disconnectJobs' | 'pauses' | 'log'> &
  Pick<Parameters<typeof createClaimedWork>[0], 'log'> &
  DisconnectJobEndParts & {
    readonly store: Store;
    /** What the clock of a database says that nodes may share; missing where there is none. */
    readonly databaseTime?: (() => Promise<number>) | undefined;
  };

interface Begun {
  readonly job: DisconnectJobRecord;
  readonly playerIds: readonly string[] | undefined;
  readonly owner: string;
  readonly now: SharedNow;
}

/** The time by the clock by which all nodes tell when a job began. */
type SharedNow = () => number;

export function createDisconnectJobWork(parts: Parts): DisconnectJobWork {
  const { store, cluster, clock, log, databaseTime } = parts;
  const pauses = createPauses(clock);
  const ends = createDisconnectJobEnds(parts);
  // Each job writes down how far it is ten times a second.
  const inTurn = createGameTurns({ clock, what: 'steps of jobs' });
  const runPartsOf = ({ gameId }: DisconnectJobRecord): RunParts => ({
    ...{ ...parts, pauses },
    disconnectJobs: { advance: (...step) => inTurn(gameId, () => store.disconnectJobs.advance(...step)) },
  });

  const ownNow: SharedNow = () => clock.now();

  const kind: WorkKind<DisconnectJobRecord, Begun, RunEnd, JobEnd, SharedNow> = {
    name: 'disconnect jobs',
    failure: 'a disconnect job was interrupted and will be gone on with',
    maxAtOnce: MAX_AT_ONCE,
    lanes: [
      { of: ({ stageId }) => `stage ${stageId}`, max: MAX_OF_STAGE },
      { of: ({ gameId }) => `game ${gameId}`, max: MAX_OF_GAME },
    ],
    listUnfinished: () => store.disconnectJobs.listUnfinished(),
    find: (store, { stageId, id }) => store.disconnectJobs.find(stageId, id),
    async prepare() {
      if (databaseTime === undefined) return ownNow;
      const time = await databaseTime();
      // The question may have waited for a connection, so the clock is read with the answer. Each attempt keeps what it has
      // read: another reading would move the time at which its job began.
      const aheadMs = Math.round(clock.now() - time);
      return () => clock.now() - aheadMs;
    },
    claim: (store, { id }, owner, now = ownNow) => store.disconnectJobs.claim(id, owner, now()),

    async begin({ disconnectJobs }, { stageId, id }, now = ownNow) {
      const job = await disconnectJobs.find(stageId, id);
      const owner = job?.claimedBy;
      return job && owner !== undefined
        ? { job, owner, now, playerIds: await disconnectJobs.playerIds(id) }
        : undefined;
    },

    async perform({ job, playerIds, owner, now }) {
      const request = JSON.parse(job.request) as JobRequest;
      return await new DisconnectJobRun(runPartsOf(job), { job, request, playerIds, owner, now: now() }).run();
    },

    async end(store, { job: { id } }, result, owner) {
      if (result === undefined) return undefined;
      const end = { ...result, at: clock.now() };
      return (await store.disconnectJobs.end(id, owner, end)) ? end : undefined;
    },

    ended: ({ job }) => ends.tell(job),
  };

  const work = createClaimedWork({ kind, store, cluster, clock, log });
  const unconfirmed = createUnconfirmedJobs({
    ...{ store, cluster, clock, log },
    ended: (job) => ends.tell(job),
  });
  return {
    ...work,
    cancelled: (job) => ends.tell(job),
    async resume() {
      await work.resume();
      await ends.resume();
      unconfirmed.watch();
    },
    async settled() {
      await unconfirmed.settled();
      await work.settled();
      await ends.settled();
    },
    async close() {
      pauses.end();
      await unconfirmed.close();
      await work.close();
      await ends.close();
    },
  };
}

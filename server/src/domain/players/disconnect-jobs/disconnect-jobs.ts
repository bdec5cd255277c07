import type { Clock } from '../../../clock.ts';
import type { Cluster } from '../../../cluster/cluster.ts';
import type { ConnectionSelector } from '../../../connection-selector.ts';
import { ServiceError } from '../../../errors.ts';
import { type RandomBytes, uuidV7After } from '../../../random.ts';
import type { DisconnectJobChange, DisconnectJobRecord } from '../../../store/disconnect-jobs.ts';
import type { PageQuery } from '../../../store/page-query.ts';
import type { Store } from '../../../store/store.ts';
import { assertNotEnded } from '../../access/access.ts';
import type { Audit, Change } from '../../audit/audit.ts';
import { isUnfinished } from '../../claimed-work.ts';
import { createOnceInStage, type RepeatableCall } from '../../client-tokens.ts';
import { createListShare } from '../../list-turns.ts';
import { orUnavailable } from '../../or-unavailable.ts';
import type { Page, PageRequest, Paginate } from '../../pagination.ts';
import { getActiveStage, type NamedStage, type Stage } from '../../stages.ts';
import { readSelection } from '../connection-filter.ts';
import { checkFarewell } from '../disconnect-request.ts';
import { cancelled, confirmed, paused, resumed } from './disconnect-job-decisions.ts';
import { type JobRequest, type NewJob, onRecordOfJob } from './disconnect-job-request.ts';
import type { DisconnectJobWork } from './disconnect-job-work.ts';

export type { JobTarget } from '../../../store/disconnect-jobs.ts';

/** The state as callers see it: a job that has been asked to stop may still be at work. */
export type DisconnectJobState = DisconnectJobRecord['state'] | 'PAUSING' | 'CANCELLING';

export interface DisconnectJob extends Omit<DisconnectJobRecord, 'state' | 'request' | 'wish' | 'claimedBy'> {
  readonly state: DisconnectJobState;
  readonly asked: JobRequest;
}

/** How many connections a selection means, and of how many players; a player who is connected to several nodes counts at each. */
export interface SelectionCounts {
  readonly connections: number;
  readonly players: number;
  readonly byNode: readonly { readonly node: string; readonly connections: number; readonly players: number }[];
}

/**
 * Jobs that end many connections of a stage, at a rate. Each means the connections that are there when it begins, so it ends
 * none twice, and none of players who come back. All throw `not_found` for a stage that is unknown or being deleted.
 */
export interface DisconnectJobs {
  /** Throws a retryable `internal` when a node does not say whom it has, as `start` does; nothing has begun then. */
  count(stage: NamedStage, job: NewJob, change: Change): Promise<SelectionCounts>;
  /**
   * Begins, or waits for a second key when it means more connections than one key may end. Throws `validation` for a
   * selection that is none, `quota_exceeded` when the stage has too many jobs that have not ended, `conflict` for a client
   * token of another call or of a job that is not kept any more, and `access_denied`, as `confirm` does, for a key that was
   * revoked while the nodes were counting.
   */
  start(stage: NamedStage, job: NewJob, change: Change): Promise<DisconnectJob>;
  /**
   * Lets a job go on that waits for it. Throws `access_denied` for the caller who has started it, and `conflict` for a job
   * that waits for nothing, or has waited too long.
   */
  confirm(stage: NamedStage, id: string, change: Change): Promise<DisconnectJob>;
  /** Throws `conflict` for a job that is not at work, or has ended. */
  pause(stage: NamedStage, id: string, change: Change): Promise<DisconnectJob>;
  resume(stage: NamedStage, id: string, change: Change): Promise<DisconnectJob>;
  cancel(stage: NamedStage, id: string, change: Change): Promise<DisconnectJob>;
  get(stage: NamedStage, id: string): Promise<DisconnectJob>;
  /** Newest first. Throws `throttled` when too many lists wait for their share of the node's time. */
  list(stage: NamedStage, request: PageRequest): Promise<Page<DisconnectJob>>;
}

const DEFAULT_RATE_PER_SECOND = 500;
const MAX_OPEN = 5;
const KEPT = 50;
/** A job may have twenty kilobytes of texts for players and unproven connections, most of which a list does not show. */
const READ_AT_ONCE = 10;
/** Long, because a node with very many players counts them between its other work. */
const COUNT_TIMEOUT_MS = 10_000;

export interface DisconnectJobsParts {
  readonly store: Store;
  readonly audit: Audit;
  readonly cluster: Pick<Cluster, 'node' | 'nodes' | 'request'>;
  readonly work: DisconnectJobWork;
  readonly paginate: Paginate;
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly settings: {
    readonly disconnectDeadlineMs: number;
    readonly maxFrameBytes: number;
    readonly jobConfirmAbove: number;
  };
}

export function createDisconnectJobs(parts: DisconnectJobsParts): DisconnectJobs {
  const { store, audit, cluster, work, clock, settings } = parts;
  const count = createCount(parts);

  /** Checks all that can be checked before a node is asked. */
  function read({ selection, farewell }: NewJob, stage: Stage): ConnectionSelector {
    if (farewell !== undefined) checkFarewell(farewell, settings);
    return readSelection(selection, stage);
  }

  /**
   * Changes a job as `decision` says about its present state, in one transaction. `recount` is called before that, because it
   * asks nodes; what it resolves with is changed, too.
   */
  async function decide(
    named: NamedStage,
    id: string,
    change: Change,
    decision: (job: DisconnectJobRecord) => DisconnectJobChange,
    recount: (stage: Stage) => Promise<Partial<DisconnectJobChange>> = async () => ({}),
  ): Promise<DisconnectJob> {
    return await audit.around({ ...change, details: { ...change.details, jobId: id } }, async () => {
      const stage = await getActiveStage(store, named);
      const counted = await recount(stage);
      const job = await store.transaction(async (store) => {
        await assertNotEnded(store.accessKeys, change.actor, clock.now());
        const decided = decision(await getJob(store, stage, id));
        // The end of a job is reported by the node that it is claimed by.
        const claim = decided.state === 'CANCELLED' && { claimedBy: cluster.node };
        await store.disconnectJobs.update(id, { ...decided, ...counted, ...claim });
        return await getJob(store, stage, id);
      });
      if (isUnfinished(job)) work.start(job);
      if (job.state === 'CANCELLED') await work.cancelled(job);
      return toJob(job);
    });
  }

  return {
    count: async (named, job, change) =>
      await audit.around(recorded(change, job, { isDryRun: true }), async () => {
        const stage = await getActiveStage(store, named);
        return await count(stage, read(job, stage), 'dry run of');
      }),

    start: async (named, job, change) =>
      await audit.around(recorded(change, job, { isDryRun: false }), async () => {
        const stage = await getActiveStage(store, named);
        const meant = read(job, stage);
        const { connections, players } = await count(stage, meant);
        const { playerIds, ...selector } = meant;
        const { isEverybody } = job.selection;
        const startedBy = await subjectOf(store, change.actor);
        const confirmAbove = Math.min(job.confirmAbove ?? settings.jobConfirmAbove, settings.jobConfirmAbove);
        const { farewell, returnWithinMs, ratePerSecond = DEFAULT_RATE_PER_SECOND } = job;
        const request: JobRequest = {
          ...{ isEverybody, selector, farewell, returnWithinMs, ratePerSecond, confirmAbove, startedBy },
        };
        const made = await insert(parts, stage, repeatable(named, job, change), {
          ...{ connections, players, playerIds, actor: change.actor, requestId: change.requestId },
          state: connections > confirmAbove ? 'AWAITING_CONFIRMATION' : 'PENDING',
          request: JSON.stringify(request),
        });
        if (isUnfinished(made)) work.start(made);
        return toJob(made);
      }),

    async confirm(named, id, change) {
      const { actor } = change;
      const subject = await subjectOf(store, actor);
      const decision = (job: DisconnectJobRecord) =>
        confirmed(job, { startedBy: readRequest(job).startedBy, actor, subject }, clock.now());
      return await decide(named, id, change, decision, async (stage) => {
        const job = await getJob(store, stage, id);
        // A caller who may not confirm the job is refused before the nodes are asked.
        decision(job);
        // A job that has begun goes on with what it was counted for, so nothing is counted anew.
        if (job.begunAt !== undefined) return {};
        const meant = { ...readRequest(job).selector, playerIds: await store.disconnectJobs.playerIds(id) };
        const { connections, players } = await count(stage, meant);
        return { connections, players };
      });
    },

    pause: async (named, id, change) => await decide(named, id, change, (job) => paused(job, clock.now())),
    resume: async (named, id, change) => await decide(named, id, change, (job) => resumed(job, clock.now())),
    cancel: async (named, id, change) => await decide(named, id, change, (job) => cancelled(job, clock.now())),

    async get(named, id) {
      return toJob(await getJob(store, await getActiveStage(store, named), id));
    },

    list: createList(parts),
  };
}

function createList({ store, paginate, clock }: DisconnectJobsParts): DisconnectJobs['list'] {
  const share = createListShare(clock);
  return async (named, request) => {
    const stage = await getActiveStage(store, named);
    const read = async (page: PageQuery) => (await store.disconnectJobs.list(stage.id, page)).map(toJob);
    const list = async ({ after, limit }: PageQuery) => {
      const found: DisconnectJob[] = [];
      for (;;) {
        const step = Math.min(READ_AT_ONCE, limit - found.length);
        const from = found.at(-1)?.id ?? after;
        const part = { ...(from !== undefined && { after: from }), limit: step };
        const some = await share(stage.gameId, () => read(part));
        found.push(...some);
        if (some.length < step || found.length === limit) return found;
      }
    };
    return await paginate(`ListDisconnectJobs ${stage.id}`, request, list, ({ id }) => id);
  };
}

async function getJob(within: Pick<Store, 'disconnectJobs'>, stage: Stage, id: string): Promise<DisconnectJobRecord> {
  const job = await within.disconnectJobs.find(stage.id, id);
  if (job !== undefined) return job;
  const message = `there is no job "${id}" in stage "${stage.name}": ListDisconnectJobs shows those that are kept`;
  throw new ServiceError('not_found', message);
}

/** The person who signed in to get the key; undefined for a key that was made by a call. */
async function subjectOf({ accessKeys }: Pick<Store, 'accessKeys'>, accessKeyId: string): Promise<string | undefined> {
  return (await accessKeys.find(accessKeyId))?.subject;
}

function recorded(change: Change, job: NewJob, call: { isDryRun: boolean }): Change {
  return { ...change, details: { ...change.details, ...onRecordOfJob(job, call) } };
}

function createCount({ cluster, clock, settings }: Pick<DisconnectJobsParts, 'cluster' | 'clock' | 'settings'>) {
  // A selector may name ten thousand players, and goes to every node over the connection to the directory.
  const share = createListShare(clock);
  const ask = async (stageId: string, selector: ConnectionSelector): Promise<SelectionCounts> => {
    const { disconnectDeadlineMs: timeoutMs } = settings;
    const records = await orUnavailable('directory of nodes', () => cluster.nodes(), timeoutMs, clock);
    const nodes = records
      .map(({ node }) => node)
      .filter((node) => selector.node === undefined || node === selector.node);
    const askNode = async (node: string) => {
      const ask = () => cluster.request(node, 'count_connections', { stageId, selector }, COUNT_TIMEOUT_MS);
      return { node, ...(await orUnavailable(`node ${node}`, ask, COUNT_TIMEOUT_MS, clock)) };
    };
    const byNode = await Promise.all(nodes.sort().map(askNode));
    const sumOf = (name: 'connections' | 'players') => byNode.reduce((sum, counts) => sum + counts[name], 0);
    return { connections: sumOf('connections'), players: sumOf('players'), byNode };
  };
  // Dry runs have a lane of their own, so they do not hold up jobs that are to start.
  return ({ id, gameId }: Stage, selector: ConnectionSelector, lane = 'job of') =>
    share(`${lane} ${gameId}`, () => ask(id, selector));
}

async function insert(
  { store, clock, random }: Pick<DisconnectJobsParts, 'store' | 'clock' | 'random'>,
  stage: Stage,
  call: RepeatableCall,
  job: Omit<Parameters<Store['disconnectJobs']['insert']>[0], 'id' | 'stageId' | 'createdAt' | 'updatedAt'>,
): Promise<DisconnectJobRecord> {
  const create = async ({ disconnectJobs }: Store) => {
    const open = await disconnectJobs.countOpen(stage.id);
    if (open >= MAX_OPEN) {
      const message = `stage "${stage.name}" has ${open} jobs that have not ended, as many as there may be: wait for one, or cancel one`;
      throw new ServiceError('quota_exceeded', message);
    }
    await disconnectJobs.prune(stage.id, KEPT - 1);
    const now = clock.now();
    const [newest] = await disconnectJobs.list(stage.id, { limit: 1 });
    const id = uuidV7After(newest?.id, random, now);
    await disconnectJobs.insert({ ...job, id, stageId: stage.id, createdAt: now, updatedAt: now });
    const made = await disconnectJobs.find(stage.id, id);
    if (made === undefined) throw new Error(`job ${id} is missing right after it was stored`);
    return made;
  };
  return await store.transaction(async (store) => {
    // The nodes may have counted for seconds, and may have counted for others before.
    await assertNotEnded(store.accessKeys, job.actor, clock.now());
    return await createOnceInStage(store, clock.now(), call, {
      create: () => create(store),
      find: (stageId, id) => store.disconnectJobs.find(stageId, id),
      forgotten: jobForgotten,
    });
  });
}

function jobForgotten(id: string): never {
  const message = `the ClientToken was used for job "${id}", which is not kept any more: send a new token to start another`;
  throw new ServiceError('conflict', message);
}

function repeatable({ gameName, stageName }: NamedStage, job: NewJob, { actor, operation }: Change): RepeatableCall {
  const { clientToken, ...asked } = job;
  // Only with a token, because the text may name ten thousand players.
  const text = clientToken === undefined ? '' : JSON.stringify(asked);
  return { principal: actor, operation, clientToken, parameters: { gameName, stageName, asked: text } };
}

function readRequest({ request }: Pick<DisconnectJobRecord, 'request'>): JobRequest {
  return JSON.parse(request) as JobRequest;
}

function toJob({ request, wish, claimedBy: _, ...job }: DisconnectJobRecord): DisconnectJob {
  return {
    ...job,
    state: isUnfinished(job) ? shownState(job.state, wish) : job.state,
    asked: readRequest({ request }),
  };
}

function shownState(state: DisconnectJobRecord['state'], wish: DisconnectJobRecord['wish']): DisconnectJobState {
  if (wish === 'RUN') return state;
  return wish === 'PAUSE' ? 'PAUSING' : 'CANCELLING';
}

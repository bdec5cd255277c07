import type { Clock } from '../clock.ts';
import type { Cluster } from '../cluster/cluster.ts';
import { ServiceError } from '../errors.ts';
import { Interrupted } from '../interrupted.ts';
import type { Log } from '../log.ts';
import { type RandomBytes, uuidV7After } from '../random.ts';
import type { PageQuery } from '../store/page-query.ts';
import type { DeploymentRecord, SnapshotRecord, Store } from '../store/store.ts';
import type { Audit, Change } from './audit/audit.ts';
import type { BackgroundWork } from './background.ts';
import { createClaimedWork, isUnfinished, type WorkKind } from './claimed-work.ts';
import { createOnceInStage } from './client-tokens.ts';
import { type ConfigurationFault, describeFault } from './configuration/fault.ts';
import type { Events } from './events/events.ts';
import type { Examine } from './examination.ts';
import type { ListTurn } from './list-turns.ts';
import { inListTurns, type Page, type PageRequest, type Paginate } from './pagination.ts';
import { findRuntimesInUse, forgetOldRuntimes } from './runtime/old-runtimes.ts';
import type { Runtimes } from './runtime/runtimes.ts';
import { getSnapshotSummary } from './snapshots.ts';
import { getStage, isBeingDeleted, type Stage, stageNotFound } from './stages.ts';
import { compileWildcard } from './wildcard.ts';

export type Deployment = DeploymentRecord;

type Result = NonNullable<Deployment['result']>;

/**
 * The rules of deployments. A deployment puts a snapshot on a stage, in the background, one at a time for each stage.
 * When it completes it makes a new runtime: existing connections stay on the runtime that they have, new ones open on
 * the newest. Every method throws `not_found` when the stage does not exist.
 */
export interface Deployments extends BackgroundWork {
  /** Throws `not_found` when the snapshot does not exist, and `conflict` while another deployment is under way. */
  start(
    asked: {
      readonly gameName: string;
      readonly stageName: string;
      readonly snapshotId: string;
      /** Makes the call repeatable: see `createOnce`. */
      readonly clientToken?: string | undefined;
    },
    change: Change,
  ): Promise<Deployment>;
  /** The deployment with this id, or the latest one without an id. Throws `not_found` when there is none. */
  get(gameName: string, stageName: string, id?: string): Promise<Deployment>;
  /** Newest first. */
  list(gameName: string, stageName: string, request: PageRequest): Promise<Page<Deployment>>;
}

/** Each holds a thread, and in memory a snapshot that may be a megabyte. Games take turns for it. */
const MAX_AT_ONCE = 2;
/** A snapshot may take long to examine, for which the deployment of another game is not to wait. */
const MAX_OF_GAME = 1;

/** In characters, with room for a hundred faults. */
const MAX_MESSAGE_LENGTH = 20_000;
/** Has room for the messages of many failures in a row: what was deployed before them is still on the first page. */
const MAX_PAGE_BYTES = 524_288;

export interface DeploymentsParts {
  readonly store: Store;
  readonly audit: Audit;
  readonly examine: Examine;
  readonly cluster: Pick<Cluster, 'node' | 'isAlive' | 'answer' | 'announceRuntime' | 'requestAll'>;
  readonly runtimes: Pick<Runtimes, 'deployed' | 'inUse'>;
  readonly paginate: Paginate;
  readonly turn: ListTurn;
  readonly events: Pick<Events, 'emit'>;
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly log: Log;
  readonly settings: {
    readonly allowedRoles: readonly string[];
    readonly maxDeployments: number;
    /** Within this time a connection that was looked up before a deployment has entered its runtime, or never will. */
    readonly authTimeoutMs: number;
    /** How long the nodes may take to hear of a new runtime. */
    readonly disconnectDeadlineMs: number;
  };
}

export function createDeployments(parts: DeploymentsParts): Deployments {
  const { store, audit, paginate, turn, clock, random, settings } = parts;
  const work = createClaimedWork({ ...parts, kind: createDeploymentWork(parts) });
  parts.cluster.answer('runtime_deployed', ({ stageId, runtimeId }) => {
    parts.runtimes.deployed(stageId, runtimeId);
    return {};
  });
  parts.cluster.answer('runtimes_in_use', ({ stageId }) => ({ runtimeIds: parts.runtimes.inUse(stageId) }));

  async function insert(store: Store, stage: Stage, snapshotId: string): Promise<Deployment> {
    const snapshot = await getSnapshotSummary(store, { id: stage.gameId, name: stage.gameName }, snapshotId);
    const [latest] = await store.deployments.list(stage.id, { limit: 1 });
    if (latest !== undefined && isUnfinished(latest)) {
      throw new ServiceError(
        'conflict',
        `deployment ${latest.id} of stage "${stage.name}" is still under way: wait until GetStageDeployment says that it has ended`,
      );
    }
    const now = clock.now();
    const deployment: Deployment = {
      // The latest must have the greatest id.
      id: uuidV7After(latest?.id, random, now),
      stageId: stage.id,
      gameId: stage.gameId,
      snapshotId: snapshot.id,
      action: 'DEPLOY',
      state: 'PENDING',
      result: undefined,
      createdAt: now,
      updatedAt: now,
      claimedBy: undefined,
      claims: 0,
    };
    await store.deployments.prune(stage.id, settings.maxDeployments - 1);
    await store.deployments.insert(deployment);
    return deployment;
  }

  return {
    ...work,

    start({ gameName, stageName, snapshotId, clientToken }, change) {
      const parameters = { gameName, stageName, snapshotId };
      const call = { principal: change.actor, operation: 'StartStageDeployment', clientToken, parameters };
      // The history of a stage forgets its deployments, and a snapshot can be deleted.
      return audit.around({ ...change, details: { ...change.details, snapshotId } }, async () => {
        const deployment = await store.transaction(async (store) => {
          const stage = await getStage(store, gameName, stageName);
          if (isBeingDeleted(stage)) return stageNotFound(gameName, stageName);
          return await createOnceInStage(store, clock.now(), call, {
            create: () => insert(store, stage, snapshotId),
            find: (stageId, id) => store.deployments.find(stageId, id),
            forgotten: deploymentForgotten,
          });
        });
        if (isUnfinished(deployment)) work.start(deployment);
        return deployment;
      });
    },

    async get(gameName, stageName, id) {
      const stage = await getStage(store, gameName, stageName);
      if (id !== undefined) return (await store.deployments.find(stage.id, id)) ?? deploymentNotFound(stage, id);
      const [latest] = await store.deployments.list(stage.id, { limit: 1 });
      return latest ?? deploymentNotFound(stage);
    },

    async list(gameName, stageName, request) {
      const stage = await getStage(store, gameName, stageName);
      const positionOf = ({ id }: Deployment) => id;
      const read = (page: PageQuery) => store.deployments.list(stage.id, page);
      const all = { list: read, bytesOf, maxBytes: MAX_PAGE_BYTES };
      const list = inListTurns(all, { positionOf, turn });
      return await paginate(`ListStageDeployments ${stage.id}`, request, list, positionOf);
    },
  };
}

function bytesOf({ result }: Deployment): number {
  return Buffer.byteLength(result?.message ?? '');
}

interface Examined {
  readonly result: Result;
  /** Undefined when some node did not say: none is forgotten then. */
  readonly runtimesInUse: ReadonlySet<string> | undefined;
}

interface Begun {
  readonly stage: Stage;
  readonly deployment: Deployment;
  readonly snapshot: SnapshotRecord | undefined;
}

/**
 * What a deployment does. A failure of the store makes it try again; anything else that goes wrong ends it as failed.
 */
function createDeploymentWork(parts: DeploymentsParts): WorkKind<Deployment, Begun, Examined, Result> {
  const { store, examine, cluster, events, clock, log, settings } = parts;
  const { allowedRoles, disconnectDeadlineMs } = settings;
  const allowed = allowedRoles.map(compileWildcard);

  async function examineIn({ stage: { role }, deployment, snapshot }: Begun): Promise<Result> {
    if (allowed.length > 0 && !allowed.some((isMatch) => isMatch(role))) {
      const message = `this server does not allow the role ${role} of the stage: use one that matches ${allowedRoles.join(' or ')}`;
      return { code: 'INVALID_ROLE_FAILURE', message };
    }
    try {
      const { faults } = await examine({ sections: snapshot?.sections ?? '' });
      if (faults.length > 0) return { code: 'UNSPECIFIED_FAILURE', message: listFaults(faults) };
      return { code: 'SUCCESS', message: '' };
    } catch (error) {
      if (error instanceof Interrupted) throw error;
      log.error({ err: error, deploymentId: deployment.id }, 'a snapshot could not be checked');
      return { code: 'UNSPECIFIED_FAILURE', message: 'the server failed to check the snapshot; its log says why' };
    }
  }

  return {
    name: 'deployments',
    failure: 'deployment was interrupted and will be tried again',
    maxAtOnce: MAX_AT_ONCE,
    lanes: [{ of: ({ gameId }) => gameId, max: MAX_OF_GAME }],
    listUnfinished: () => store.deployments.listUnfinished(),
    find: (store, { stageId, id }) => store.deployments.find(stageId, id),
    claim: (store, { id }, owner) => store.deployments.claim(id, owner, clock.now()),
    leave: ({ id }, owner) => store.deployments.leave(id, owner),

    async begin(store, deployment) {
      const stage = await store.stages.findById(deployment.stageId);
      if (stage === undefined) return undefined;
      return { stage, deployment, snapshot: await store.snapshots.find(stage.gameId, deployment.snapshotId) };
    },

    abandoned(claims) {
      const message = `the check of the snapshot was begun ${claims} times, and each time the server ended before it was done: its log may say why`;
      return { result: { code: 'UNSPECIFIED_FAILURE', message }, runtimesInUse: undefined };
    },

    async perform(begun) {
      const result = await examineIn(begun);
      // Before the transaction of the end, which must not wait for other nodes.
      return { result, runtimesInUse: await findRuntimesInUse({ ...parts, stageId: begun.stage.id }) };
    },

    async end(store, { deployment: { id, stageId, snapshotId } }, { result: examined, runtimesInUse: inUse }, owner) {
      const stage = await store.stages.findById(stageId);
      if (stage === undefined) return undefined;
      const isGone = isBeingDeleted(stage);
      const result = isGone ? ({ code: 'UNSPECIFIED_FAILURE', message: 'the stage was deleted' } as const) : examined;
      const state = result.code === 'SUCCESS' ? 'COMPLETED' : 'FAILED';
      const updatedAt = clock.now();
      if (!(await store.deployments.end(id, owner, { state, result, updatedAt }))) return undefined;
      if (state === 'COMPLETED') {
        await store.runtimes.insert({ id, stageId, snapshotId, createdAt: updatedAt });
        await store.stages.update(stageId, { runtimeId: id, updatedAt });
        const graceMs = settings.authTimeoutMs;
        if (inUse !== undefined) await forgetOldRuntimes({ store, inUse, stageId, nowMs: updatedAt, graceMs });
      }
      return result;
    },

    async ended({ stage, deployment: { id, stageId, snapshotId } }, { code }) {
      if (code === 'SUCCESS') {
        await cluster.announceRuntime(stageId, id, disconnectDeadlineMs).catch((error: unknown) => {
          log.warn({ err: error, deploymentId: id }, 'not every node has heard of the deployment yet');
        });
      }
      const { gameName, name: stageName } = stage;
      log.info({ gameName, stageName, snapshotId, deploymentId: id, resultCode: code }, 'deployment ended');
      const data = { deploymentId: id, snapshotId, resultCode: code };
      events.emit({ type: 'deployment.completed', gameName, stageName, data });
    },
  };
}

/** One line for each fault, as many as there is room for. */
function listFaults(faults: readonly ConfigurationFault[]): string {
  const lines = ['the snapshot cannot be deployed:'];
  let length = 0;
  for (const fault of faults) {
    const line = describeFault(fault);
    length += line.length;
    if (length > MAX_MESSAGE_LENGTH) return [...lines, 'and more; fix these first'].join('\n');
    lines.push(line);
  }
  return lines.join('\n');
}

function deploymentForgotten(id: string): never {
  throw new ServiceError(
    'conflict',
    `the ClientToken was used for deployment "${id}", which has since left the history: send a new token to deploy again`,
  );
}

function deploymentNotFound({ name, gameName }: Stage, id?: string): never {
  const missing = id === undefined ? 'no deployment' : `no deployment "${id}"`;
  throw new ServiceError(
    'not_found',
    `there is ${missing} of stage "${name}" in game "${gameName}": ListStageDeployments shows those that are kept`,
  );
}

import type { Clock } from '../../../clock.ts';
import type { Cluster } from '../../../cluster/cluster.ts';
import type { ConnectionSelector } from '../../../connection-selector.ts';
import { Interrupted } from '../../../interrupted.ts';
import type { Log } from '../../../log.ts';
import type { Pauses } from '../../../pauses.ts';
import type {
  DisconnectJobRecord,
  DisconnectJobTable,
  DisconnectJobWish,
  JobEnd,
  JobProgress,
  JobTarget,
} from '../../../store/disconnect-jobs.ts';
import type { JobRequest } from './disconnect-job-request.ts';
import { createPace, type Pace } from './pace.ts';

/** How many of its connections a node is asked for at once, beside those that are known already. */
const PAGE = 1_000;
const MATCH_TIMEOUT_MS = 10_000;
/** How long a node that does not answer is left alone, while the job goes on with the others. */
const RETRY_MS = 1_000;
/** How long a node may not answer before its connections are reported as unproven. */
const GIVE_UP_MS = 60_000;
const MAX_FAILURES = 100;

/** Where a run has got to; undefined when the job is another's by now. */
export type RunEnd = Pick<JobEnd, 'state' | 'wish' | 'progress'> | undefined;

export interface RunParts {
  readonly disconnectJobs: Pick<DisconnectJobTable, 'advance'>;
  readonly cluster: Pick<Cluster, 'node' | 'nodes' | 'request' | 'isAlive'>;
  readonly clock: Clock;
  readonly pauses: Pauses;
  readonly log: Pick<Log, 'warn'>;
  readonly settings: { readonly disconnectDeadlineMs: number };
}

/**
 * One node's work on a job. It asks each node for connections that are meant, writes down which it is about to end, and has
 * their owners end them. So a node that goes on after this one has died asks again for those of which nothing is known, and
 * each connection is counted once, by a proof.
 */
export class DisconnectJobRun {
  readonly #parts: RunParts;
  readonly #job: DisconnectJobRecord;
  readonly #request: JobRequest;
  readonly #selector: ConnectionSelector;
  /** On the monotonic clock. Players who connect later are not meant, such as those whom the job itself has sent away. */
  readonly #beganAt: number;
  readonly #owner: string;
  readonly #pace: Pace;
  #closed: number;
  #gone: number;
  #unproven: number;
  readonly #failures: JobTarget[];
  readonly #silentNodes: Set<string>;
  /** Connections that nodes have named, and that are still to be ended. */
  #queue: JobTarget[] = [];
  /** Connections that owners were asked to end, and of which nothing is known yet. */
  #open: readonly JobTarget[];
  /** Connections that are not asked for again, though their nodes may still have them. */
  readonly #givenUp = new Set<string>();
  /** Node → since when it has not done what it was asked, and when it is asked again. */
  readonly #failing = new Map<string, { readonly since: number; readonly retryAt: number }>();

  constructor(
    parts: RunParts,
    work: {
      job: DisconnectJobRecord;
      request: JobRequest;
      playerIds: readonly string[] | undefined;
      owner: string;
      /** By the clock that also said when the job began. */
      now: number;
    },
  ) {
    const { job, request, playerIds } = work;
    this.#parts = parts;
    this.#job = job;
    this.#request = request;
    this.#owner = work.owner;
    this.#selector = { ...request.selector, playerIds };
    // A job cannot have begun in the future: the clock has been set back since.
    this.#beganAt = parts.clock.monotonic() - Math.max(0, work.now - (job.begunAt ?? job.createdAt));
    this.#pace = createPace({ ratePerSecond: request.ratePerSecond, clock: parts.clock, pauses: parts.pauses });
    ({ closed: this.#closed, gone: this.#gone, unproven: this.#unproven, inFlight: this.#open } = job);
    this.#failures = [...job.failures];
    this.#silentNodes = new Set(job.silentNodes);
    for (const { connectionId } of job.failures) this.#givenUp.add(connectionId);
  }

  async run(): Promise<RunEnd> {
    let wish = await this.#advance(this.#open);
    for (;;) {
      if (wish !== 'RUN') return await this.#stopped(wish);
      if (this.#parts.pauses.isEnded) throw new Interrupted();
      const isComplete = this.#queue.length > 0 || (await this.#findMore());
      if (this.#queue.length === 0 && this.#open.length === 0 && isComplete) return this.#finished();
      const left = this.#left();
      if (left === 0 && this.#queue.length > 0 && this.#open.length === 0) {
        return { state: 'AWAITING_CONFIRMATION', wish: 'RUN', progress: this.#progress([]) };
      }
      const asked = this.#queue.splice(0, Math.min(left, await this.#pace.take(this.#queue.length)));
      wish = await this.#advance([...this.#open, ...asked]);
      if (wish === 'RUN') await this.#end(asked);
      if (asked.length === 0) await this.#parts.pauses.pause(RETRY_MS / 4);
    }
  }

  /** How many more connections may be ended without a confirmation. */
  #left(): number {
    if (this.#job.confirmedBy !== undefined) return Number.POSITIVE_INFINITY;
    const hit = this.#closed + this.#unproven + this.#open.length;
    return Math.max(0, this.#request.confirmAbove - hit);
  }

  #finished(): RunEnd {
    const isProven = this.#unproven === 0 && this.#silentNodes.size === 0;
    return { state: isProven ? 'COMPLETED' : 'FAILED', wish: 'RUN', progress: this.#progress([]) };
  }

  /** Finds out, for a job that is cancelled, what has become of those that are on their way to their ends. */
  async #stopped(wish: Exclude<DisconnectJobWish, 'RUN'> | undefined): Promise<RunEnd> {
    if (wish === undefined) return undefined;
    if (wish === 'PAUSE') return { state: 'PAUSED', wish, progress: this.#progress(this.#open) };
    await this.#forEachNode(this.#open, async (node, targets) => {
      const connectionIds = targets.map(({ connectionId }) => connectionId);
      const { stageId, requestId: jobRequestId } = this.#job;
      const { disconnectDeadlineMs } = this.#parts.settings;
      const request = { stageId, connectionIds, jobRequestId };
      const reply = await this.#parts.cluster.request(node, 'describe_connections', request, disconnectDeadlineMs);
      const there = new Set(reply.connections.map(({ connectionId }) => connectionId));
      const ended = connectionIds.filter((id) => !there.has(id));
      const byJob = new Set(reply.endedByJobIds ?? ended);
      this.#closed += ended.filter((id) => byJob.has(id)).length;
      this.#gone += ended.filter((id) => !byJob.has(id)).length;
      // Those that are still there may not have been asked yet, and are left alone.
      return [];
    });
    for (const target of this.#open) this.#giveUp(target);
    this.#open = [];
    return { state: 'CANCELLED', wish: 'CANCEL', progress: this.#progress([]) };
  }

  async #advance(inFlight: readonly JobTarget[]): Promise<DisconnectJobWish | undefined> {
    const { disconnectJobs, clock } = this.#parts;
    return await disconnectJobs.advance(this.#job.id, this.#owner, this.#progress(inFlight), clock.now());
  }

  #progress(inFlight: readonly JobTarget[]): JobProgress {
    const [failures, silentNodes] = [[...this.#failures], [...this.#silentNodes]];
    return { closed: this.#closed, gone: this.#gone, unproven: this.#unproven, inFlight, failures, silentNodes };
  }

  /** What says to nodes whom the job means. */
  #meant() {
    const { clock } = this.#parts;
    const beganAgoMs = clock.monotonic() - this.#beganAt;
    const { connectedBefore } = this.#selector;
    const before = Math.min(connectedBefore ?? Number.POSITIVE_INFINITY, clock.now() - beganAgoMs);
    const selector = { ...this.#selector, connectedBefore: before };
    return { stageId: this.#job.stageId, selector, connectedBefore, beganAgoMs };
  }

  /** Fills the queue. Returns whether every node has said whom it has. */
  async #findMore(): Promise<boolean> {
    const { cluster } = this.#parts;
    const { node: only } = this.#selector;
    const records = await cluster.nodes();
    const nodes = records.map(({ node }) => node).filter((node) => only === undefined || node === only);
    const known = new Set([...this.#givenUp, ...this.#open.map(({ connectionId }) => connectionId)]);
    const found = await Promise.all(
      nodes.map(async (node): Promise<readonly JobTarget[] | undefined> => {
        if (this.#silentNodes.has(node)) return [];
        if (this.#mustWait(node)) return undefined;
        const request = { ...this.#meant(), limit: PAGE + known.size };
        try {
          const { connections } = await cluster.request(node, 'match_connections', request, MATCH_TIMEOUT_MS);
          // While it still has to end some, only their ends say that it does what it is asked.
          if (!this.#open.some((target) => target.node === node)) this.#failing.delete(node);
          return connections
            .filter(({ connectionId }) => !known.has(connectionId))
            .map(({ connectionId, playerId }) => ({ node, playerId, connectionId }));
        } catch (error) {
          if (this.#failed(node, error)) return undefined;
          this.#silentNodes.add(node);
          return [];
        }
      }),
    );
    this.#queue = found.flatMap((targets) => targets ?? []);
    for (const node of this.#failing.keys()) {
      if (!nodes.includes(node) && !this.#open.some((target) => target.node === node)) this.#failing.delete(node);
    }
    return found.every((targets) => targets !== undefined);
  }

  /** Has owners end these connections, and those of which nothing is known yet. */
  async #end(asked: readonly JobTarget[]): Promise<void> {
    const askedBefore = new Set(this.#open.map(({ connectionId }) => connectionId));
    const { requestId, stageId } = this.#job;
    const { farewell, returnWithinMs } = this.#request;
    const order = { requestId, farewell };
    this.#open = [...this.#open, ...asked];
    await this.#forEachNode(this.#open, async (node, targets) => {
      const connections = targets.map(({ connectionId, playerId }) => ({ connectionId, playerId }));
      const request = { stageId, connections, order, returnWithinMs };
      const { disconnectDeadlineMs } = this.#parts.settings;
      const reply = await this.#parts.cluster.request(node, 'end_connections', request, disconnectDeadlineMs);
      const goneIds = new Set(reply.goneIds);
      const closedIds = new Set(reply.closedIds);
      // The answer was lost, or went to another node. A node of an earlier version is taken to have ended all that may have
      // been asked for.
      const endedBefore = reply.endedBeforeIds === undefined ? askedBefore : new Set(reply.endedBeforeIds);
      return targets.filter(({ connectionId: id }) => {
        if (closedIds.has(id) || (goneIds.has(id) && endedBefore.has(id))) this.#closed += 1;
        else if (goneIds.has(id)) this.#gone += 1;
        else return true;
        return false;
      });
    });
  }

  /** Calls `ask` for each owner of connections that are open; it gives those that stay so. */
  async #forEachNode(
    open: readonly JobTarget[],
    ask: (node: string, targets: readonly JobTarget[]) => Promise<readonly JobTarget[]>,
  ): Promise<void> {
    const byNode = new Map<string, JobTarget[]>();
    for (const target of open) {
      const targets = byNode.get(target.node);
      if (targets === undefined) byNode.set(target.node, [target]);
      else targets.push(target);
    }
    const left = await Promise.all(
      [...byNode].map(async ([node, targets]) => {
        if (!(await this.#parts.cluster.isAlive(node))) {
          // They have ended with the node that had them.
          this.#gone += targets.length;
          return [];
        }
        if (this.#mustWait(node)) return targets;
        try {
          const stay = await ask(node, targets);
          if (stay.length < targets.length) this.#failing.delete(node);
          if (stay.length === 0) return [];
          return this.#failed(node, undefined) ? stay : this.#giveUpAll(stay);
        } catch (error) {
          return this.#failed(node, error) ? targets : this.#giveUpAll(targets);
        }
      }),
    );
    this.#open = left.flat();
  }

  #giveUpAll(targets: readonly JobTarget[]): readonly JobTarget[] {
    for (const target of targets) this.#giveUp(target);
    return [];
  }

  #giveUp(target: JobTarget): void {
    this.#unproven += 1;
    this.#givenUp.add(target.connectionId);
    if (this.#failures.length < MAX_FAILURES) this.#failures.push(target);
    // A node that goes on with the job knows only of those that are named, and would count the others once more.
    else this.#silentNodes.add(target.node);
  }

  #mustWait(node: string): boolean {
    const failing = this.#failing.get(node);
    return failing !== undefined && this.#parts.clock.monotonic() < failing.retryAt;
  }

  /** Takes note that a node has not done what it was asked; returns whether it is to be asked again. */
  #failed(node: string, error: unknown): boolean {
    const { clock, log } = this.#parts;
    const now = clock.monotonic();
    const { since } = this.#failing.get(node) ?? { since: now };
    this.#failing.set(node, { since, retryAt: now + RETRY_MS });
    if (error !== undefined) log.warn({ err: error, node, jobId: this.#job.id }, 'a node did not answer a job');
    return now - since < GIVE_UP_MS;
  }
}

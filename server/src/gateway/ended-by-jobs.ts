import { Counts } from '../counts.ts';

/**
 * More jobs than are likely to be at work at the same time. Of those beyond, one of the stage that has most is forgotten, the one
 * that asked longest ago: the jobs of a stage may come one after the other, and those of another one may take hours.
 */
const MAX_JOBS = 400;

/**
 * Which connections jobs have ended on this node, for the time until the jobs know: an answer may be lost, and a node that goes
 * on with a job knows of none. Each request of a job names all of its connections here of which it knows nothing yet, so those
 * that it does not name are forgotten.
 */
export class EndedByJobs {
  /** Request id of a job → its stage, and ids of connections. The one that asked longest ago comes first. */
  readonly #jobs = new Map<string, { readonly stageId: string; readonly ended: Set<string> }>();

  /** Gives the ids among `asked` that the job has ended before, to which the caller adds those that it ends now. */
  of({ requestId, stageId }: { requestId: string; stageId: string }, asked: readonly string[]): Set<string> {
    const ended = this.#jobs.get(requestId)?.ended ?? new Set<string>();
    const named = new Set(asked);
    for (const id of ended) if (!named.has(id)) ended.delete(id);
    this.#jobs.delete(requestId);
    this.#jobs.set(requestId, { stageId, ended });
    if (this.#jobs.size > MAX_JOBS) this.#forgetOne();
    return ended;
  }

  has(requestId: string, connectionId: string): boolean {
    return this.#jobs.get(requestId)?.ended.has(connectionId) === true;
  }

  #forgetOne(): void {
    const ofStages = new Counts();
    for (const { stageId } of this.#jobs.values()) ofStages.add(stageId);
    const most = Math.max(...[...ofStages].map(([, count]) => count));
    for (const [requestId, { stageId }] of this.#jobs) {
      if (ofStages.of(stageId) < most) continue;
      this.#jobs.delete(requestId);
      return;
    }
  }
}

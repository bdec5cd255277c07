/** More jobs than are likely to be at work at the same time. Of those beyond, the one that asked longest ago is forgotten. */
const MAX_JOBS = 100;

/**
 * Which connections jobs have ended on this node, for the time until the jobs know: an answer may be lost, and a node that goes
 * on with a job knows of none. Each request of a job names all of its connections here of which it knows nothing yet, so those
 * that it does not name are forgotten.
 */
export class EndedByJobs {
  /** Request id of a job → ids of connections. The one that asked longest ago comes first. */
  readonly #jobs = new Map<string, Set<string>>();

  /** Gives the ids among `asked` that the job has ended before, to which the caller adds those that it ends now. */
  of(requestId: string, asked: readonly string[]): Set<string> {
    const ended = this.#jobs.get(requestId) ?? new Set<string>();
    const named = new Set(asked);
    for (const id of ended) if (!named.has(id)) ended.delete(id);
    this.#jobs.delete(requestId);
    this.#jobs.set(requestId, ended);
    const [oldest] = this.#jobs.keys();
    if (this.#jobs.size > MAX_JOBS && oldest !== undefined) this.#jobs.delete(oldest);
    return ended;
  }

  has(requestId: string, connectionId: string): boolean {
    return this.#jobs.get(requestId)?.has(connectionId) === true;
  }
}

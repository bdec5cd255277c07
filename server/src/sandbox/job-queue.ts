import type { Clock } from '../clock.ts';
import { Interrupted } from '../interrupted.ts';
import { FairQueue } from './fair-queue.ts';
import type { Job } from './pool-thread.ts';
import type { Ending, InvocationResult } from './sandbox.ts';
import { SENT_AWAY } from './sent-ahead.ts';
import type { SandboxSettings } from './settings.ts';

/**
 * How much JSON may wait for a thread. Beside each text there is the message that it was made from, which takes more.
 */
const MAX_WAITING_BYTES = 67_108_864;

const TOO_MANY = 'too many messages wait for their handlers';

/**
 * The messages that wait for a thread. Games take turns, the stages of a game do, and so do the networks from which the
 * players of a stage come, and the players of a network: guests cost nothing, so one network may have any number of them.
 */
export class JobQueue {
  readonly #queue: FairQueue<Job>;
  readonly #clock: Clock;
  readonly #maxMs: number;
  readonly #pausedMs: (stageId: string) => number;
  #isClosed = false;

  constructor({
    clock,
    settings,
    pausedMs,
  }: {
    clock: Clock;
    settings: SandboxSettings;
    /** How much longer a stage is paused; 0 when it is not. */
    pausedMs: (stageId: string) => number;
  }) {
    this.#clock = clock;
    this.#pausedMs = pausedMs;
    this.#maxMs = settings.scriptMaxMs;
    this.#queue = new FairQueue(
      {
        maxWaiting: settings.scriptMaxWaiting,
        maxWaitingPerLane: settings.scriptMaxWaitingPerStage,
        maxBytes: MAX_WAITING_BYTES,
        maxBytesPerLane: MAX_WAITING_BYTES / 4,
      },
      {
        groupOf: (_, { invocation }) => invocation.runtime.gameId,
        crowdOf: (playerId, { invocation }) => invocation.network ?? playerId,
        displaced: ({ resolve }) => resolve(busy(TOO_MANY)),
      },
    );
  }

  get size(): number {
    return this.#queue.size;
  }

  /** Answers the message at once when its stage is paused, or too many wait. */
  add(job: Job): void {
    const { runtime, playerId } = job.invocation;
    const why = this.#whyPaused(job);
    if (this.#isClosed) job.reject(new Interrupted());
    else if (why !== undefined) job.resolve(busy(why));
    else if (!this.#queue.add(runtime.stageId, playerId, job, job.inputJson.length)) {
      job.resolve(busy(TOO_MANY));
    }
  }

  /** Takes back a message that was taken and has not run. It is the next of its stage. */
  putBack(job: Job): void {
    const { runtime, playerId } = job.invocation;
    if (this.#isClosed) job.reject(new Interrupted());
    else this.#queue.putBack(runtime.stageId, playerId, job, job.inputJson.length);
  }

  /**
   * Takes the message whose turn it is, among those that `mayRun`; with a stage, only if it is that stage's turn. It
   * answers those that have waited too long, whose players were sent away, or whose stage was paused meanwhile.
   */
  take(mayRun: (job: Job) => boolean, onlyStageId?: string): Job | undefined {
    for (;;) {
      const job = this.#queue.take((_, next) => mayRun(next), onlyStageId);
      if (job === undefined || this.#stillRuns(job)) return job;
    }
  }

  /** The first of these messages, which a thread was sent ahead, that may run. It answers those before that. */
  firstOf(sentAhead: Iterable<Job>): Job | undefined {
    for (const job of sentAhead) if (this.#stillRuns(job)) return job;
    return undefined;
  }

  #stillRuns(job: Job): boolean {
    const why = this.whyNot(job);
    if (why !== undefined) job.resolve(busy(why));
    return why === undefined;
  }

  /** Why a message that has waited must not run; undefined when it may. */
  whyNot(job: Job): string | undefined {
    if (job.invocation.isDropped?.()) return SENT_AWAY;
    const isLate = this.#clock.monotonic() - job.enqueuedAt > this.#maxMs;
    return this.#whyPaused(job) ?? (isLate ? 'the handlers of other messages took too long' : undefined);
  }

  #whyPaused({ invocation: { runtime } }: Job): string | undefined {
    const pausedMs = this.#pausedMs(runtime.stageId);
    return pausedMs === 0 ? undefined : `the scripts of this stage are paused for ${pausedMs} ms more`;
  }

  /** Counts the time that a stage had a thread. */
  charge(stageId: string, ms: number): void {
    this.#queue.charge(stageId, ms);
  }

  /** Rejects all that waits, and whatever comes later. */
  close(): void {
    this.#isClosed = true;
    for (const { reject } of this.#queue.clear()) reject(new Interrupted());
  }
}

/**
 * A message that its thread has begun already. If its player was sent away by now, what it does has no effect: a process that was
 * stopped for longer than its lease has threads that go on before the process has looked at that.
 */
export function begun(job: Job): Job {
  if (!job.invocation.isDropped?.()) return job;
  const call = async () => ({ error: { code: 'stopped', message: SENT_AWAY } });
  return { ...job, invocation: { ...job.invocation, call }, resolve: () => job.resolve(busy(SENT_AWAY)) };
}

/** The answer to a message that is not run. */
export function busy(why: string): InvocationResult {
  return withoutLines({ kind: 'busy', why });
}

export function withoutLines(ending: Ending): InvocationResult {
  return { ending, lines: [], linesDropped: 0 };
}

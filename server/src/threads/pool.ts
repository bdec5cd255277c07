import { Worker } from 'node:worker_threads';
import type { Clock } from '../clock.ts';
import { type ErrorCode, ServiceError } from '../errors.ts';
import { Interrupted } from '../interrupted.ts';

/** What a thread is told to do. */
export interface Task {
  readonly job: string;
  readonly argument: unknown;
}

/** What a thread says at the end of a task. */
export type Answer =
  | { readonly result: unknown }
  | { readonly refused: { readonly code: ErrorCode; readonly message: string } }
  | { readonly bug: unknown };

export interface Pool {
  /** Runs a job in the first thread that is free. The caller sees to it that not too many wait. */
  run(task: Task): Promise<unknown>;
  /** Ends all threads. Tasks under way, and all later ones, reject with `Interrupted`. */
  close(): Promise<void>;
}

/** Many times what the largest document takes, however it is written. */
const TIMEOUT_MS = 60_000;

/** More memory than the worst document of a megabyte takes. */
const RESOURCE_LIMITS = { maxOldGenerationSizeMb: 512 };

interface Thread {
  readonly worker: Worker;
  /** Undefined while the thread is idle. */
  end: ((answer: Answer) => void) | undefined;
}

interface Waiting {
  readonly task: Task;
  readonly resolve: (answer: Answer) => void;
  readonly reject: (reason: unknown) => void;
}

/**
 * Threads that are started when they are first needed and then kept. A thread that fails, or does not end in time, is
 * replaced when the next task needs it.
 */
export function createPool({ size, clock }: { size: number; clock: Clock }): Pool {
  const threads = new Set<Thread>();
  const waiting: Waiting[] = [];
  let isClosed = false;

  function start(): Thread {
    const worker = new Worker(new URL('./job-worker.js', import.meta.url), { resourceLimits: RESOURCE_LIMITS });
    const thread: Thread = { worker, end: undefined };
    threads.add(thread);
    const fail = (bug: unknown) => {
      threads.delete(thread);
      thread.end?.({ bug });
    };
    worker.on('message', (answer: Answer) => thread.end?.(answer));
    worker.on('error', fail);
    worker.on('exit', (code) => fail(new Error(`a thread for long work ended with code ${code}`)));
    return thread;
  }

  function findFree(): Thread | undefined {
    for (const thread of threads) if (thread.end === undefined) return thread;
    return threads.size < size ? start() : undefined;
  }

  function next(): void {
    if (isClosed || waiting.length === 0) return;
    const thread = findFree();
    if (thread !== undefined) perform(thread, waiting.shift() as Waiting);
  }

  function perform(thread: Thread, { task, resolve, reject }: Waiting): void {
    const { worker } = thread;
    const cancelTimeout = clock.after(TIMEOUT_MS, () => void worker.terminate());
    const settle = (outcome: () => void) => {
      cancelTimeout();
      thread.end = undefined;
      // An idle thread does not keep the process alive.
      worker.unref();
      outcome();
      next();
    };
    thread.end = (answer) => settle(() => resolve(answer));
    worker.ref();
    try {
      worker.postMessage(task);
    } catch (error) {
      settle(() => reject(error));
    }
  }

  return {
    async run(task) {
      if (isClosed) throw new Interrupted();
      const answer = await new Promise<Answer>((resolve, reject) => {
        waiting.push({ task, resolve, reject });
        next();
      });
      if ('result' in answer) return answer.result;
      if ('refused' in answer) throw new ServiceError(answer.refused.code, answer.refused.message);
      throw isClosed ? new Interrupted({ cause: answer.bug }) : answer.bug;
    },
    async close() {
      isClosed = true;
      for (const { reject } of waiting.splice(0)) reject(new Interrupted());
      await Promise.all([...threads].map(({ worker }) => worker.terminate()));
    },
  };
}

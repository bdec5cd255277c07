import { Worker } from 'node:worker_threads';
import { AnswerBox } from './bridge.ts';
import type { Invocation, InvocationResult, ScriptedRuntime } from './sandbox.ts';
import { SentAhead } from './sent-ahead.ts';
import type { ThreadData, ThreadLimits, ToThread } from './thread-messages.ts';
import type { CompiledEngine } from './web-assembly.ts';

/** Deep recursion in a script becomes recursion of the engine on the thread's own stack. */
const STACK_MEGABYTES = 16;

/** A message that waits for a thread, or has one. */
export interface Job {
  /** Unique among all messages. */
  readonly id: number;
  readonly invocation: Invocation;
  readonly inputJson: string;
  readonly resolve: (result: InvocationResult) => void;
  readonly reject: (error: unknown) => void;
  readonly enqueuedAt: number;
  hasScriptsSent: boolean;
  /** Whether a thread lacked its scripts while another one was loading some for which they must wait. */
  isUnloaded: boolean;
}

interface Loading {
  readonly runtime: ScriptedRuntime;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

export interface Thread {
  readonly worker: Worker;
  /** Whether it has started and warmed up. */
  isReady: boolean;
  readonly answers: AnswerBox;
  job: Job | undefined;
  /** The number of that job, as the thread was sent it last. */
  number: number;
  readonly sentAhead: SentAhead;
  /** The job that it was sent ahead, and its number. */
  next: { readonly job: Job; readonly number: number } | undefined;
  /** Whether the script of the job waits for the answer to a call. */
  isWaiting: boolean;
  startedAt: number;
  /** Loads that the thread was sent and has not answered, in order. */
  readonly loading: Loading[];
  /**
   * The ids of the runtimes that the thread has loaded. It may have dropped some, which it reports when one is to run.
   */
  readonly loaded: Set<string>;
  cancelWatchdog: () => void;
  cancelDeadline: () => void;
}

/** What the guest is told of the message, as JSON. */
export function inputOf({ playerId, claims, message, messageJson }: Invocation): string {
  if (messageJson === undefined) return JSON.stringify({ playerId, claims, message });
  return `${JSON.stringify({ playerId, claims }).slice(0, -1)},"message":${messageJson}}`;
}

export function openThread(engine: CompiledEngine, limits: ThreadLimits): Thread {
  const answers = new AnswerBox();
  const sentAhead = new SentAhead();
  const data: ThreadData = { engine, answers: answers.memory, sentAhead: sentAhead.memory, limits };
  const worker = new Worker(new URL('./script-worker.js', import.meta.url), {
    workerData: data,
    // A script must find nothing of the server's environment, not even if it escapes from its guest.
    env: {},
    resourceLimits: { stackSizeMb: STACK_MEGABYTES },
  });
  // A server runs for as long as its listeners do, and threads must not keep a command from ending.
  worker.unref();
  return {
    worker,
    answers,
    isReady: false,
    job: undefined,
    number: 0,
    sentAhead,
    next: undefined,
    isWaiting: false,
    startedAt: 0,
    loading: [],
    loaded: new Set(),
    cancelWatchdog: () => {},
    cancelDeadline: () => {},
  };
}

export function sendTo({ worker }: Thread, message: ToThread): void {
  worker.postMessage(message);
}

/** Returns the number that the job has at the thread. */
export function sendJob(thread: Thread, { id, invocation: { runtime, handler }, inputJson }: Job): number {
  const number = thread.sentAhead.next();
  sendTo(thread, { kind: 'invoke', jobId: id, runtimeId: runtime.id, handler, inputJson, number });
  return number;
}

/** Whether the thread could run a job now. */
export function isFree(thread: Thread | undefined): thread is Thread {
  return thread?.isReady === true && thread.job === undefined && thread.loading.length === 0;
}

/** Whether the thread is waiting for an answer or loading scripts, either of which may take long. */
export function isHeld({ isWaiting, loading }: Thread): boolean {
  return isWaiting || loading.length > 0;
}

/** Takes back the job that the thread was sent ahead, unless the thread has begun it. */
export function takeBack(thread: Thread): Job | undefined {
  const { next, sentAhead } = thread;
  if (next === undefined || !sentAhead.take(next.number)) return undefined;
  thread.next = undefined;
  return next.job;
}

import type { Clock } from '../clock.ts';
import { Counts } from '../counts.ts';
import { Interrupted } from '../interrupted.ts';
import type { Log } from '../log.ts';
import { answerText, parametersOf } from './bridge.ts';
import { Crew } from './crew.ts';
import { compileEngine } from './engine.ts';
import { createHostAnswers } from './host-answers.ts';
import { begun, busy, JobQueue, withoutLines } from './job-queue.ts';
import { Offences, QUICK_MS } from './offences.ts';
import {
  inputOf,
  isFree,
  isHeld,
  type Job,
  openThread,
  sendJob,
  sendTo,
  type Thread,
  takeBack,
} from './pool-thread.ts';
import { Preparations, TOO_LONG_TO_LOAD } from './preparations.ts';
import type { Invocation, InvocationResult, Sandbox, ScriptedRuntime } from './sandbox.ts';
import { limitsOf, type SandboxSettings } from './settings.ts';
import type { FromThread } from './thread-messages.ts';
import type { CompiledEngine } from './web-assembly.ts';

/** Many times as long as it takes to load the largest configuration. */
const LOAD_TIMEOUT_MS = 5_000;

/** How many loaded runtimes are remembered for each thread. */
const MAX_KNOWN = 1_000;

/**
 * Runs scripts in threads, which are started once there is something to run. A thread that does not answer is ended and
 * replaced. A spare thread is kept ready, because a start takes a tenth of a second. While the scripts in all other
 * threads wait for answers, which takes no processor, the spare one runs those of stages that have no thread. While it
 * waits too, a thread in reserve, started when it is first needed, runs those of games that have no thread.
 *
 * A busy thread is sent the next message of its stage ahead of time, if the stage is quick and it is its turn, so that
 * the thread need not sleep in between. Until the thread comes to that message, an idle thread may take it over.
 *
 * Nothing can stop the engine while it compiles, and a hostile script may keep it busy for minutes. So a thread that
 * loads scripts does nothing for other stages, a game loads in one thread at a time, all games that took too long in the
 * last hour load one after the other, and the end of a thread counts against the stage whose scripts took too long.
 */
export class SandboxPool implements Sandbox {
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #settings: SandboxSettings;
  readonly #engine: CompiledEngine;
  readonly #queue: JobQueue;
  readonly #offences: Offences;
  readonly #answer: ReturnType<typeof createHostAnswers>;
  readonly #crew: Crew;
  /** Stage id → how many threads run its scripts. */
  readonly #running = new Counts();
  readonly #preparations = new Preparations();
  #lastJobId = 0;
  #isClosed = false;

  static async open(parts: { clock: Clock; log: Log; settings: SandboxSettings }): Promise<SandboxPool> {
    return new SandboxPool(await compileEngine(), parts);
  }

  private constructor(
    engine: CompiledEngine,
    { clock, log, settings }: { clock: Clock; log: Log; settings: SandboxSettings },
  ) {
    this.#engine = engine;
    this.#clock = clock;
    this.#log = log;
    this.#settings = settings;
    this.#offences = new Offences({ clock });
    this.#crew = new Crew(() => this.#startThread(), this.#offences);
    this.#queue = new JobQueue({ clock, settings, pausedMs: (stageId) => this.#offences.pausedMs(stageId) });
    this.#answer = createHostAnswers({ clock, log, settings });
  }

  /** Starts the threads, unless it has. A server that will have scripts to run calls this in advance. */
  start(): void {
    if (!this.#isClosed && !this.#crew.isStarted) this.#crew.start(this.#settings.scriptThreads);
  }

  async prepare(runtime: ScriptedRuntime): Promise<void> {
    if (this.#isClosed) throw new Interrupted();
    if (this.#offences.pausedMs(runtime.stageId) > 0) throw new Error('the scripts of the stage are paused');
    this.start();
    const prepared = this.#preparations.add(runtime, this.#crew.members);
    this.#prepareNext();
    await prepared;
  }

  invoke(invocation: Invocation): Promise<InvocationResult> {
    if (this.#isClosed) return Promise.reject(new Interrupted());
    this.start();
    const inputJson = inputOf(invocation);
    return new Promise((resolve, reject) => {
      const isNew = { enqueuedAt: this.#clock.monotonic(), hasScriptsSent: false, isUnloaded: false };
      this.#lastJobId += 1;
      this.#enqueue({ id: this.#lastJobId, invocation, inputJson, resolve, reject, ...isNew });
    });
  }

  /**
   * What is in the queue is looked at again when its turn comes. What was sent ahead is not, so it is taken back, and what a
   * thread has been sent, and may not have begun, is forbidden.
   */
  dropped(): void {
    const isDropped = ({ invocation }: Job) => invocation.isDropped?.() === true;
    const jobs = [...this.#crew.takeSentAhead(isDropped)];
    for (const job of jobs) this.#queue.putBack(job);
    for (const { job, sentAhead, number } of this.#crew.all()) if (job && isDropped(job)) sentAhead.forbid(number);
    if (jobs.length > 0) this.#runNext();
  }

  #enqueue(job: Job): void {
    this.#queue.add(job);
    this.#runNext();
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#queue.close();
    this.#preparations.giveAllUp(new Interrupted());
    await Promise.all([...this.#crew.all()].map((thread) => thread.worker.terminate()));
  }

  #startThread(): Thread {
    const thread = openThread(this.#engine, limitsOf(this.#settings));
    const { worker } = thread;
    worker.on('message', (message: FromThread) => this.#receive(thread, message));
    worker.on('error', (error) => this.#log.error({ err: error }, 'a thread for scripts failed'));
    worker.on('exit', () => this.#exited(thread));
    return thread;
  }

  #load(thread: Thread, runtime: ScriptedRuntime): Promise<void> {
    return new Promise((resolve, reject) => {
      thread.loading.push({ runtime, resolve, reject });
      sendTo(thread, { kind: 'load', runtime });
    });
  }

  /** Prepares runtimes in idle threads, one at a time, so that the other threads serve messages. */
  #prepareNext(): void {
    for (const thread of this.#crew.members) if (thread.job === undefined && thread.loading.length > 0) return;
    const mayLoad = ({ gameId }: ScriptedRuntime) => !this.#crew.isLoading(gameId);
    const next = this.#preparations.take({ threads: this.#crew.members, mayLoad });
    if (next === undefined) return;
    const { thread, runtime } = next;
    this.#load(thread, runtime).catch((error: unknown) => this.#preparations.giveUp(runtime, error));
    this.#watch(thread);
  }

  #runNext(): void {
    this.#takeBackFromHeld();
    for (const thread of this.#crew.members) {
      if (!isFree(thread)) continue;
      const job = this.#takeJob((next) => this.#mayRun(next)) ?? this.#queue.firstOf(this.#crew.takeSentAhead());
      if (job === undefined) break;
      this.#run(thread, job);
    }
    this.#sendAhead();
    this.#runOnSpare();
    this.#prepareNext();
  }

  /** Puts back into the queue what was sent ahead to threads whose scripts have waited long. */
  #takeBackFromHeld(): void {
    const isHeldLong = (_: Job, thread: Thread) =>
      isHeld(thread) && this.#clock.monotonic() - thread.startedAt > QUICK_MS;
    for (const job of this.#crew.takeSentAhead(isHeldLong)) this.#queue.putBack(job);
  }

  #sendAhead(): void {
    for (const thread of this.#crew.members) {
      if (this.#queue.size === 0) return;
      const stageId = thread.job?.invocation.runtime.stageId;
      if (stageId === undefined || thread.next !== undefined || isHeld(thread)) continue;
      if (!this.#offences.isQuick(stageId)) continue;
      const isReady = ({ invocation: { runtime } }: Job) =>
        runtime.stageId !== stageId || thread.loaded.has(runtime.id);
      const job = this.#takeJob((next) => isReady(next) && this.#mayRun(next), stageId);
      if (job === undefined) continue;
      thread.next = { job, number: sendJob(thread, job) };
    }
  }

  #runOnSpare(): void {
    for (const thread of this.#crew.members) if (!isHeld(thread)) return;
    const { spare } = this.#crew;
    if (isFree(spare)) {
      const job = this.#takeJob(({ invocation }) => this.#running.of(invocation.runtime.stageId) === 0);
      if (job !== undefined) this.#run(spare, job);
    }
    if (spare === undefined || !isHeld(spare) || this.#queue.size === 0) return;
    const reserve = this.#crew.callReserve();
    if (!isFree(reserve)) return;
    const games = new Set([...this.#crew.all()].map(({ job }) => job?.invocation.runtime.gameId));
    const job = this.#takeJob(({ invocation }) => !games.has(invocation.runtime.gameId));
    if (job !== undefined) this.#run(reserve, job);
  }

  #takeJob(mayRun: (job: Job) => boolean, onlyStageId?: string): Job | undefined {
    const mayLoad = ({ isUnloaded, invocation }: Job) =>
      !isUnloaded || !this.#crew.isLoading(invocation.runtime.gameId);
    return this.#queue.take((job) => mayLoad(job) && mayRun(job), onlyStageId);
  }

  /** The slow stages of one game leave a thread to other stages, if there is more than one. */
  #mayRun({ invocation: { runtime } }: Job): boolean {
    if (!this.#offences.isSlow(runtime)) return true;
    const isAlike = (other: ScriptedRuntime) => other.gameId === runtime.gameId && this.#offences.isSlow(other);
    const running = [...this.#crew.members].filter(({ job }) => job && isAlike(job.invocation.runtime)).length;
    return running === 0 || running < this.#settings.scriptThreads - 1;
  }

  #run(thread: Thread, job: Job): void {
    this.#begin(thread, job);
    thread.number = sendJob(thread, job);
  }

  /** Counts the job as running, and limits its time. */
  #begin(thread: Thread, job: Job): void {
    const { stageId } = job.invocation.runtime;
    thread.job = job;
    thread.startedAt = this.#clock.monotonic();
    this.#running.add(stageId);
    thread.cancelDeadline = this.#clock.after(this.#settings.scriptMaxMs, () => this.#kill(thread));
    this.#watch(thread);
  }

  /** Begins the job that the thread was sent ahead, once it is done with the one before. */
  #goOn(thread: Thread): void {
    const { next } = thread;
    if (next === undefined) return;
    thread.next = undefined;
    this.#begin(thread, begun(next.job));
    thread.number = next.number;
  }

  #watch(thread: Thread): void {
    thread.cancelWatchdog();
    const delayMs = thread.loading.length > 0 ? LOAD_TIMEOUT_MS : this.#settings.scriptWatchdogMs;
    thread.cancelWatchdog = this.#clock.after(delayMs, () => {
      // If this thread was busy, it first reads what the other has sent meanwhile, which may call the watchdog off.
      const killing = setImmediate(() => this.#kill(thread));
      thread.cancelWatchdog = () => clearImmediate(killing);
    });
  }

  #receive(thread: Thread, message: FromThread): void {
    if ('jobId' in message && message.jobId !== thread.job?.id) {
      this.#distrust(thread);
      return;
    }
    switch (message.kind) {
      case 'ready':
        thread.isReady = true;
        this.#runNext();
        return;
      case 'loaded':
        this.#loaded(thread, message.fault);
        return;
      case 'call':
        void this.#call(thread, message);
        return;
      case 'missing':
        this.#sendAgain(thread);
        return;
      case 'ended':
        this.#end(thread, message);
    }
  }

  /** Ends a thread that reports on another message than its own, unless the thread was removed before. */
  #distrust(thread: Thread): void {
    if (!this.#crew.has(thread)) return;
    this.#log.error({}, 'a thread for scripts handled another message than it should have, and is ended');
    void thread.worker.terminate();
  }

  #loaded(thread: Thread, fault: string | undefined): void {
    const loading = thread.loading.shift();
    if (loading !== undefined && fault === undefined) {
      if (thread.loaded.size >= MAX_KNOWN) thread.loaded.clear();
      thread.loaded.add(loading.runtime.id);
      loading.resolve();
    } else loading?.reject(new Error(`the scripts could not be loaded: ${fault}`));
    if (thread.job === undefined) thread.cancelWatchdog();
    else this.#runLoaded(thread, thread.job);
    // Messages of the same game may have waited for this.
    this.#runNext();
  }

  /** Runs the job for which the thread has loaded scripts, if it may still run: loading may have taken seconds. */
  #runLoaded(thread: Thread, job: Job): void {
    // The stage is not charged for loading its scripts, or its next messages would wait for that as well.
    thread.startedAt = this.#clock.monotonic();
    const why = this.#queue.whyNot(job);
    if (why !== undefined) return void this.#release(thread)?.resolve(busy(why));
    this.#watch(thread);
    thread.number = sendJob(thread, job);
  }

  /** Sends the scripts to a thread that did not have them, or has dropped them to make room for others. */
  #sendAgain(thread: Thread): void {
    const { job } = thread;
    if (job === undefined) return;
    thread.loaded.delete(job.invocation.runtime.id);
    const after = takeBack(thread);
    if (after !== undefined) this.#queue.putBack(after);
    if (thread.next !== undefined) {
      // The thread has begun the job that it was sent ahead.
      this.#release(thread);
      this.#goOn(thread);
      this.#queue.putBack(job);
      return void this.#runNext();
    }
    if (job.hasScriptsSent) {
      this.#release(thread);
      job.reject(new Error('a thread for scripts has no room for the scripts of one runtime'));
      return void this.#runNext();
    }
    if (this.#crew.isLoading(job.invocation.runtime.gameId)) {
      job.isUnloaded = true;
      this.#release(thread);
      return void this.#enqueue(job);
    }
    job.hasScriptsSent = true;
    // If this fails, the thread reports once more that they are missing.
    const { runtime } = job.invocation;
    this.#load(thread, runtime).catch((error: unknown) => {
      if (!this.#isClosed) this.#log.error({ err: error, runtimeId: runtime.id }, 'scripts could not be loaded');
    });
    this.#watch(thread);
    // What came before that, and found a thread that seemed to be done with its message soon, need not wait for this.
    this.#runNext();
  }

  async #call(
    thread: Thread,
    { number, operation, parametersJson }: Extract<FromThread, { kind: 'call' }>,
  ): Promise<void> {
    const { job } = thread;
    if (job === undefined) return;
    thread.cancelWatchdog();
    thread.isWaiting = true;
    this.#runOnSpare();
    const parameters = parametersOf(parametersJson);
    const answer = await this.#answer(job.invocation, operation, parameters);
    // The thread may have been ended meanwhile.
    if (thread.job !== job) return;
    thread.isWaiting = false;
    this.#watch(thread);
    thread.answers.put(number, answerText(answer));
  }

  #end(thread: Thread, { ending, lines, linesDropped }: InvocationResult): void {
    const job = this.#release(thread);
    this.#goOn(thread);
    job?.resolve({ ending, lines, linesDropped });
    this.#runNext();
  }

  /** Takes the job from the thread, and charges its stage for the time. */
  #release(thread: Thread): Job | undefined {
    const { job } = thread;
    if (job === undefined) return undefined;
    thread.job = undefined;
    thread.isWaiting = false;
    thread.cancelWatchdog();
    thread.cancelDeadline();
    const { stageId } = job.invocation.runtime;
    const spentMs = this.#clock.monotonic() - thread.startedAt;
    this.#queue.charge(stageId, spentMs);
    this.#offences.spent(stageId, spentMs);
    this.#running.add(stageId, -1);
    return job;
  }

  /** Ends a thread whose script, or the loading of scripts, takes too long. */
  #kill(thread: Thread): void {
    if (!this.#crew.has(thread)) return;
    const after = takeBack(thread);
    // The thread has begun that job, so the one before has ended, and the message that says so is on its way.
    if (thread.next !== undefined) return;
    const job = this.#release(thread);
    const [loading] = thread.loading;
    this.#crew.remove(thread, { replace: !this.#isClosed });
    void thread.worker.terminate();
    const runtime = loading?.runtime ?? job?.invocation.runtime;
    if (runtime !== undefined) this.#offences.killed(runtime, { whileLoading: loading !== undefined });
    if (loading !== undefined) this.#preparations.giveUp(loading.runtime, new Error(TOO_LONG_TO_LOAD));
    const why = loading === undefined ? 'it did not end in time and was ended by force' : TOO_LONG_TO_LOAD;
    job?.resolve(withoutLines({ kind: 'stopped', why }));
    if (after !== undefined) this.#queue.putBack(after);
    this.#runNext();
  }

  #exited(thread: Thread): void {
    for (const { reject } of thread.loading.splice(0)) reject(new Interrupted());
    if (!this.#crew.has(thread)) return;
    const after = takeBack(thread);
    const lost = [this.#release(thread), thread.next?.job];
    this.#crew.remove(thread, { replace: !this.#isClosed });
    const error = this.#isClosed ? new Interrupted() : new Error('a thread for scripts ended');
    for (const job of lost) job?.reject(error);
    if (after !== undefined) this.#queue.putBack(after);
    if (!this.#isClosed) this.#runNext();
  }
}

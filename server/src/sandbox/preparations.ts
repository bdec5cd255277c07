import { isFree, type Thread } from './pool-thread.ts';
import type { ScriptedRuntime } from './sandbox.ts';

/** How many runtimes may wait to be made ready. One beyond that is loaded by its first message. */
const MAX_PREPARATIONS = 100;

export const TOO_LONG_TO_LOAD =
  'the scripts of the stage take too long to be loaded: give them fewer variables, or split them';

/** A runtime that is being made ready in all threads that existed when that was asked for. */
interface Preparation {
  readonly runtime: ScriptedRuntime;
  readonly left: Set<Thread>;
  readonly promise: Promise<void>;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/** The runtimes that are to be made ready before their first messages come, in the order of the requests. */
export class Preparations {
  /** By the id of the runtime. */
  readonly #waiting = new Map<string, Preparation>();

  /** Resolves when the runtime is ready in each of the threads that still exists. */
  add(runtime: ScriptedRuntime, threads: Iterable<Thread>): Promise<void> {
    const known = this.#waiting.get(runtime.id);
    if (known !== undefined) return known.promise;
    if (this.#waiting.size >= MAX_PREPARATIONS) {
      return Promise.reject(new Error(`${MAX_PREPARATIONS} runtimes already wait to be made ready, and more may not`));
    }
    let [resolve, reject]: [Preparation['resolve'], Preparation['reject']] = [() => {}, () => {}];
    const promise = new Promise<void>((onDone, onFault) => {
      [resolve, reject] = [onDone, onFault];
    });
    // A thread that has the runtime is left out: sending it once more would take as long as the first time.
    const left = new Set([...threads].filter(({ loaded }) => !loaded.has(runtime.id)));
    this.#waiting.set(runtime.id, { runtime, left, promise, resolve, reject });
    return promise;
  }

  /** What to load next, and in which idle thread. It counts as loaded there. */
  take({
    threads,
    mayLoad,
  }: {
    threads: ReadonlySet<Thread>;
    mayLoad: (runtime: ScriptedRuntime) => boolean;
  }): { readonly runtime: ScriptedRuntime; readonly thread: Thread } | undefined {
    for (const { runtime, left, resolve } of this.#waiting.values()) {
      for (const thread of left) if (!threads.has(thread)) left.delete(thread);
      if (left.size === 0) {
        this.#waiting.delete(runtime.id);
        resolve();
        continue;
      }
      const thread = [...left].find(isFree);
      if (thread === undefined || !mayLoad(runtime)) continue;
      left.delete(thread);
      return { runtime, thread };
    }
    return undefined;
  }

  /** Gives up a runtime, which leaves its loading to its first message. */
  giveUp({ id }: Pick<ScriptedRuntime, 'id'>, error: unknown): void {
    this.#waiting.get(id)?.reject(error);
    this.#waiting.delete(id);
  }

  giveAllUp(error: unknown): void {
    for (const { runtime } of this.#waiting.values()) this.giveUp(runtime, error);
  }
}

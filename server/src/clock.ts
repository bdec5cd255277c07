import type { MaybePromise } from './maybe-promise.ts';

/** Time as the rest of the server sees it; tests pass a clock that they move themselves. */
export interface Clock {
  /** Wall-clock time, milliseconds since 1970. Only for what people and tokens read. */
  now(): number;
  /** Milliseconds that never jump or run backwards. For every deadline and wait. */
  monotonic(): number;
  /** Runs `task` once after `delayMs`; the returned function cancels it. The timer never keeps the process alive. */
  after(delayMs: number, task: () => void): () => void;
}

/** A point in time, by both clocks. */
export interface Moment {
  readonly monotonic: number;
  readonly wall: number;
}

export function momentOf(clock: Pick<Clock, 'now' | 'monotonic'>): Moment {
  return { monotonic: clock.monotonic(), wall: clock.now() };
}

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  after(delayMs, task) {
    const timer = setTimeout(task, delayMs);
    timer.unref();
    return () => clearTimeout(timer);
  },
};

/** Resolves when `delayMs` have passed. */
export function passed(delayMs: number, clock: Pick<Clock, 'after'>): Promise<void> {
  return new Promise((resolve) => void clock.after(delayMs, resolve));
}

/** Resolves when `delayMs` have passed, or as soon as `hurry` resolves. */
export function passing(delayMs: number, hurry: Promise<unknown>, clock: Clock): Promise<void> {
  return new Promise((resolve) => {
    const cancel = clock.after(delayMs, resolve);
    void hurry.then(() => {
      cancel();
      resolve();
    });
  });
}

/** Settles as `work` does, or rejects after `timeoutMs`. `work` itself then goes on, but its result is ignored. */
export function withTimeout<T>(work: Promise<T>, timeoutMs: number, clock: Clock): Promise<T>;
export function withTimeout<T>(work: MaybePromise<T>, timeoutMs: number, clock: Clock): MaybePromise<T>;
export function withTimeout<T>(work: MaybePromise<T>, timeoutMs: number, clock: Clock): MaybePromise<T> {
  if (!(work instanceof Promise)) return work;
  return new Promise((resolve, reject) => {
    const cancel = clock.after(timeoutMs, () => reject(new Error(`no answer within ${Math.round(timeoutMs)} ms`)));
    work.then(resolve, reject).finally(cancel);
  });
}

/**
 * A value that is there, or the promise of one. Code that has its answer returns it, because every promise costs its
 * callers a turn of the event loop's microtasks. A function that returns such a value may fail in both ways: it throws,
 * or its promise rejects.
 */
export type MaybePromise<T> = T | Promise<T>;

/** Goes on with a value: at once when it is there, otherwise when its promise resolves. */
export function andThen<T, U>(value: MaybePromise<T>, next: (value: T) => MaybePromise<U>): MaybePromise<U> {
  return value instanceof Promise ? value.then(next) : next(value);
}

/** What `work` gives, or what `handle` makes of its failure. */
export function orElse<T>(work: () => MaybePromise<T>, handle: (error: unknown) => MaybePromise<T>): MaybePromise<T> {
  try {
    const value = work();
    return value instanceof Promise ? value.catch(handle) : value;
  } catch (error) {
    return handle(error);
  }
}

/** All of the values, in their order. Rejects when one of them does. */
export function all<T>(values: readonly MaybePromise<T>[]): MaybePromise<T[]> {
  const isThere = (value: MaybePromise<T>): value is T => !(value instanceof Promise);
  return values.every(isThere) ? [...values] : Promise.all(values);
}

/** A run of a function for `inSteps`: it yields the promises for which it has to wait. */
export type Steps<T> = Generator<Promise<unknown>, T, unknown>;

/** Stands for `await` in a function for `inSteps`: `yield* settled(value)`. */
export function* settled<T>(value: MaybePromise<T>): Steps<T> {
  return value instanceof Promise ? ((yield value) as T) : value;
}

/**
 * Makes a function that waits only for what is not there yet of one that is written like an async function. It should be
 * called once for each such function, not for each call of it: V8 takes long to make a generator function.
 */
export function inSteps<Parameters extends unknown[], T>(
  work: (...parameters: Parameters) => Steps<T>,
): (...parameters: Parameters) => MaybePromise<T> {
  return (...parameters) => {
    const steps = work(...parameters);
    const first = steps.next();
    return first.done === true ? first.value : goOn(steps, first.value);
  };
}

async function goOn<T>(steps: Steps<T>, first: Promise<unknown>): Promise<T> {
  let awaited = first;
  for (;;) {
    const step = await awaited.then(
      (value) => steps.next(value),
      (error: unknown) => steps.throw(error),
    );
    if (step.done === true) return step.value;
    awaited = step.value;
  }
}

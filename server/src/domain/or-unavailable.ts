import { type Clock, withTimeout } from '../clock.ts';
import { ServiceError } from '../errors.ts';
import { type MaybePromise, orElse } from '../maybe-promise.ts';

/** The answer of the store, the directory or a node. Throws an `internal` that may be tried again when it fails or is late. */
export function orUnavailable<T>(
  source: string,
  ask: () => MaybePromise<T>,
  timeoutMs: number,
  clock: Clock,
): MaybePromise<T> {
  return orElse(
    () => withTimeout(ask(), timeoutMs, clock),
    (cause) => {
      throw new ServiceError('internal', `The ${source} is not available. Try again.`, { cause });
    },
  );
}

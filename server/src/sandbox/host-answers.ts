import type { Clock } from '../clock.ts';
import { mayPass } from '../errors.ts';
import type { Log } from '../log.ts';
import { createRareWarnings } from '../rare-warnings.ts';
import type { HostAnswer, Invocation } from './sandbox.ts';

/** Answers each call of a script once, and in time: a late answer could be taken for the answer to the next call. */
export function createHostAnswers({
  clock,
  log,
  settings: { scriptCallTimeoutMs },
}: {
  clock: Clock;
  log: Log;
  settings: { readonly scriptCallTimeoutMs: number };
}) {
  const warn = createRareWarnings({ clock, log });
  return async (
    { call }: Invocation,
    operation: string,
    parameters: readonly unknown[] | undefined,
  ): Promise<HostAnswer> => {
    if (parameters === undefined) {
      return { error: { code: 'bad_argument', message: 'the arguments of a call must be JSON' } };
    }
    return await new Promise((resolve) => {
      const cancel = clock.after(scriptCallTimeoutMs, () =>
        resolve({ error: { code: 'timeout', message: `${operation} took more than ${scriptCallTimeoutMs} ms` } }),
      );
      void call(operation, parameters)
        .catch((error: unknown): HostAnswer => {
          // While the database is away, the calls of every message fail this way.
          if (mayPass(error))
            warn(operation, { err: error, operation }, 'a call of a script failed and may be tried again');
          else log.error({ err: error, operation }, 'a call of a script failed');
          return { error: { code: 'internal', message: `${operation} failed` } };
        })
        .then((answer) => {
          cancel();
          resolve(answer);
        });
    });
  };
}

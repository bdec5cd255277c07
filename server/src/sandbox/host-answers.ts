import type { Clock } from '../clock.ts';
import type { Log } from '../log.ts';
import type { HostAnswer, Invocation } from './sandbox.ts';

/** Answers the calls of scripts in time. Each settles once: a late answer could be taken for that to the next call. */
export function createHostAnswers({
  clock,
  log,
  settings: { scriptCallTimeoutMs },
}: {
  clock: Clock;
  log: Log;
  settings: { readonly scriptCallTimeoutMs: number };
}) {
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
          log.error({ err: error, operation }, 'a call of a script failed');
          return { error: { code: 'internal', message: `${operation} failed` } };
        })
        .then((answer) => {
          cancel();
          resolve(answer);
        });
    });
  };
}

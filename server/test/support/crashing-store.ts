import type { Store } from '../../src/store/store.ts';

/** A store whose process dies before or after the effect of one step. That step fails, and so do all later ones. */
export function crashingStore(store: Store, crash: { phase: 'before' | 'after'; stepsLeft: number }): Store {
  const died = () => new Error('the process has died');
  const step = async (run: () => unknown): Promise<unknown> => {
    crash.stepsLeft -= 1;
    if (crash.stepsLeft < 0 || (crash.stepsLeft === 0 && crash.phase === 'before')) throw died();
    const result = await run();
    if (crash.stepsLeft === 0) throw died();
    return result;
  };
  const wrap = <T extends object>(target: T): T =>
    new Proxy(target, {
      get(object, name) {
        const value = Reflect.get(object, name) as unknown;
        if (name === 'transaction') {
          return (work: (store: Store) => Promise<unknown>) =>
            step(() => (object as unknown as Store).transaction((inner) => work(wrap(inner))));
        }
        if (typeof value === 'function') return (...rest: unknown[]) => step(() => value.apply(object, rest));
        return typeof value === 'object' && value !== null ? wrap(value) : value;
      },
    });
  return wrap(store);
}

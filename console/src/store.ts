import { useEffect, useState } from 'preact/hooks';

/** A value that components follow. */
export interface Signal<T> {
  get(): T;
  set(value: T): void;
  subscribe(listener: () => void): () => void;
}

export function signal<T>(initial: T): Signal<T> {
  let current = initial;
  const listeners = new Set<() => void>();
  return {
    get: () => current,
    set(value) {
      current = value;
      for (const listener of listeners) listener();
    },
    subscribe(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
  };
}

/** The present value of the signal, which draws the component again when it changes. */
export function useSignal<T>(followed: Signal<T>): T {
  const [value, setValue] = useState(() => followed.get());
  useEffect(() => {
    const update = () => setValue(() => followed.get());
    update();
    return followed.subscribe(update);
  }, [followed]);
  return value;
}

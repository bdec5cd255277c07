import type { Clock } from './clock.ts';

/** Waits that can all be ended at once, as when the server stops. */
export interface Pauses {
  readonly isEnded: boolean;
  /** Resolves after the delay, or at the end. */
  pause(delayMs: number): Promise<void>;
  end(): void;
}

export function createPauses(clock: Pick<Clock, 'after'>): Pauses {
  const waiting = new Set<() => void>();
  let isEnded = false;
  return {
    get isEnded() {
      return isEnded;
    },
    pause(delayMs) {
      if (isEnded) return Promise.resolve();
      return new Promise((resolve) => {
        const wake = () => {
          cancel();
          waiting.delete(wake);
          resolve();
        };
        const cancel = clock.after(delayMs, wake);
        waiting.add(wake);
      });
    },
    end() {
      isEnded = true;
      for (const wake of waiting) wake();
    },
  };
}

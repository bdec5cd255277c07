import { setTimeout as sleep } from 'node:timers/promises';
import { ServiceRefusal } from './management-client.ts';

const MAX_ATTEMPTS = 10;
const PAUSE_MS = 1_000;

/** Makes the call again after a pause when the server has no capacity for it now: many pages are many calls. */
export async function patiently<T>(call: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await call();
    } catch (error) {
      const isThrottled = error instanceof ServiceRefusal && error.errorName === 'ThrottlingException';
      if (!isThrottled || attempt === MAX_ATTEMPTS) throw error;
      await sleep(PAUSE_MS);
    }
  }
}

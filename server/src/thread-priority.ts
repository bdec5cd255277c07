import { getPriority, setPriority } from 'node:os';

/**
 * Lets the server's own thread go before the one that calls this, with a priority in Node.js's scale. Linux, and no other
 * system, has a priority for each thread. It lets no thread raise its own.
 */
export function lowerThreadPriority(priority: number): void {
  if (process.platform === 'linux' && getPriority() < priority) setPriority(priority);
}

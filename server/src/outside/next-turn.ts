import { setImmediate } from 'node:timers/promises';

/** Resolves when sockets have been read once more: an immediate that is set while they are read comes before that. */
export async function nextTurn(): Promise<void> {
  await setImmediate();
  await setImmediate();
}

import { setPriority } from 'node:os';
import { parentPort, workerData } from 'node:worker_threads';
import { systemClock } from '../clock.ts';
import { createSystemRandom } from '../random.ts';
import { ScriptThread } from './script-thread.ts';
import type { ThreadData } from './thread-messages.ts';

/** Lower than usual, so that the event loop does not wait for a core behind scripts that never end. */
const NICENESS = 5;

if (parentPort === null) throw new Error('scripts run in threads, which pool.ts starts');
try {
  // On Linux 0 is this thread; elsewhere it would be the whole server.
  if (process.platform === 'linux') setPriority(0, NICENESS);
} catch {
  // Some containers forbid it, and it is not worth a failure.
}
const data = workerData as ThreadData;
new ScriptThread({ port: parentPort, data, clock: systemClock, random: createSystemRandom() }).listen();

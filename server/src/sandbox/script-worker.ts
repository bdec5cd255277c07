import { parentPort, workerData } from 'node:worker_threads';
import { systemClock } from '../clock.ts';
import { createSystemRandom } from '../random.ts';
import { ScriptThread } from './script-thread.ts';
import type { ThreadData } from './thread-messages.ts';

if (parentPort === null) throw new Error('this file runs in a thread that the pool of scripts starts');
const data = workerData as ThreadData;
new ScriptThread({ port: parentPort, data, clock: systemClock, random: createSystemRandom() }).listen();

import { parentPort, workerData } from 'node:worker_threads';
import { type Examination, examineHere } from '../domain/examination.ts';

// What a thread of `examiner.ts` runs.
parentPort?.postMessage(examineHere(workerData as Examination));

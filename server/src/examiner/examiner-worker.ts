import { parentPort, workerData } from 'node:worker_threads';
import { type Examination, examineInThisThread } from '../domain/examination.ts';

// What a thread of `examiner.ts` runs.
parentPort?.postMessage(examineInThisThread(workerData as Examination));

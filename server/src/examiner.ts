import { Worker } from 'node:worker_threads';
import { type Clock, withTimeout } from './clock.ts';
import type { Examine, Findings } from './domain/examination.ts';

/** A hundred times what the largest snapshot takes. */
const TIMEOUT_MS = 60_000;

/** Enough for the largest snapshot several times over. */
const RESOURCE_LIMITS = { maxOldGenerationSizeMb: 512 };

/** Examines each snapshot in a thread of its own, so that it holds up neither players nor calls. */
export function createExaminer({ clock }: { clock: Clock }): Examine {
  return async function examine(examination) {
    const worker = new Worker(new URL('./examiner-thread.js', import.meta.url), {
      workerData: examination,
      resourceLimits: RESOURCE_LIMITS,
    });
    // What is left undone when the process ends, the next start does again.
    worker.unref();
    try {
      return await withTimeout(findingsOf(worker), TIMEOUT_MS, clock);
    } finally {
      await worker.terminate();
    }
  };
}

function findingsOf(worker: Worker): Promise<Findings> {
  return new Promise((resolve, reject) => {
    worker.once('message', resolve);
    worker.once('error', reject);
    worker.once('exit', (code) => reject(new Error(`the examining thread ended with ${code} and no findings`)));
  });
}

import { Worker } from 'node:worker_threads';
import { type Clock, withTimeout } from '../clock.ts';
import { Interrupted } from '../domain/background.ts';
import type { Examine, Findings } from '../domain/examination.ts';

/** Many times what the largest snapshot takes, even beside as many others as there may be at once. */
const TIMEOUT_MS = 60_000;

/** More memory than the worst snapshot of a megabyte takes. */
const RESOURCE_LIMITS = { maxOldGenerationSizeMb: 512 };

export interface Examiner {
  /** Examines each snapshot in a thread of its own, so that it holds up neither players nor calls. */
  readonly examine: Examine;
  /** Ends all threads. Examinations under way, and all later ones, reject with `Interrupted`. */
  close(): Promise<void>;
}

export function createExaminer({ clock }: { clock: Clock }): Examiner {
  const threads = new Set<Worker>();
  let isClosed = false;

  return {
    async examine(examination) {
      if (isClosed) throw new Interrupted();
      const worker = new Worker(new URL('./thread.js', import.meta.url), {
        workerData: examination,
        resourceLimits: RESOURCE_LIMITS,
      });
      threads.add(worker);
      try {
        return await withTimeout(findingsOf(worker), TIMEOUT_MS, clock);
      } catch (error) {
        throw isClosed ? new Interrupted({ cause: error }) : error;
      } finally {
        threads.delete(worker);
        await worker.terminate();
      }
    },
    async close() {
      isClosed = true;
      await Promise.all([...threads].map((worker) => worker.terminate()));
    },
  };
}

function findingsOf(worker: Worker): Promise<Findings> {
  return new Promise((resolve, reject) => {
    worker.once('message', resolve);
    worker.once('error', reject);
    worker.once('exit', (code) =>
      reject(new Error(`the examining thread ended with code ${code} and without findings`)),
    );
  });
}

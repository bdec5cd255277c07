import { Worker } from 'node:worker_threads';
import { type Clock, withTimeout } from '../clock.ts';
import type { Examination, Examine, Findings } from '../domain/examination.ts';
import { Interrupted } from '../interrupted.ts';

/** Many times what the largest snapshot takes, even beside as many others as there may be at once. */
const TIMEOUT_MS = 60_000;

const MEBIBYTE = 1_048_576;

interface ExaminerSettings {
  readonly examinerThreads: number;
  readonly examinerMemoryBytes: number;
}

export interface Examiner {
  /** Examines each snapshot in a thread of its own, so that it holds up neither players nor calls. */
  readonly examine: Examine;
  /** Ends all threads. Examinations under way, and all later ones, reject with `Interrupted`. */
  close(): Promise<void>;
}

export function createExaminer({ clock, settings }: { clock: Clock; settings: ExaminerSettings }): Examiner {
  const threads = new Set<Worker>();
  /** Examinations that wait for a thread, as many as there is background work at once. */
  const waiting: (() => void)[] = [];
  let free = settings.examinerThreads;
  let isClosed = false;

  function release(): void {
    const next = waiting.shift();
    if (next === undefined) free += 1;
    else next();
  }

  async function examine(examination: Examination): Promise<Findings> {
    if (isClosed) throw new Interrupted();
    if (free > 0) free -= 1;
    else await new Promise<void>((resolve) => waiting.push(resolve));
    try {
      if (isClosed) throw new Interrupted();
      const worker = new Worker(new URL('./examiner-worker.js', import.meta.url), {
        workerData: examination,
        resourceLimits: { maxOldGenerationSizeMb: Math.floor(settings.examinerMemoryBytes / MEBIBYTE) },
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
    } finally {
      release();
    }
  }

  return {
    examine,
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

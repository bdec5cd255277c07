import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { type Clock, withTimeout } from '../clock.ts';
import type { Examination, Examine, Findings } from '../domain/examination.ts';
import { Interrupted } from '../interrupted.ts';
import type { Answer } from './examiner-process.ts';

/** Many times what the largest snapshot takes, even beside as many others as there may be at once. */
const TIMEOUT_MS = 60_000;

const MEBIBYTE = 1_048_576;

interface ExaminerSettings {
  readonly examinerThreads: number;
  readonly examinerMemoryBytes: number;
}

export interface Examiner {
  /**
   * Examines each snapshot in a process of its own, so that it holds up neither players nor calls, and can be ended whatever it
   * does. V8 gives up the whole process, and not only a thread, where it cannot go on with a script, and some of what it does
   * with one nothing can end but the end of the process.
   */
  readonly examine: Examine;
  /** Ends all processes. Examinations under way, and all later ones, reject with `Interrupted`. */
  close(): Promise<void>;
}

const PROGRAM = fileURLToPath(new URL('./examiner-process.js', import.meta.url));

/** Sent to all processes of a server that is to stop. One that has just begun does not listen for them yet. */
const STOPPING: readonly unknown[] = ['SIGINT', 'SIGTERM', 'SIGHUP'] satisfies NodeJS.Signals[];

export function createExaminer({
  clock,
  settings,
  program = PROGRAM,
}: {
  clock: Clock;
  settings: ExaminerSettings;
  program?: string;
}): Examiner {
  const processes = new Set<ChildProcess>();
  /** Examinations that wait for a process, as many as there is background work at once. */
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
      const examining = fork(program, {
        execArgv: [`--max-old-space-size=${Math.floor(settings.examinerMemoryBytes / MEBIBYTE)}`],
        serialization: 'advanced',
        // V8 says there why it gives up.
        stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
      });
      processes.add(examining);
      try {
        return await withTimeout(findingsOf(examining, examination), TIMEOUT_MS, clock);
      } catch (error) {
        throw isClosed ? new Interrupted({ cause: error }) : error;
      } finally {
        processes.delete(examining);
        await end(examining);
      }
    } finally {
      release();
    }
  }

  return {
    examine,
    async close() {
      isClosed = true;
      await Promise.all([...processes].map(end));
    },
  };
}

function findingsOf(examining: ChildProcess, examination: Examination): Promise<Findings> {
  return new Promise((resolve, reject) => {
    examining.on('message', (answer: Answer) => {
      if ('findings' in answer) resolve(answer.findings);
      else reject(answer.bug);
    });
    examining.on('error', reject);
    examining.on('exit', (code, signal) => {
      const cause = new Error(`the examining process ended with ${signal ?? `code ${code}`} and without findings`);
      reject(STOPPING.includes(signal) ? new Interrupted({ cause }) : cause);
    });
    // Should it be gone, that is heard of otherwise.
    examining.send(examination, () => {});
  });
}

/** Resolves when the process is gone. */
async function end(examining: ChildProcess): Promise<void> {
  const { pid, exitCode, signalCode } = examining;
  if (pid === undefined || exitCode !== null || signalCode !== null) return;
  const exit = new Promise((resolve) => examining.once('exit', resolve));
  examining.kill('SIGKILL');
  await exit;
}

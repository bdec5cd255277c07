import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { type Clock, withTimeout } from '../clock.ts';
import type { Examination, Examine, Findings } from '../domain/examination.ts';
import { Interrupted } from '../interrupted.ts';
import type { Answer } from './examiner-process.ts';

/** Many times what the largest snapshot takes, even beside as many others as there may be at once. */
const TIMEOUT_MS = 60_000;
/** How long a process is kept that has nothing to examine. */
const KEPT_MS = 300_000;
const MEBIBYTE = 1_048_576;

interface ExaminerSettings {
  readonly examinerThreads: number;
  readonly examinerMemoryBytes: number;
}

export interface Examiner {
  /**
   * Examines snapshots in processes of their own, one in each at a time, so that they hold up neither players nor calls, and can be
   * ended whatever they do. V8 gives up the whole process, and not only a thread, where it cannot go on with a script, and some
   * of what it does with one nothing can end but the end of the process.
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
  const crew = createCrew({ clock, settings, program });
  /** Examinations that wait for a process, as many as there is background work at once. */
  const waiting: (() => void)[] = [];
  let free = settings.examinerThreads;
  let isClosed = false;

  /** The next in line takes the place over, so that nobody who asks later gets it in between. */
  function release(): void {
    const next = waiting.shift();
    if (next === undefined) free += 1;
    else next();
  }

  async function examine(examination: Examination): Promise<Findings> {
    if (free > 0) free -= 1;
    else await new Promise<void>((resolve) => waiting.push(resolve));
    try {
      if (isClosed) throw new Interrupted();
      const examining = crew.take();
      try {
        const answer = await withTimeout(answerOf(examining, examination), TIMEOUT_MS, clock);
        if (!('findings' in answer)) throw answer.bug;
        crew.giveBack(examining);
        return answer.findings;
      } catch (error) {
        await crew.end(examining);
        throw isClosed ? new Interrupted({ cause: error }) : error;
      }
    } finally {
      release();
    }
  }

  return {
    examine,
    async close() {
      isClosed = true;
      await crew.close();
    },
  };
}

/**
 * The processes that examine, each one snapshot after the other: to begin one has the server's event loop wait while the kernel
 * copies what it knows of its memory, twenty milliseconds for a gigabyte.
 */
function createCrew({ clock, settings, program }: { clock: Clock; settings: ExaminerSettings; program: string }) {
  const all = new Set<ChildProcess>();
  /** Those without work, and what keeps each from being ended for that. */
  const idle = new Map<ChildProcess, () => void>();

  function begin(): ChildProcess {
    const examining = fork(program, {
      execArgv: [`--max-old-space-size=${Math.floor(settings.examinerMemoryBytes / MEBIBYTE)}`],
      // What the server is set to is no matter of a snapshot.
      env: {},
      serialization: 'advanced',
      // V8 says there why it gives up.
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    });
    all.add(examining);
    examining.on('error', () => {});
    examining.once('exit', () => forget(examining));
    return examining;
  }

  function forget(examining: ChildProcess): void {
    all.delete(examining);
    idle.get(examining)?.();
    idle.delete(examining);
  }

  /** Whether this process, when it has nothing else to do, waits for that one. */
  function setAwaited(examining: ChildProcess, isAwaited: boolean): void {
    const change = isAwaited ? 'ref' : 'unref';
    examining[change]();
    examining.channel?.[change]();
  }

  /** Resolves when the process is gone. */
  async function end(examining: ChildProcess): Promise<void> {
    forget(examining);
    const { pid, exitCode, signalCode } = examining;
    if (pid === undefined || exitCode !== null || signalCode !== null) return;
    setAwaited(examining, true);
    const exit = new Promise((resolve) => examining.once('exit', resolve));
    examining.kill('SIGKILL');
    await exit;
  }

  return {
    take(): ChildProcess {
      const [kept] = idle.keys();
      if (kept === undefined) return begin();
      idle.get(kept)?.();
      idle.delete(kept);
      setAwaited(kept, true);
      return kept;
    },
    giveBack(examining: ChildProcess): void {
      if (!all.has(examining)) return;
      setAwaited(examining, false);
      idle.set(
        examining,
        clock.after(KEPT_MS, () => void end(examining)),
      );
    },
    end,
    close: async () => void (await Promise.all([...all].map(end))),
  };
}

/** Rejects when the process ends instead. */
function answerOf(examining: ChildProcess, examination: Examination): Promise<Answer> {
  return new Promise((resolve, reject) => {
    examining.once('message', (answer: Answer) => {
      examining.off('exit', gone).off('error', reject);
      resolve(answer);
    });
    const gone = (code: number | null, signal: NodeJS.Signals | null): void => {
      const cause = new Error(`the examining process ended with ${signal ?? `code ${code}`} and without findings`);
      reject(STOPPING.includes(signal) ? new Interrupted({ cause }) : cause);
    };
    examining.once('exit', gone).once('error', reject);
    // Should it be gone, that is heard of otherwise.
    examining.send(examination, () => {});
  });
}

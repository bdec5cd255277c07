import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { type Clock, withTimeout } from '../clock.ts';
import type { Examination, Examine, Findings } from '../domain/examination.ts';
import { Interrupted } from '../interrupted.ts';
import type { FromKeeper, ToKeeper } from './examiner-keeper.ts';

/** Many times what the largest snapshot takes, even beside as many others as there may be at once. */
const TIMEOUT_MS = 60_000;
/** How long the keeper may take to end its processes and itself. */
const CLOSE_MS = 1_000;
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

const KEEPER = fileURLToPath(new URL('./examiner-keeper.js', import.meta.url));

/** Sent to all processes of a server that is to stop. One that has just begun does not listen for them yet. */
const STOPPING: readonly unknown[] = ['SIGINT', 'SIGTERM', 'SIGHUP'] satisfies NodeJS.Signals[];

export function createExaminer({
  clock,
  settings,
  program,
}: {
  clock: Clock;
  settings: ExaminerSettings;
  /** What examines, in the place of `examiner-process.ts`. */
  program?: string;
}): Examiner {
  const keeper = createKeeper({ clock, settings, program });
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
      return await keeper.examine(examination);
    } catch (error) {
      throw isClosed ? new Interrupted({ cause: error }) : error;
    } finally {
      release();
    }
  }

  return {
    examine,
    async close() {
      isClosed = true;
      await keeper.close();
    },
  };
}

interface Pending {
  resolve(findings: Findings): void;
  reject(error: unknown): void;
}

/**
 * A small process that begins and ends those that examine. To begin one has the event loop wait while the kernel copies the
 * tables of all memory that the process has, tens of milliseconds for a gigabyte: so the server begins a process only when it has
 * little, at its start.
 */
function createKeeper({
  clock,
  settings,
  program,
}: {
  clock: Clock;
  settings: ExaminerSettings;
  program: string | undefined;
}) {
  const pending = new Map<number, Pending>();
  let lastId = 0;
  let keeper = begin();

  function begin(): ChildProcess {
    const megabytes = Math.floor(settings.examinerMemoryBytes / MEBIBYTE);
    const child = fork(KEEPER, [`${megabytes}`, ...(program === undefined ? [] : [program])], {
      execArgv: [],
      // What the server is set to is no matter of a snapshot.
      env: {},
      serialization: 'advanced',
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    });
    child.on('message', (said: FromKeeper) => settle(said));
    const gone = (how: string, signal: NodeJS.Signals | null) => {
      if (child === keeper) for (const id of [...pending.keys()]) settle({ id, ended: how, signal });
    };
    child.on('error', (error) => gone(error.message, null));
    child.once('exit', (code, signal) => gone(signal ?? `code ${code}`, signal));
    setAwaited(child, false);
    return child;
  }

  function settle(said: FromKeeper): void {
    const examination = pending.get(said.id);
    pending.delete(said.id);
    if (pending.size === 0) setAwaited(keeper, false);
    if ('answer' in said) {
      if ('findings' in said.answer) examination?.resolve(said.answer.findings);
      else examination?.reject(said.answer.bug);
      return;
    }
    const cause = new Error(`the examining process ended with ${said.ended} and without findings`);
    examination?.reject(STOPPING.includes(said.signal) ? new Interrupted({ cause }) : cause);
  }

  function say(message: ToKeeper): void {
    // Should it be gone, that is heard of otherwise.
    keeper.send(message, () => {});
  }

  return {
    async examine(examination: Examination): Promise<Findings> {
      if (!isThere(keeper)) keeper = begin();
      lastId += 1;
      const id = lastId;
      const findings = new Promise<Findings>((resolve, reject) => pending.set(id, { resolve, reject }));
      setAwaited(keeper, true);
      say({ kind: 'examine', id, examination });
      try {
        return await withTimeout(findings, TIMEOUT_MS, clock);
      } catch (error) {
        // It may be the one that does not end.
        if (pending.has(id)) say({ kind: 'give_up', id });
        throw error;
      }
    },

    async close(): Promise<void> {
      if (!isThere(keeper)) return;
      setAwaited(keeper, true);
      const exit = new Promise((resolve) => keeper.once('exit', resolve));
      if (keeper.connected) keeper.disconnect();
      const timer = setTimeout(() => keeper.kill('SIGKILL'), CLOSE_MS);
      await exit;
      clearTimeout(timer);
    },
  };
}

function isThere({ pid, exitCode, signalCode }: ChildProcess): boolean {
  return pid !== undefined && exitCode === null && signalCode === null;
}

/** Whether this process, when it has nothing else to do, waits for that one. */
function setAwaited(child: ChildProcess, isAwaited: boolean): void {
  const change = isAwaited ? 'ref' : 'unref';
  child[change]();
  child.channel?.[change]();
}

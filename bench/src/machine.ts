import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { availableParallelism, cpus, loadavg, release, totalmem } from 'node:os';

/** What the figures depend on, without anything that names the machine. */
export interface MachineFacts {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGiB: number;
  readonly kernel: string;
  readonly node: string;
  /** Open files that one process may have, which bounds the connections of a server. */
  readonly maxOpenFiles: number;
  /** Whether servers and load generator each have a core of their own. */
  readonly isPinned: boolean;
  /** Processes that wanted to run in the minute before. */
  readonly loadAtStart: number;
}

const TASKSET = '/usr/bin/taskset';

export function machineFacts(): MachineFacts {
  return {
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: availableParallelism(),
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    kernel: release(),
    node: process.version,
    maxOpenFiles: Number(/^Max open files\s+\d+\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1] ?? 1024),
    isPinned: canPin(),
    loadAtStart: loadavg()[0] ?? 0,
  };
}

/** The commit that is measured, with a `+` when files differ from it. */
export function measuredCommit(): string {
  const git = (...args: string[]) => execFileSync('git', args, { encoding: 'utf8' }).trim();
  return `${git('rev-parse', '--short=12', 'HEAD')}${git('status', '--porcelain', '--untracked-files=no') === '' ? '' : '+'}`;
}

/** The command that runs Node.js on one core, or on any core where cores cannot be told apart. */
export function nodeOnCore(core: 0 | 1): { command: string; args: string[] } {
  if (!canPin()) return { command: process.execPath, args: [] };
  return { command: TASKSET, args: ['-c', String(core), process.execPath] };
}

function canPin(): boolean {
  return availableParallelism() > 1 && existsSync(TASKSET);
}

/**
 * CPU time of all threads of a process, microseconds. The scheduler's own count: `utime` and `stime` in `stat` are the
 * same sum, but rounded to ticks of 10 ms, which is too coarse for a hundred calls.
 */
export function cpuMicros(pid: number): number {
  const threads = readdirSync(`/proc/${pid}/task`).map((thread) => {
    const [nanoseconds = '0'] = readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8').split(' ');
    return Number(nanoseconds);
  });
  return threads.reduce((sum, nanoseconds) => sum + nanoseconds, 0) / 1000;
}

export function rssBytes(pid: number): number {
  const kibibytes = /^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  if (kibibytes === undefined) throw new Error(`process ${pid} has no resident memory: it has ended`);
  return Number(kibibytes) * 1024;
}

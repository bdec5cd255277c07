import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { availableParallelism, cpus, loadavg, release, totalmem } from 'node:os';
import type { NodeBinary } from './node-binary.ts';

/** The facts about the machine that figures depend on, without anything that identifies it. */
export interface MachineFacts {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGiB: number;
  readonly kernel: string;
  readonly node: string;
  /** How many files one process may have open, which limits the connections of a server. */
  readonly maxOpenFiles: number;
  /** Whether the server and the load generator each have a core of their own. */
  readonly isPinned: boolean;
  /** The load average of the minute before: how many processes wanted to run. */
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

/** The commit that is measured, followed by a `+` if files differ from it. */
export function measuredCommit(): string {
  const git = (...args: string[]) => execFileSync('git', args, { encoding: 'utf8' }).trim();
  return `${git('rev-parse', '--short=12', 'HEAD')}${git('status', '--porcelain', '--untracked-files=no') === '' ? '' : '+'}`;
}

/** The command that runs Node.js on the given core, or on any core if processes cannot be pinned or must not be. */
export function nodeOnCore(core: 0 | 1 | 'any', { path }: NodeBinary): { command: string; args: string[] } {
  if (core === 'any' || !canPin()) return { command: path, args: [] };
  return { command: TASKSET, args: ['-c', String(core), path] };
}

/** Has a process that somebody else has started, and what it will start, run on the core of the servers. */
export function pinToServersCore(pid: number): void {
  if (canPin()) execFileSync(TASKSET, ['-a', '-c', '-p', '0', String(pid)]);
}

/**
 * Has this process run on the core of the generators until the function that this returns is called. It must start no
 * process meanwhile, which would run there too.
 */
export function pinToGeneratorsCore(): () => void {
  if (!canPin()) return () => {};
  const allowed = /^Cpus_allowed_list:\s+(\S+)$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? '0-1';
  const pin = (cores: string) => execFileSync(TASKSET, ['-a', '-c', '-p', cores, String(process.pid)]);
  pin('1');
  return () => void pin(allowed);
}

function canPin(): boolean {
  return availableParallelism() > 1 && existsSync(TASKSET);
}

/**
 * CPU time of all threads of a process, in microseconds, as the scheduler counts it. `utime` and `stime` in `stat` are
 * the same sum rounded to ticks of 10 ms, which is too coarse for a hundred calls.
 */
export function cpuMicros(pid: number): number {
  let sum = 0;
  for (const micros of threadCpuMicros(pid).values()) sum += micros;
  return sum;
}

/** The same of each thread, by its id; that of the main thread is the id of the process. */
export function threadCpuMicros(pid: number): Map<number, number> {
  const threads = new Map<number, number>();
  for (const thread of readdirSync(`/proc/${pid}/task`)) {
    try {
      const [nanoseconds = '0'] = readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8').split(' ');
      threads.set(Number(thread), Number(nanoseconds) / 1000);
    } catch {
      // The thread has ended meanwhile.
    }
  }
  return threads;
}

export function rssBytes(pid: number): number {
  const kibibytes = /^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  if (kibibytes === undefined) throw new Error(`process ${pid} has ended: it has no resident memory`);
  return Number(kibibytes) * 1024;
}

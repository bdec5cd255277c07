import { type ChildProcess, spawn } from 'node:child_process';
import { on, once } from 'node:events';
import type { Readable } from 'node:stream';
import { WebSocket } from 'ws';
import { cpuMicros, nodeOnCore, rssBytes, threadCpuMicros } from './machine.ts';
import type { NodeBinary } from './node-binary.ts';

export interface ServerProcess {
  readonly port: number;
  /** Milliseconds from the start of the process until it reported that it serves. */
  readonly startedInMs: number;
  /** Everything else that its ready line said. */
  readonly facts: Readonly<Record<string, string>>;
  cpuMicros(): number;
  /** CPU of each thread but the main one. */
  otherThreadsCpuMicros(): ReadonlyMap<number, number>;
  rssBytes(): number;
  /** Runs a garbage collection, as V8 would by itself sooner or later. */
  collectGarbage(): Promise<void>;
  /** Ends the process; resolves when it is gone. */
  stop(): Promise<void>;
}

const START_TIMEOUT_MS = 20_000;

/** Starts a server on the servers' core, unless its threads need more than one. Its ready line names the port, or is JSON with the port and other facts. */
export async function startServerProcess({
  node,
  script,
  args = [],
  env = {},
  readyLine,
  core = 0,
  release = () => {},
}: {
  node: NodeBinary;
  script: string;
  args?: readonly string[];
  env?: Readonly<Record<string, string>>;
  readyLine: RegExp;
  core?: 0 | 'any';
  /** Called when the process is gone. */
  release?: () => void;
}): Promise<ServerProcess> {
  const pinned = nodeOnCore(core, node);
  const startedAt = performance.now();
  const child = spawn(pinned.command, [...pinned.args, '--inspect-port=0', script, ...args], {
    // The server inherits no variables of this process, because a setting could hide among them.
    env: { NODE_ENV: 'production', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const exited = once(child, 'exit').then(release);
  const stop = async () => {
    child.kill('SIGKILL');
    await exited;
  };
  let debuggerUrl: Promise<string> | undefined;
  try {
    const { port, ...facts } = await untilReady(child, readyLine, script);
    const { pid = 0 } = child;
    return {
      port: Number(port),
      startedInMs: performance.now() - startedAt,
      facts,
      cpuMicros: () => cpuMicros(pid),
      otherThreadsCpuMicros() {
        const threads = threadCpuMicros(pid);
        threads.delete(pid);
        return threads;
      },
      rssBytes: () => rssBytes(pid),
      async collectGarbage() {
        debuggerUrl ??= openDebugger(child);
        const debug = new WebSocket(await debuggerUrl);
        await once(debug, 'open');
        debug.send('{"id":1,"method":"HeapProfiler.collectGarbage"}');
        await once(debug, 'message');
        debug.terminate();
      },
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Has Node.js open its debugger by a signal, so that a server needs neither a flag nor code for it. */
async function openDebugger(child: ChildProcess): Promise<string> {
  child.kill('SIGUSR1');
  let output = '';
  for await (const [chunk] of on(child.stderr as Readable, 'data')) {
    output += chunk;
    const url = /Debugger listening on (ws:\S+)/.exec(output)?.[1];
    if (url !== undefined) return url;
  }
  throw new Error('a server ended before its debugger was open');
}

function untilReady(child: ChildProcess, readyLine: RegExp, script: string): Promise<Record<string, string>> {
  return new Promise((resolve, reject) => {
    let output = '';
    let errors = '';
    const fail = (what: string) =>
      reject(new Error(`${script} ${what}: ${errors.trim() || output.trim() || 'no output'}`));
    const timer = setTimeout(() => fail(`did not start within ${START_TIMEOUT_MS} ms`), START_TIMEOUT_MS);
    child.once('error', (error) => fail(error.message)).once('exit', () => fail('ended'));
    // Both pipes are read until the process ends, because a full pipe would block the server.
    child.stderr?.on('data', (chunk: Buffer) => {
      errors = `${errors}${chunk}`.slice(-4_096);
    });
    child.stdout?.on('data', (chunk: Buffer) => {
      output = `${output}${chunk}`.slice(-4_096);
      const found = readyLine.exec(output)?.groups;
      if (found === undefined) return;
      clearTimeout(timer);
      resolve(found.facts === undefined ? found : (JSON.parse(found.facts) as Record<string, string>));
    });
  });
}

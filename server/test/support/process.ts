import { type ChildProcessWithoutNullStreams as Child, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, delimiter, join } from 'node:path';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { GameSparksClient, GameSparksClientConfig } from '@aws-sdk/client-gamesparks';
import { SUBPROTOCOL } from '@respark/protocol';
import { type ClientOptions, WebSocket } from 'ws';
import { openSdk } from './aws-sdk.ts';
import { sayHello, type TestPlayer } from './server.ts';

/** The committed command as words of a command line; seen from dist/test/support. */
export const RESPARK: readonly string[] = [
  process.execPath,
  fileURLToPath(new URL('../../../bin/respark.js', import.meta.url)),
];

/** More than what the log of a server says in a minute of its busiest test. */
const MAX_OUTPUT_CHARACTERS = 33_554_432;
const MAX_WAIT_MS = 30_000;

export interface Ended {
  /** Null when a signal ended it. */
  readonly exitCode: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Running {
  readonly child: Child;
  out(): string;
  err(): string;
  /** Resolves with the match as soon as stdout or stderr has it; rejects when the process ends before that. */
  printed(pattern: RegExp): Promise<RegExpExecArray>;
  /** Resolves when the process has ended and all of its output is here; rejects when it takes too long. */
  ended(): Promise<Ended>;
}

export interface RunningServer extends Running {
  /** The absolute path. */
  readonly dataDir: string;
  readonly url: string;
  readonly playerUrl: string;
  /** The root key in the data directory, unless the settings have brought one. */
  readonly credentials: { readonly accessKeyId: string; readonly secretAccessKey: string };
  /** The game key of the demo stage; empty without one. */
  readonly gameKey: string;
  /** The unmodified AWS client, with the root key unless told otherwise. */
  sdk(config?: GameSparksClientConfig): GameSparksClient;
  /** A player whose hello has been answered, of the demo stage unless told otherwise. */
  connect(hello?: { gameKey?: string; token?: string }, options?: ClientOptions): Promise<TestPlayer>;
}

interface Options {
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** Everything that is on stdin. By default stdin stays open, and has what the test writes. */
  readonly stdin?: string;
  /** Words of a command line that runs the rest of it as a command. */
  readonly wrap?: readonly string[];
}

/** A directory for one test, and the processes that it starts there; when the test ends, all of them are removed. */
export interface Workplace {
  readonly directory: string;
  /** Runs a command of ours to its end. */
  respark(args: readonly string[], options?: Options): Promise<Ended>;
  /** Starts any program, with nothing in its environment but PATH, HOME and what is given. */
  start(words: readonly string[], options?: Options): Running;
  startRespark(args: readonly string[], options?: Options): Running;
  /** Starts a server on a free port and resolves when it serves. */
  serve(args?: readonly string[], options?: Options): Promise<RunningServer>;
  /** A PATH that finds this program before any other of its name. */
  pathWith(program: string): string;
}

export function createWorkplace(t: TestContext): Workplace {
  const directory = mkdtempSync(join(tmpdir(), 'respark-test-'));
  const started: Running[] = [];
  t.after(async () => {
    for (const { child } of started) killGroup(child);
    await Promise.all(started.map((running) => running.ended()));
    rmSync(directory, { recursive: true, force: true });
  });

  function start(words: readonly string[], { env = {}, cwd = directory, stdin, wrap = [] }: Options = {}): Running {
    const [command = '', ...args] = [...wrap, ...words];
    const child = spawn(command, args, {
      cwd,
      // The child gets a process group of its own, so that what it starts ends with it.
      detached: true,
      env: { PATH: process.env.PATH, HOME: directory, ...env },
      stdio: 'pipe',
    });
    // The child may end before it has read everything.
    child.stdin.on('error', () => {});
    if (stdin !== undefined) child.stdin.end(stdin);
    const running = watch(child, words.join(' '));
    started.push(running);
    return running;
  }

  // A server of a test has no load balancer that must find out first that it stops.
  const startRespark = (args: readonly string[], options?: Options) =>
    start([...RESPARK, ...args], { ...options, env: { RESPARK_DRAIN_DELAY_MS: '0', ...options?.env } });

  return {
    directory,
    start,
    startRespark,
    respark: (args, options) => startRespark(args, options).ended(),
    async serve(args = [], options = {}) {
      const running = startRespark(['serve', '--port', '0', ...args], options);
      const [, dataDir = ''] = await running.printed(/Data directory +(\S+)/);
      const find = (name: string) => JSON.parse(findText(join(dataDir, name)) ?? '{}');
      const { url, playerUrl } = find('running.json');
      const credentials = find('root-credentials');
      const { gameKey = '' } = find('demo.json');
      return {
        ...running,
        dataDir,
        url,
        playerUrl,
        credentials,
        gameKey,
        sdk: (config) => openSdk({ endpoint: url, credentials, ...config }),
        async connect(hello, wsOptions) {
          const ws = new WebSocket(playerUrl, SUBPROTOCOL, wsOptions);
          t.after(() => ws.terminate());
          await once(ws, 'open');
          return await sayHello(ws, { gameKey, ...hello });
        },
      };
    },
    pathWith(program) {
      const bin = join(directory, 'bin');
      mkdirSync(bin);
      symlinkSync(program, join(bin, basename(program)));
      return `${bin}${delimiter}${process.env.PATH}`;
    },
  };
}

function watch(child: Child, title: string): Running {
  const output = { stdout: '', stderr: '' };
  const waiting = new Set<() => void>();
  let isTooMuch = false;
  const describe = () => `${title}\nstdout: ${output.stdout}\nstderr: ${output.stderr}`;
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].setEncoding('utf8').on('data', (text: string) => {
      output[name] += text;
      if (output[name].length > MAX_OUTPUT_CHARACTERS && !isTooMuch) {
        isTooMuch = true;
        output[name] += `\nkilled by the test, because it printed more than ${MAX_OUTPUT_CHARACTERS} characters\n`;
        killGroup(child);
      }
      for (const look of waiting) look();
    });
  }
  const closed = once(child, 'close') as Promise<[number | null, NodeJS.Signals | null]>;
  // A test that waits for this gets the rejection; without such a test it must not count as unhandled.
  closed.catch(() => {});

  return {
    child,
    out: () => output.stdout,
    err: () => output.stderr,
    printed: (pattern) =>
      inTime(
        new Promise((resolve, reject) => {
          const look = () => {
            const match = pattern.exec(output.stdout) ?? pattern.exec(output.stderr);
            if (match === null) return;
            waiting.delete(look);
            resolve(match);
          };
          waiting.add(look);
          look();
          closed.then(() => reject(new Error(`ended without printing ${pattern}: ${describe()}`)), reject);
        }),
        () => `did not print ${pattern}: ${describe()}`,
      ),
    ended: async () => {
      const [exitCode, signal] = await inTime(closed, () => `did not end: ${describe()}`);
      return { exitCode, signal, ...output };
    },
  };
}

function inTime<T>(work: Promise<T>, describe: () => string): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(describe())), MAX_WAIT_MS);
    work.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}

function findText(file: string): string | undefined {
  return existsSync(file) ? readFileSync(file, 'utf8') : undefined;
}

function killGroup({ pid }: Child): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // The whole group has ended already.
  }
}

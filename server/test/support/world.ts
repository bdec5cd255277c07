import { PassThrough } from 'node:stream';
import { run } from '../../src/cli/program.ts';
import type { StopSignal, World } from '../../src/cli/world.ts';

type Main = Awaited<ReturnType<World['loadMain']>>;

export interface TestWorld extends World {
  readonly stdin: PassThrough & { readonly isTTY?: boolean };
  readonly exits: number[];
  out(): string;
  err(): string;
  /** Resolves as soon as stdout or stderr holds `text`. */
  printed(text: string): Promise<void>;
  signal(signal: StopSignal): void;
  crash(error: unknown): void;
  /** How many handlers of signals and crashes are in place. */
  handlers(): number;
  run(...args: string[]): Promise<number>;
}

/** A world that remembers what a command did to it; `main` and `local` are what the command may call and find. */
export function createTestWorld({
  env = {},
  isTTY = false,
  platform = 'linux',
  main = {},
  local = {},
}: {
  platform?: NodeJS.Platform;
  env?: Record<string, string>;
  isTTY?: boolean;
  main?: Partial<Main>;
  local?: { root?: typeof ROOT; url?: string; playerUrl?: string; demo?: typeof DEMO };
} = {}): TestWorld {
  const written = { stdout: '', stderr: '' };
  const waiting = new Set<() => void>();
  const output = (name: 'stdout' | 'stderr') => ({
    isTTY,
    write(text: string) {
      written[name] += text;
      for (const check of waiting) check();
    },
  });
  const signalHandlers = new Set<(signal: StopSignal) => void>();
  const crashHandlers = new Set<(error: unknown) => void>();
  const exits: number[] = [];
  const unexpected = async () => {
    throw new Error('this test did not expect the command to do that');
  };
  const world: TestWorld = {
    version: '1.2.3',
    platform,
    env,
    stdin: Object.assign(new PassThrough(), { isTTY }),
    stdout: output('stdout'),
    stderr: output('stderr'),
    exits,
    onSignal(handler) {
      signalHandlers.add(handler);
      return () => void signalHandlers.delete(handler);
    },
    onCrash(handler) {
      crashHandlers.add(handler);
      return () => void crashHandlers.delete(handler);
    },
    exit: (code) => void exits.push(code),
    goesOnForEver() {},
    localFiles: {
      rootCredentials: async () => local.root,
      running: async () =>
        local.url === undefined && local.playerUrl === undefined
          ? undefined
          : { url: local.url ?? '', playerUrl: local.playerUrl ?? '' },
      lastRunning: async () => undefined,
      demo: async () => local.demo,
    },
    loadMain: async () => ({
      startServer: unexpected,
      openAdministration: unexpected,
      makeConsoleLink: unexpected,
      backUpData: unexpected,
      restoreData: unexpected,
      replaceSecretKey: unexpected,
      migrateData: unexpected,
      copyData: unexpected,
      examineRedis: unexpected,
      examineDatabase: unexpected,
      findDamagedFiles: unexpected,
      findMissingDatabases: unexpected,
      ...main,
    }),
    out: () => written.stdout,
    err: () => written.stderr,
    printed: (text) =>
      new Promise((resolve) => {
        const check = () => {
          if (!written.stdout.includes(text) && !written.stderr.includes(text)) return;
          waiting.delete(check);
          resolve();
        };
        waiting.add(check);
        check();
      }),
    signal: (signal) => {
      for (const handler of signalHandlers) handler(signal);
    },
    crash: (error) => {
      for (const handler of crashHandlers) handler(error);
    },
    handlers: () => signalHandlers.size + crashHandlers.size,
    run: (...args) => run(args, world),
  };
  return world;
}

export const ROOT = { accessKeyId: 'AKIAROOT', secretAccessKey: "it's/secret+40" };

export const DEMO = { gameKey: 'demo-key', token: 'demo-token', playerId: 'demo-player' };

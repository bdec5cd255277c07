import type { Environment } from '../config/config.ts';
import type { readLocalFile } from '../data-directory/local-files.ts';
import type * as Main from '../main.ts';

/** The part of an output stream that commands use. */
export interface Output {
  write(text: string): unknown;
  /** True for a terminal; a new secret is shown nowhere else. */
  readonly isTTY?: boolean;
}

/** A signal by which somebody asks a command to end. */
export type StopSignal = 'SIGINT' | 'SIGTERM' | 'SIGHUP';

/** Everything outside a command that it can see or touch, so that tests can run commands in their own process. */
export interface World {
  readonly version: string;
  readonly platform: NodeJS.Platform;
  readonly env: Environment;
  /** `isTTY` is true for a terminal, whose user can be asked. */
  readonly stdin: NodeJS.ReadableStream & { readonly isTTY?: boolean };
  readonly stdout: Output;
  readonly stderr: Output;
  /**
   * Calls `handler` for every SIGINT, SIGTERM and SIGHUP, which then no longer end the process; a terminal that is closed
   * sends SIGHUP. Windows has no SIGTERM: Ctrl-Break and the end of the console stand for it. Returns what undoes this.
   */
  onSignal(handler: (signal: StopSignal) => void): () => void;
  /** Calls `handler` for uncaught errors and unhandled rejections. Returns what undoes this. */
  onCrash(handler: (error: unknown) => void): () => void;
  /** Ends the process at once. */
  exit(code: number): void;
  /** Must be called before work that has no end of its own: the process then ends when its output is no longer read. */
  goesOnForEver(): void;
  readonly localFiles: typeof readLocalFile;
  /** Loads the server, and the store with it, only when a command needs it: commands should start quickly. */
  loadMain(): Promise<
    Pick<
      typeof Main,
      | 'startServer'
      | 'openAdministration'
      | 'makeConsoleLink'
      | 'backUpData'
      | 'restoreData'
      | 'replaceSecretKey'
      | 'migrateData'
      | 'copyData'
      | 'examineRedis'
      | 'examineDatabase'
      | 'findDamagedFiles'
      | 'findMissingDatabases'
    >
  >;
}

/** Ends a command with its message on stderr and an exit code: 1 = the command failed, 2 = wrong command line. */
export class CommandError extends Error {
  override readonly name = 'CommandError';
  readonly exitCode: 1 | 2;

  constructor(message: string, { exitCode = 1, cause }: { exitCode?: 1 | 2; cause?: unknown } = {}) {
    super(message, cause === undefined ? undefined : { cause });
    this.exitCode = exitCode;
  }
}

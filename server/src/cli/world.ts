import type { Environment } from '../config/config.ts';
import type { readLocalFile } from '../data-directory/local-files.ts';
import type * as Main from '../main.ts';

/** The part of an output stream that commands use. */
export interface Output {
  write(text: string): unknown;
  /** True for a terminal: only there a fresh secret is shown. */
  readonly isTTY?: boolean;
}

/** Everything outside a command that it can see or touch, so that tests run commands inside their own process. */
export interface World {
  readonly version: string;
  readonly env: Environment;
  readonly stdin: NodeJS.ReadableStream;
  readonly stdout: Output;
  readonly stderr: Output;
  /** Calls `handler` for every SIGINT and SIGTERM, which then no longer end the process; returns what undoes it. */
  onSignal(handler: (signal: 'SIGINT' | 'SIGTERM') => void): () => void;
  /** Calls `handler` for errors that nobody caught; returns what undoes it. */
  onCrash(handler: (error: unknown) => void): () => void;
  /** Ends the process at once. */
  exit(code: number): void;
  readonly localFiles: typeof readLocalFile;
  /** Loaded when a command needs it: it brings the store with it. */
  loadMain(): Promise<Pick<typeof Main, 'startServer' | 'openAdministration'>>;
}

/** Ends a command: 1 = what was asked for failed, 2 = it was asked for in the wrong way. */
export class CommandError extends Error {
  override readonly name = 'CommandError';
  readonly exitCode: 1 | 2;

  constructor(message: string, { exitCode = 1, cause }: { exitCode?: 1 | 2; cause?: unknown } = {}) {
    super(message, cause === undefined ? undefined : { cause });
    this.exitCode = exitCode;
  }
}

import type { LogLevel } from '../log.ts';
import type { PayloadShape } from '../payload-shapes.ts';

/** The scripts of one runtime. */
export interface ScriptedRuntime {
  readonly id: string;
  /** Runtimes of one game share a guest in each thread; those of different games never do. */
  readonly gameId: string;
  readonly stageId: string;
  /** Handler name → the body of a function. */
  readonly scripts: ReadonlyMap<string, string>;
  /** Handler name → the shape of its response. A handler without one may respond with any JSON. */
  readonly responses?: ReadonlyMap<string, PayloadShape> | undefined;
}

/** What the host answers to a call of a script. */
export type HostAnswer =
  | { readonly result: unknown }
  /** A result that is already JSON text. */
  | { readonly resultJson: string }
  | { readonly error: { readonly code: string; readonly message: string } };

export interface Invocation {
  readonly runtime: ScriptedRuntime;
  readonly handler: string;
  readonly playerId: string;
  /** Where the player is connected from. Messages of one network take turns as those of one player would. */
  readonly network?: string | undefined;
  /** The claims of the player's token, as JSON values. */
  readonly claims?: Readonly<Record<string, unknown>> | undefined;
  /** The payload, unless there is `messageJson`. */
  readonly message?: unknown;
  /** The payload as JSON text, for one that may be long and has been written already. */
  readonly messageJson?: string | undefined;
  /** Whether to drop the message instead of running it, if it still waits for a thread. */
  readonly isDropped?: (() => boolean) | undefined;
  /** Carries out a call of the script. A rejection is a fault of the server, of which the script learns no detail. */
  readonly call: (operation: string, parameters: readonly unknown[]) => Promise<HostAnswer>;
}

/** A line that the script wrote. */
export interface ScriptLine {
  readonly level: LogLevel;
  readonly text: string;
}

/**
 * Why a script failed, and where if its stack says so. Line and column count from 1 in the script as its author wrote
 * it.
 */
export interface ScriptFailure {
  readonly text: string;
  readonly line: number | undefined;
  readonly column: number | undefined;
}

export type Ending =
  /**
   * `response` is JSON text that fits its shape; `unknown` names the first few members that the shape does not have,
   * which were left out.
   */
  | { readonly kind: 'returned'; readonly response: string; readonly unknown?: readonly string[] | undefined }
  /** The response does not fit its shape. */
  | { readonly kind: 'unfit'; readonly fault: string }
  /** The script returned no response; `instead` says in a word what it returned. */
  | { readonly kind: 'returned'; readonly response: undefined; readonly instead: string }
  /** The script answered with an error of its own. */
  | { readonly kind: 'refused'; readonly code: string; readonly message: string }
  | { readonly kind: 'failed'; readonly failure: ScriptFailure }
  /** The script used more time, memory or output than it may. */
  | { readonly kind: 'stopped'; readonly why: string }
  /**
   * Nothing ran: too many messages wait, the stage is paused because threads had to be ended for it, or the message was
   * dropped.
   */
  | { readonly kind: 'busy'; readonly why: string };

export interface InvocationResult {
  readonly ending: Ending;
  readonly lines: readonly ScriptLine[];
  /** Lines that were left out because there were too many. */
  readonly linesDropped: number;
}

/**
 * Runs the scripts of games, which may be hostile. A script reaches nothing but the host API, and nothing of other
 * invocations. Whatever one script does, the others get their turns.
 */
export interface Sandbox {
  /** Compiles the runtime's scripts ahead of time, so that its first message does not wait for that. */
  prepare(runtime: ScriptedRuntime): Promise<void>;
  /** Never rejects for what a script does. Rejects with `Interrupted` once the sandbox is closed. */
  invoke(invocation: Invocation): Promise<InvocationResult>;
  /**
   * Must be called after `isDropped` of an invocation has become true, so that it does not run if it still waits for a
   * thread.
   */
  dropped(): void;
  /** Ends everything that runs. */
  close(): Promise<void>;
}

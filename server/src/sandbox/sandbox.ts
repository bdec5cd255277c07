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
  /** Handler name → what its response must be; any JSON without one. */
  readonly responses?: ReadonlyMap<string, PayloadShape> | undefined;
}

/** What the host answers to a call of a script. */
export type HostAnswer =
  | { readonly result: unknown }
  /** A result that is JSON text already. */
  | { readonly resultJson: string }
  | { readonly error: { readonly code: string; readonly message: string } };

export interface Invocation {
  readonly runtime: ScriptedRuntime;
  readonly handler: string;
  readonly playerId: string;
  /** What the player's token says of them, as JSON has it. */
  readonly claims?: Readonly<Record<string, unknown>> | undefined;
  /** The payload, unless there is `messageJson`. */
  readonly message?: unknown;
  /** The payload as JSON text, for one that may be long and has been written already. */
  readonly messageJson?: string | undefined;
  /** Whether the message is to be dropped if it still waits for a thread. */
  readonly isDropped?: (() => boolean) | undefined;
  /** Runs a call of the script. A rejection is a fault of the server; the script sees it as one without detail. */
  readonly call: (operation: string, parameters: readonly unknown[]) => Promise<HostAnswer>;
}

/** A line that the script wrote. */
export interface ScriptLine {
  readonly level: LogLevel;
  readonly text: string;
}

/** Where a script failed, if its stack says so. Line and column are counted from 1, as its author sees the script. */
export interface ScriptFailure {
  readonly text: string;
  readonly line: number | undefined;
  readonly column: number | undefined;
}

export type Ending =
  /** The JSON text of the response as its shape has it, and the first few members that no shape has, which were left out. */
  | { readonly kind: 'returned'; readonly response: string; readonly unknown?: readonly string[] | undefined }
  /** The response is none of its shape. */
  | { readonly kind: 'unfit'; readonly fault: string }
  /** The script returned no response; `instead` says in a word what it returned. */
  | { readonly kind: 'returned'; readonly response: undefined; readonly instead: string }
  /** The script answered with an error of its own. */
  | { readonly kind: 'refused'; readonly code: string; readonly message: string }
  | { readonly kind: 'failed'; readonly failure: ScriptFailure }
  /** The script used more time, memory or output than it may. */
  | { readonly kind: 'stopped'; readonly why: string }
  /** Nothing ran: too much waits already, the stage is paused because its scripts had to be killed, or it was dropped. */
  | { readonly kind: 'busy'; readonly why: string };

export interface InvocationResult {
  readonly ending: Ending;
  readonly lines: readonly ScriptLine[];
  /** Lines that were left out because there were too many. */
  readonly linesDropped: number;
}

/**
 * Runs the scripts of games, which may be hostile, where they reach nothing but the host API, and nothing of other
 * invocations. Script by script, whatever one of them does, the others get their turn.
 */
export interface Sandbox {
  /** Compiles the runtime's scripts wherever they may be run, so that its first message does not wait for that. */
  prepare(runtime: ScriptedRuntime): Promise<void>;
  /** Never rejects for what a script does. Rejects with `Interrupted` once the sandbox is closed. */
  invoke(invocation: Invocation): Promise<InvocationResult>;
  /** Must be called when `isDropped` of invocations has become true: those that still wait for a thread are not run then. */
  dropped(): void;
  /** Ends everything that runs. */
  close(): Promise<void>;
}

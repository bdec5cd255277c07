import type { GuestLimits } from './guest.ts';
import type { Ending, ScriptedRuntime, ScriptLine } from './sandbox.ts';
import type { CompiledEngine } from './web-assembly.ts';

export interface ThreadLimits extends GuestLimits {
  readonly maxHostCalls: number;
  readonly maxCallBytes: number;
  readonly maxResponseBytes: number;
  readonly maxValues: number;
  readonly maxLines: number;
  readonly maxLineBytes: number;
  /** What the guests of all games may take together before the least recently used is dropped. */
  readonly maxGuestBytes: number;
}

/** What a thread is given when it starts. */
export interface ThreadData {
  readonly engine: CompiledEngine;
  readonly answers: SharedArrayBuffer;
  readonly sentAhead: SharedArrayBuffer;
  readonly limits: ThreadLimits;
}

export type ToThread =
  | { readonly kind: 'load'; readonly runtime: Omit<ScriptedRuntime, 'stageId'> }
  | {
      readonly kind: 'invoke';
      readonly jobId: number;
      readonly runtimeId: string;
      readonly handler: string;
      readonly inputJson: string;
      /** Its number in `SentAhead`, which says whether it may still run. */
      readonly number: number;
    };

/** `jobId` names the message whose handler runs, so that the pool gives nothing of one player's to another. */
export type FromThread =
  /** Sent once, before anything else. */
  | { readonly kind: 'ready' }
  | { readonly kind: 'loaded'; readonly fault: string | undefined }
  | {
      readonly kind: 'call';
      readonly jobId: number;
      readonly number: number;
      readonly operation: string;
      readonly parametersJson: string;
    }
  /** The thread does not have the runtime, or has dropped it. Nothing ran. */
  | { readonly kind: 'missing'; readonly jobId: number }
  | {
      readonly kind: 'ended';
      readonly jobId: number;
      readonly ending: Ending;
      readonly lines: readonly ScriptLine[];
      readonly linesDropped: number;
    };

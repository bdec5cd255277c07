import type { ThreadLimits } from './thread-messages.ts';

export interface SandboxSettings {
  readonly scriptThreads: number;
  readonly scriptMaxTicks: number;
  readonly scriptMaxBusyMs: number;
  readonly scriptWatchdogMs: number;
  readonly scriptMaxMs: number;
  readonly scriptCallTimeoutMs: number;
  readonly scriptMaxCalls: number;
  readonly scriptMaxCallBytes: number;
  readonly scriptMaxResponseBytes: number;
  readonly scriptMaxValues: number;
  readonly scriptMaxLines: number;
  readonly scriptMaxWaiting: number;
  readonly scriptMaxWaitingPerStage: number;
  readonly scriptMemoryBytes: number;
}

/** How far a guest's heap may grow beyond its size at rest before the guest is replaced. */
const MAX_GROWTH_BYTES = 4_194_304;
/** How much all lines that a script writes for one message may have together. */
const MAX_LINE_BYTES = 65_536;

/** The limits that each thread needs. */
export function limitsOf(settings: SandboxSettings): ThreadLimits {
  return {
    maxTicks: settings.scriptMaxTicks,
    maxBusyMs: settings.scriptMaxBusyMs,
    maxGrowthBytes: MAX_GROWTH_BYTES,
    maxHostCalls: settings.scriptMaxCalls,
    maxCallBytes: settings.scriptMaxCallBytes,
    maxResponseBytes: settings.scriptMaxResponseBytes,
    maxValues: settings.scriptMaxValues,
    maxLines: settings.scriptMaxLines,
    maxLineBytes: MAX_LINE_BYTES,
    maxGuestBytes: settings.scriptMemoryBytes,
  };
}

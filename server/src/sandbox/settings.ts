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

/** How much further than at rest a guest's heap may reach before it is replaced. */
const MAX_GROWTH_BYTES = 4_194_304;
/** The lines that a script writes for one message. */
const MAX_LINE_BYTES = 65_536;

/** What each thread has to know of the settings. */
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

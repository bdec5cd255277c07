import type { Clock } from './clock.ts';
import { DURATION_BOUNDS, type MetricTotals } from './metrics.ts';

/** What has happened on a node during some seconds. */
export interface ActivityStep {
  /** When the step ended, milliseconds since 1970, and how long it was. */
  readonly at: number;
  readonly ms: number;
  /** Open at its end. */
  readonly connections: number;
  readonly opened: number;
  readonly messages: number;
  /** Messages that were not answered with `ok`. */
  readonly failed: number;
  /** Connections that DisconnectPlayer has closed. */
  readonly disconnected: number;
  /** In this time half of the messages were answered, and 95 of 100; undefined without messages. */
  readonly p50Ms?: number;
  readonly p95Ms?: number;
}

const STEP_MS = 10_000;
/** An hour of steps, which are about 100 bytes each. */
const MAX_STEPS = 360;

/** Remembers the last hour of this process, so that somebody without Prometheus can see how it went. */
export function createActivityRing({ read, clock }: { read: () => MetricTotals; clock: Clock }) {
  const steps: ActivityStep[] = [];
  let before = read();
  let startedAt = clock.monotonic();
  let cancel = clock.after(STEP_MS, step);

  function step(): void {
    const now = clock.monotonic();
    const totals = read();
    steps.push({ at: clock.now(), ms: Math.round(now - startedAt), ...difference(before, totals) });
    if (steps.length > MAX_STEPS) steps.shift();
    before = totals;
    startedAt = now;
    cancel = clock.after(STEP_MS, step);
  }

  return {
    /** The steps that ended later, oldest first. */
    after: (at: number): readonly ActivityStep[] => steps.filter((each) => each.at > at),
    close: () => cancel(),
  };
}

function difference(before: MetricTotals, after: MetricTotals): Omit<ActivityStep, 'at' | 'ms'> {
  const more = (key: 'opened' | 'messages' | 'failed' | 'disconnected') => after[key] - before[key];
  const durations = after.durations.map((count, bucket) => count - (before.durations[bucket] ?? 0));
  const [p50Ms, p95Ms] = [quantileMs(durations, 0.5), quantileMs(durations, 0.95)];
  return {
    connections: after.connections,
    opened: more('opened'),
    messages: more('messages'),
    failed: more('failed'),
    disconnected: more('disconnected'),
    ...(p50Ms !== undefined && p95Ms !== undefined && { p50Ms, p95Ms }),
  };
}

/** As Prometheus does it: as if the values of a bucket were spread evenly over it. */
export function quantileMs(
  counts: readonly number[],
  quantile: number,
  bounds: readonly number[] = DURATION_BOUNDS,
): number | undefined {
  const all = counts.reduce((sum, count) => sum + count, 0);
  if (all === 0) return undefined;
  const rank = quantile * all;
  let below = 0;
  for (const [bucket, count] of counts.entries()) {
    if (below + count >= rank) {
      const lower = bounds[bucket - 1] ?? 0;
      const upper = bounds[bucket] ?? lower;
      const share = count === 0 ? 0 : (rank - below) / count;
      return Math.round(1e6 * (lower + (upper - lower) * share)) / 1e3;
    }
    below += count;
  }
  return 1e3 * (bounds.at(-1) ?? 0);
}

import type { Clock } from '../clock.ts';
import { ServiceError } from '../errors.ts';
import type { Log } from '../log.ts';
import type { Metrics } from '../metrics.ts';
import type { AuditIntent, AuditLog, AuditOutcome } from '../store/audit/audit-log.ts';

export type { AuditOutcome } from '../store/audit/audit-log.ts';

const PRUNE_PERIOD_MS = 3_600_000;
/** However often somebody asks whether the log is well again, it is tried this often. */
const PROBE_PERIOD_MS = 1_000;

/** What a call that is on record does with its outcome. */
export interface Recorded {
  /** Never rejects: what was done is done, and its caller must hear the truth whether it could be recorded or not. */
  finish(outcome: Omit<AuditOutcome, 'durationMs'>): Promise<void>;
}

/** No change without a record: the intent is written before anything is done, the outcome before the caller hears it. */
export interface Audit {
  /** Throws a retryable `internal`, and the call is not to be made, when the intent cannot be written. */
  record(call: Omit<AuditIntent, 'at'>): Promise<Recorded>;
  /**
   * Whether records can be written. After a failure that is tried again here: a node that gets no calls because it is not
   * ready would never find out by itself.
   */
  isHealthy(): Promise<boolean>;
  close(): void;
}

export function createAudit({
  auditLog,
  clock,
  log,
  metrics,
  settings,
}: {
  auditLog: AuditLog;
  clock: Clock;
  log: Log;
  metrics: Pick<Metrics, 'auditFailed'>;
  settings: { readonly auditRetentionDays: number };
}): Audit {
  let isHealthy = true;
  let nextProbeAt = Number.NEGATIVE_INFINITY;
  let cancelPruning = () => {};

  function prune(): void {
    auditLog
      .removeBefore(clock.now() - settings.auditRetentionDays * 86_400_000)
      .catch((error: unknown) => log.warn({ err: error }, 'old audit records could not be removed'));
    cancelPruning = clock.after(PRUNE_PERIOD_MS, prune);
  }
  prune();

  return {
    async record(call) {
      const intent = { ...call, at: clock.now() };
      try {
        await auditLog.begin(intent);
        isHealthy = true;
      } catch (error) {
        isHealthy = false;
        metrics.auditFailed('intent');
        log.error(
          { err: error, requestId: intent.requestId },
          'a call was refused: its audit record cannot be written',
        );
        throw new ServiceError('internal', 'The audit log is not available, so nothing was done. Try again.', {
          cause: error,
        });
      }
      const startedAt = clock.monotonic();
      return {
        async finish(result) {
          const outcome = { ...result, durationMs: Math.round((clock.monotonic() - startedAt) * 1000) / 1000 };
          log.info({ ...call, ...outcome }, 'audited call');
          try {
            await auditLog.finish(intent, outcome);
          } catch (error) {
            isHealthy = false;
            metrics.auditFailed('outcome');
            log.error({ err: error, requestId: intent.requestId }, 'the outcome of a call could not be recorded');
          }
        },
      };
    },
    async isHealthy() {
      if (isHealthy || clock.monotonic() < nextProbeAt) return isHealthy;
      nextProbeAt = clock.monotonic() + PROBE_PERIOD_MS;
      isHealthy = await auditLog.probe().then(
        () => true,
        () => false,
      );
      return isHealthy;
    },
    close: () => cancelPruning(),
  };
}

import type { Clock } from '../clock.ts';
import { ServiceError } from '../errors.ts';
import type { Log } from '../log.ts';
import type { Metrics } from '../metrics.ts';
import type { AuditIntent, AuditLog, AuditOutcome } from '../store/audit-log.ts';

export type { AuditOutcome } from '../store/audit-log.ts';

const PRUNE_PERIOD_MS = 3_600_000;

/** What a call that is on record does with its outcome. */
export interface Recorded {
  /** Never rejects: what was done is done, and its caller must hear the truth whether it could be recorded or not. */
  finish(outcome: Omit<AuditOutcome, 'at' | 'durationMs'>): Promise<void>;
}

/** No change without a record: the intent is written before anything is done, the outcome before the caller hears it. */
export interface Audit {
  /** Throws a retryable `internal`, and the call is not to be made, when the intent cannot be written. */
  record(intent: Omit<AuditIntent, 'at'>): Promise<Recorded>;
  /** Whether the last record could be written. */
  readonly isHealthy: boolean;
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
  let cancelPruning = () => {};

  function prune(): void {
    auditLog
      .removeBefore(clock.now() - settings.auditRetentionDays * 86_400_000)
      .catch((error: unknown) => log.warn({ err: error }, 'old audit records could not be removed'));
    cancelPruning = clock.after(PRUNE_PERIOD_MS, prune);
  }
  prune();

  return {
    async record(intent) {
      const startedAt = clock.monotonic();
      try {
        await auditLog.begin({ ...intent, at: clock.now() });
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
      return {
        async finish(result) {
          const durationMs = Math.round((clock.monotonic() - startedAt) * 1000) / 1000;
          const outcome = { ...result, at: clock.now(), durationMs };
          log.info({ ...intent, ...outcome }, 'audited call');
          try {
            await auditLog.finish(intent.requestId, outcome);
          } catch (error) {
            isHealthy = false;
            metrics.auditFailed('outcome');
            log.error({ err: error, requestId: intent.requestId }, 'the outcome of a call could not be recorded');
          }
        },
      };
    },
    get isHealthy() {
      return isHealthy;
    },
    close: () => cancelPruning(),
  };
}

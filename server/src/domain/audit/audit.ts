import type { Clock } from '../../clock.ts';
import { type ErrorCode, ServiceError } from '../../errors.ts';
import type { Log } from '../../log.ts';
import { inSteps, type MaybePromise, orElse, type Steps, settled } from '../../maybe-promise.ts';
import type { Metrics } from '../../metrics.ts';
import { createSettledTime } from '../../settled-time.ts';
import type { AuditIntent, AuditLog, AuditOutcome, AuditWriter } from '../../store/audit/audit-log.ts';

const PRUNE_PERIOD_MS = 3_600_000;
/** The clock must have said for so long that a record is old: it may be set back, and a removed record does not come back. */
const CLOCK_HELD_MS = 1_800_000;
/** How often an unhealthy log is tried again, however often its health is asked for. */
const PROBE_PERIOD_MS = 1_000;

/** A change that a rule is about to make, and what set it off, as it will stand on record. */
export type Change = Omit<AuditIntent, 'at'>;

/** What the record keeps of a rule's result, beside the success itself. */
type Details = Pick<AuditOutcome, 'successes' | 'failures' | 'connections' | 'counts'>;

/**
 * There is no change without a record: the intent is written before anything is done, the outcome before the answer.
 */
export interface Audit {
  /**
   * Calls `rule`, which makes the change, with a record before and after, and returns its result. Rejects with a
   * retryable `internal`, without calling `rule`, when the intent cannot be written. When the outcome cannot be written,
   * the caller still gets the true result. Never throws: a failure is a rejection, and a result is there at once where
   * neither the rule nor the log has to wait.
   */
  around<R>(change: Change, rule: () => R, detailsOf?: (result: Awaited<R>) => Details): R | Promise<Awaited<R>>;
}

export interface AuditOfRefusals {
  /**
   * Puts on record that a change was refused before its rule was asked. Never rejects: the caller is refused in any
   * case, so a record that cannot be written is only logged.
   */
  refused(change: Change, error: ErrorCode): Promise<void>;
}

export interface AuditHealth {
  /**
   * Whether records can be written. After a failure this call tries it, because a node that gets no calls while it is
   * not ready would otherwise never find out.
   */
  isHealthy(): Promise<boolean>;
  close(): void;
}

/** The audit of a server. */
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
}): Audit & AuditOfRefusals & AuditHealth {
  let isHealthy = true;
  let nextProbeAt = Number.NEGATIVE_INFINITY;
  let cancelPruning = () => {};

  const settledTime = createSettledTime(clock, CLOCK_HELD_MS);
  function prune(): void {
    cancelPruning = clock.after(PRUNE_PERIOD_MS, prune);
    const now = settledTime();
    if (now === Number.NEGATIVE_INFINITY) return;
    auditLog
      .removeBefore(now - settings.auditRetentionDays * 86_400_000)
      .catch((error: unknown) => log.warn({ err: error }, 'old audit records could not be removed'));
  }
  prune();

  const wrote = (part: WrittenPart, error?: unknown) => {
    if (error !== undefined) {
      isHealthy = false;
      metrics.auditFailed(part);
    } else if (part === 'intent') {
      isHealthy = true;
    }
  };
  return {
    ...createRecording({ auditLog, clock, log, wrote }),
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

/** What staff write down about a person is for those who may read the record, and they are fewer than who read the log. */
function forLog({ evidence, ...details }: NonNullable<Change['details']>): NonNullable<Change['details']> {
  // Texts for players may be long, and in many languages.
  const short = Object.entries(details).filter(([name]) => name !== 'told' && !name.startsWith('told.'));
  return { ...Object.fromEntries(short), ...(evidence !== undefined && { evidence: '(in the audit record)' }) };
}

/** What is written of a change, in this order. */
type WrittenPart = 'intent' | 'outcome';

/** The audit of a process that only writes records, such as a command. */
export function createRecording({
  auditLog,
  clock,
  log,
  wrote = () => {},
}: {
  auditLog: AuditWriter;
  clock: Pick<Clock, 'now' | 'monotonic'>;
  log: Log;
  /** Called after each attempt to write, with the error of one that failed. */
  wrote?: (part: WrittenPart, error?: unknown) => void;
}): Audit & AuditOfRefusals {
  const begin = inSteps(function* (intent: AuditIntent): Steps<void> {
    try {
      yield* settled(auditLog.begin(intent));
      wrote('intent');
    } catch (error) {
      wrote('intent', error);
      const { requestId } = intent;
      log.error({ err: error, requestId }, 'a call was refused: its audit record cannot be written');
      const message = 'The audit log is not available, so nothing was done. Try again.';
      throw new ServiceError('internal', message, { cause: error });
    }
  });

  /** Never fails. */
  function finish(intent: AuditIntent, outcome: AuditOutcome): MaybePromise<void> {
    const { at, requestId, cause } = intent;
    // Scripts may change much and the server by itself little of interest: the record has both.
    log[cause === 'operator' ? 'info' : 'debug'](() => {
      const { at: _, ...change } = intent;
      return { ...change, ...(change.details && { details: forLog(change.details) }), ...outcome };
    }, 'audited call');
    return orElse(
      () => auditLog.finish({ requestId, at }, outcome),
      (error) => {
        wrote('outcome', error);
        log.error({ err: error, requestId }, 'the outcome of a call could not be recorded');
      },
    );
  }

  /** As `Audit.around`, but may throw. */
  const run = inSteps(function* <T>(
    change: Change,
    rule: () => MaybePromise<T>,
    detailsOf: ((result: T) => Details) | undefined,
  ): Steps<T> {
    const intent = { at: clock.now(), ...change };
    yield* settled(begin(intent));
    const startedAt = clock.monotonic();
    const end = (error: ErrorCode | undefined, details?: Details) =>
      finish(intent, { error, durationMs: Math.round((clock.monotonic() - startedAt) * 1000) / 1000, ...details });
    let result: T;
    try {
      result = yield* settled(rule());
    } catch (error) {
      yield* settled(end(error instanceof ServiceError ? error.code : 'internal'));
      throw error;
    }
    yield* settled(end(undefined, detailsOf?.(result)));
    return result;
  });

  return {
    around<R>(change: Change, rule: () => R, detailsOf?: (result: Awaited<R>) => Details) {
      try {
        // What a rule gives is a result or the promise of one; only the compiler cannot tell that of every type.
        return run(change, rule as () => MaybePromise<Awaited<R>>, detailsOf);
      } catch (error) {
        return Promise.reject(error);
      }
    },
    async refused(change, error) {
      const intent = { ...change, at: clock.now() };
      try {
        await begin(intent);
      } catch {
        // What failed is in the log by now, and the caller is refused in any case.
        return;
      }
      await finish(intent, { error, durationMs: 0 });
    },
  };
}

import type { Clock } from '../../clock.ts';
import type { Log } from '../../log.ts';
import type { AuditOfRefusals, Change } from '../audit/audit.ts';

/** A call that did not prove which key had signed it. */
export interface Unauthenticated {
  readonly requestId: string;
  readonly operation: string;
  /** As the caller sent it; undefined when the call names none. */
  readonly accessKeyId: string | undefined;
  readonly sourceAddress: string;
  /** What counts as one caller where there is no key: the address, or the network that it stands for. */
  readonly addressGroup: string;
  /** The name of the answer, such as `InvalidSignatureException`. */
  readonly cause: string;
  /** The message of the answer. */
  readonly reason: string;
}

/**
 * Leaves a trace of refused calls: of those without a valid signature in the log, of those that no policy allows in the
 * audit log as well. Callers can be refused as often as they like, so a caller's first refusals in a minute leave a
 * trace each, and the rest are counted: the trace that ends the minute says how many there were.
 */
export interface Refusals {
  unauthenticated(refusal: Unauthenticated): void;
  /** Resolves when the record is written, if this call leaves one. Never rejects. `action` is the one of policies. */
  denied(change: Change, action: string): Promise<void>;
  /** Leaves the traces of what is still only counted. */
  close(): Promise<void>;
}

const PERIOD_MS = 60_000;
/** How many different refusals of one caller leave a trace each; beyond that, only what they have in common counts. */
const MAX_KINDS_PER_CALLER = 10;
/** How many different refusals are told apart at once. Beyond that, all that follow of one caller within the minute are one kind. */
const MAX_KINDS = 1_000;
/**
 * How many callers are told apart beyond that. Those who have signed in with keys are only so many, and none of them may hide
 * among others; those who have not may come from any number of addresses, and are all one.
 */
const MAX_KEYS_BEYOND = 10_000;

const REASON_CHARACTERS = 20;

export function createRefusals({ audit, clock, log }: { audit: AuditOfRefusals; clock: Clock; log: Log }): Refusals {
  const unauthenticated = createTally<Unauthenticated>({
    clock,
    async report({ addressGroup: _, ...refusal }, count) {
      log.info({ ...refusal, count }, 'call refused: not authenticated');
    },
  });
  const denied = createTally<{ readonly change: Change; readonly action: string }>({
    clock,
    maxCallersBeyond: MAX_KEYS_BEYOND,
    report: ({ change, action }, count, covers) =>
      audit.refused({ ...change, details: { action, count: String(count), ...COVERED[covers] } }, 'access_denied'),
  });

  return {
    unauthenticated(refusal) {
      const { accessKeyId, addressGroup, cause, reason } = refusal;
      // One name stands for several faults, such as a wrong signature and an old one, whose messages begin differently.
      const kind = `${accessKeyId} ${cause} ${reason.slice(0, REASON_CHARACTERS)}`;
      void unauthenticated.add(refusal, { caller: addressGroup, kind, commonKind: cause });
    },
    denied: (change, action) =>
      denied.add(
        { change, action },
        {
          caller: change.actor,
          kind: `${action} ${change.sourceAddress} ${change.resource}`,
          commonKind: action,
        },
      ),
    async close() {
      await Promise.all([unauthenticated.close(), denied.close()]);
    },
  };
}

/** What a trace says of others than the latest refusal that it counts. */
const COVERED = {
  kind: {},
  caller: { resources: 'several' },
  actions: { actions: 'several', resources: 'several' },
  all: { actors: 'several', resources: 'several' },
} as const satisfies Record<Coverage, Readonly<Record<string, string>>>;

/** Whether what was counted is all of one kind, of one caller and action, of one caller, or of several callers. */
type Coverage = 'kind' | 'caller' | 'actions' | 'all';

interface Kind {
  readonly caller: string;
  readonly kind: string;
  /** What remains of the kind when the caller has too many. */
  readonly commonKind: string;
}

/** What happened of one kind since its last report. */
interface Counted<Event> {
  readonly caller: string;
  readonly covers: Coverage;
  count: number;
  latest: Event;
}

/**
 * Reports the first event of a kind at once, and how many more there were when its minute ends, with the latest of them.
 * A kind without events in its minute is forgotten.
 */
function createTally<Event>({
  clock,
  maxCallersBeyond = 0,
  report,
}: {
  clock: Clock;
  /** How many callers have a kind of their own when there are too many kinds. */
  maxCallersBeyond?: number;
  report: (latest: Event, count: number, covers: Coverage) => Promise<void>;
}) {
  let kinds = new Map<string, Counted<Event>>();
  let kindsOfCaller = new Map<string, number>();
  let cancel: (() => void) | undefined;
  let isClosed = false;

  /** Ends the minute of all kinds at once. Those that had further events begin another. */
  async function endPeriod(): Promise<void> {
    cancel = undefined;
    const ended = [...kinds].filter(([, { count }]) => count > 0);
    kinds = new Map();
    kindsOfCaller = new Map();
    for (const [name, counted] of ended) remember(name, counted);
    for (const [, { latest, count, covers }] of ended) await report(latest, count, covers);
  }

  function remember(name: string, { caller, covers, latest }: Omit<Counted<Event>, 'count'>): void {
    kinds.set(name, { caller, covers, count: 0, latest });
    kindsOfCaller.set(caller, (kindsOfCaller.get(caller) ?? 0) + 1);
    if (!isClosed) cancel ??= clock.after(PERIOD_MS, () => void endPeriod());
  }

  function placeOf({ caller, kind, commonKind }: Kind): { readonly name: string; readonly covers: Coverage } {
    const own = `${caller} ${kind}`;
    if (kinds.has(own)) return { name: own, covers: 'kind' };
    const isRare = (kindsOfCaller.get(caller) ?? 0) < MAX_KINDS_PER_CALLER;
    const name = isRare ? own : `${caller} ${commonKind} …`;
    if (kinds.has(name) || kinds.size < MAX_KINDS) return { name, covers: isRare ? 'kind' : 'caller' };
    const ofCaller = `${caller} …`;
    const hasPlace = kinds.has(ofCaller) || kinds.size < MAX_KINDS + maxCallersBeyond;
    return hasPlace ? { name: ofCaller, covers: 'actions' } : { name: '…', covers: 'all' };
  }

  return {
    async add(event: Event, kind: Kind): Promise<void> {
      const { name, covers } = placeOf(kind);
      const counted = kinds.get(name);
      if (counted === undefined) {
        remember(name, { caller: kind.caller, covers, latest: event });
        return await report(event, 1, 'kind');
      }
      counted.count += 1;
      counted.latest = event;
    },
    async close(): Promise<void> {
      isClosed = true;
      cancel?.();
      await endPeriod();
    },
  };
}

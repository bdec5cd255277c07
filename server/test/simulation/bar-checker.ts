/** A call that changes who may connect, as its caller saw it. `…At` counts what happened in the history; `…Ms` is its time. */
export interface BarCall {
  readonly kind: 'block' | 'unblock' | 'revoke';
  readonly player: string;
  /** What the call is about: calls about the same thing replace one another. */
  readonly subject: string;
  readonly calledAt: number;
  readonly calledMs: number;
  /** When a block ends by itself. */
  readonly untilMs?: number | undefined;
  returnedAt?: number;
  outcome?: 'done' | 'unavailable';
  /** Its place among the calls about the same thing, as far as it is known: the store takes one after the other. */
  version?: number | undefined;
  /** Connections whose end the call could not prove. */
  failures?: readonly string[];
}

export interface Arrival {
  readonly player: string;
  readonly helloAt: number;
  readonly helloMs: number;
  /** When what the player signed in with was issued. */
  readonly issuedMs: number;
  readonly id: string;
  endedAt?: number;
  endedMs?: number;
  outcome?: 'welcomed' | 'blocked' | 'revoked' | 'other';
}

export interface BarHistory {
  readonly calls: readonly BarCall[];
  readonly arrivals: readonly Arrival[];
  /** Player → whether the store bars them, when all is quiet; and the arrivals of then are the last ones. */
  readonly quiet: readonly {
    readonly player: string;
    readonly isBarred: boolean;
    readonly outcome: Arrival['outcome'];
  }[];
}

/**
 * The promises that a history breaks, one line for each. B1: once a call that bars a player has returned, none of the
 * player's connections is welcomed, until something that lets the player in has been called. B2: nobody is kept out without a
 * bar that holds: once a call that lets a player in has returned, or a block is over, no later hello is refused because of
 * it. B3: when all is quiet, players are let in exactly as the store says.
 */
export function findBarViolations({ calls, arrivals, quiet }: BarHistory): string[] {
  const faults: string[] = [];
  for (const arrival of arrivals) {
    if (arrival.endedAt === undefined || arrival.outcome === undefined || arrival.outcome === 'other') continue;
    const own = calls.filter(({ player }) => player === arrival.player);
    if (arrival.outcome === 'welcomed') {
      const bar = own.find((call) => mustHold(call, own, arrival as Ended));
      if (bar !== undefined)
        faults.push(`B1: ${nameOf(arrival)} was welcomed after the ${bar.kind} of ${bar.calledAt}`);
    } else if (!own.some((call) => mayHold(call, own, arrival as Ended))) {
      faults.push(`B2: ${nameOf(arrival)} was refused although nothing keeps the player out`);
    }
  }
  for (const { player, isBarred, outcome } of quiet) {
    if (outcome !== (isBarred ? 'blocked' : 'welcomed')) {
      faults.push(`B3: ${player} is ${outcome ?? 'not answered'}, and ${isBarred ? '' : 'not '}barred in the store`);
    }
  }
  return faults;
}

type Ended = Arrival & { readonly endedAt: number; readonly endedMs: number };

function nameOf({ player, id, endedAt }: Arrival): string {
  return `${id} of ${player} at ${endedAt}`;
}

function mustHold(bar: BarCall, own: readonly BarCall[], { id, endedAt, endedMs, issuedMs }: Ended): boolean {
  if (bar.kind === 'unblock' || bar.outcome !== 'done' || (bar.returnedAt as number) > endedAt) return false;
  if (bar.failures?.includes(id) || (bar.untilMs !== undefined && endedMs >= bar.untilMs)) return false;
  if (bar.kind === 'revoke' && issuedMs >= bar.calledMs) return false;
  return !own.some((other) => other.subject === bar.subject && other.calledAt < endedAt && mayFollow(other, bar));
}

function mayHold(bar: BarCall, own: readonly BarCall[], { outcome, helloAt, helloMs, endedAt }: Ended): boolean {
  if (bar.kind !== (outcome === 'revoked' ? 'revoke' : 'block') || bar.calledAt > endedAt) return false;
  if (bar.untilMs !== undefined && helloMs >= bar.untilMs) return false;
  return !own.some(
    (other) =>
      other.subject === bar.subject &&
      other.outcome === 'done' &&
      (other.returnedAt as number) < helloAt &&
      mustFollow(other, bar),
  );
}

/** Whether a call may have come after another: both orders are possible while neither had returned. */
function mayFollow(other: BarCall, bar: BarCall): boolean {
  if (other === bar) return false;
  if (other.version !== undefined && bar.version !== undefined) return other.version > bar.version;
  return (other.returnedAt ?? Number.POSITIVE_INFINITY) > bar.calledAt;
}

function mustFollow(other: BarCall, bar: BarCall): boolean {
  if (other === bar) return false;
  if (other.version !== undefined && bar.version !== undefined) return other.version > bar.version;
  return (bar.returnedAt ?? Number.POSITIVE_INFINITY) < other.calledAt;
}

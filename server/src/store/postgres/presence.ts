import type { Clock } from '../../clock.ts';
import type { Log } from '../../log.ts';

/** A number that no other program uses for a lock on the same database. */
const PRESENCE_LOCK = 7_305_808_871;
/** The database may hold the lock for so long for this server's own connection, of whose loss it has not heard. */
const OWN_LOCK_MS = 30_000;
const CLAIMS = {
  alone: `select pg_try_advisory_lock(${PRESENCE_LOCK}) as claimed`,
  'with others': `select pg_try_advisory_lock_shared(${PRESENCE_LOCK}) as claimed`,
} as const;

/** A machine that is gone without a word loses its lock within 20 s. */
export const KEEP_ALIVE = 'set tcp_keepalives_idle = 5; set tcp_keepalives_interval = 5; set tcp_keepalives_count = 3';

/** Whether a server bears others on its database. Those that do bear none that does not. */
export type Presence = keyof typeof CLAIMS;

/** Asks on a connection of its own for the lock of a presence, which goes with the connection. */
interface Query {
  query(text: string): Promise<{ readonly rows: readonly { readonly claimed?: boolean }[] }>;
}

export interface Claim {
  /** Resolves when the presence has been claimed for the first time. */
  readonly claimed: Promise<void>;
  /** Must be called for each new connection, which has no lock yet. */
  begin(): void;
  /** Asks for the lock unless the connection has it; is a heartbeat in any case. */
  beat(connection: Query): Promise<void>;
}

/**
 * Keeps servers off a database that would know nothing of each other's players: one of them would answer that a player of
 * another has no connections. A server that finds another there waits; one that has lost its place goes on, and says so.
 */
export function createClaim({
  presence,
  clock,
  log,
}: {
  presence: Presence;
  clock: Pick<Clock, 'monotonic'>;
  log: Pick<Log, 'warn' | 'error'>;
}): Claim {
  let isMade = false;
  let hasBeenMade = false;
  let refusedSince: number | undefined;
  let isSaid = false;
  let noteClaimed = () => {};
  const claimed = new Promise<void>((resolve) => {
    noteClaimed = resolve;
  });

  function sayWhoIsThere(): void {
    refusedSince ??= clock.monotonic();
    const dueAt = hasBeenMade ? refusedSince + OWN_LOCK_MS : refusedSince;
    if (isSaid || clock.monotonic() < dueAt) return;
    isSaid = true;
    const advice = 'stop one of them, or make both nodes of one cluster by RESPARK_REDIS_URL';
    if (hasBeenMade) log.error({ advice }, 'another server uses the database since this one lost its connection');
    else log.warn({ advice }, 'waiting for the end of another server that uses the database');
  }

  return {
    claimed,
    begin() {
      isMade = false;
    },
    async beat(connection) {
      const { rows } = await connection.query(isMade ? 'select 1' : CLAIMS[presence]);
      if (isMade) return;
      isMade = rows[0]?.claimed === true;
      if (!isMade) return sayWhoIsThere();
      hasBeenMade = true;
      refusedSince = undefined;
      isSaid = false;
      noteClaimed();
    },
  };
}

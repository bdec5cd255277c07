import { createHash } from 'node:crypto';
import type { Clock } from '../../clock.ts';
import type { Log } from '../../log.ts';

/** Numbers that no other program uses for locks on the same database. Of the class, each directory has a lock. */
const PRESENCE_LOCK = 7_305_808_871;
const DIRECTORY_LOCKS = 730_580_887;
/** The database may hold the lock for so long for this server's own connection, of whose loss it has not heard. */
const OWN_LOCK_MS = 30_000;
/** How many servers are on the database: PostgreSQL shows the lock in two halves. */
export const COUNT_PRESENT = `select count(*)::int as present from pg_locks where locktype = 'advisory' and granted
  and objsubid = 1 and database = (select oid from pg_database where datname = current_database())
  and (classid::bigint << 32) + objid::bigint = ${PRESENCE_LOCK}`;

/** A machine that is gone without a word loses its lock within 20 s. */
export const KEEP_ALIVE = 'set tcp_keepalives_idle = 5; set tcp_keepalives_interval = 5; set tcp_keepalives_count = 3';

/**
 * A server is alone on its database, or one of the nodes that share a directory, by the settings that they must have alike to
 * do so. Nodes bear no server that is alone, and none with another directory.
 */
export type Presence = 'alone' | { readonly directory: string };

/** Asks on a connection of its own for the lock of a presence, which goes with the connection. */
interface Query {
  query(text: string): Promise<{ readonly rows: readonly { readonly claimed?: boolean }[] }>;
}

export interface Claim {
  /** Resolves when the presence has been claimed for the first time. */
  readonly claimed: Promise<void>;
  /** Whether it was nodes with another directory that kept this one off at the last attempt. */
  readonly isOtherDirectory: boolean;
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
  let isOtherDirectory = false;
  const { take, ofDirectory } = claimsOf(presence);
  let noteClaimed = () => {};
  const claimed = new Promise<void>((resolve) => {
    noteClaimed = resolve;
  });

  function sayWhoIsThere(): void {
    refusedSince ??= clock.monotonic();
    const dueAt = hasBeenMade ? refusedSince + OWN_LOCK_MS : refusedSince;
    if (isSaid || clock.monotonic() < dueAt) return;
    isSaid = true;
    const advice = isOtherDirectory
      ? 'give all nodes the same RESPARK_REDIS_PREFIX, RESPARK_REDIS_PARTITIONS and RESPARK_LEASE_MS'
      : 'stop one of them, or make both nodes of one cluster by RESPARK_REDIS_URL';
    if (hasBeenMade) log.error({ advice }, 'another server uses the database since this one lost its connection');
    else log.warn({ advice }, 'waiting for the end of another server that uses the database');
  }

  async function attempt(connection: Query): Promise<boolean> {
    const { rows } = await connection.query(take);
    isOtherDirectory = false;
    if (rows[0]?.claimed !== true) return false;
    if (ofDirectory === undefined) return true;
    // Two that come at once find each other, and both try again.
    const { rows: found } = await connection.query(ofDirectory.isAlike);
    isOtherDirectory = found[0]?.claimed !== true;
    if (isOtherDirectory) await connection.query(ofDirectory.release);
    return !isOtherDirectory;
  }

  return {
    claimed,
    get isOtherDirectory() {
      return isOtherDirectory;
    },
    begin() {
      isMade = false;
    },
    async beat(connection) {
      if (isMade) {
        await connection.query('select 1');
        return;
      }
      isMade = await attempt(connection);
      if (!isMade) return sayWhoIsThere();
      hasBeenMade = true;
      refusedSince = undefined;
      isSaid = false;
      noteClaimed();
    },
  };
}

interface ClaimTexts {
  /** Takes the locks. */
  readonly take: string;
  /** Says whether all nodes that are there have the same directory, and gives the locks back if not. */
  readonly ofDirectory?: { readonly isAlike: string; readonly release: string };
}

function claimsOf(presence: Presence): ClaimTexts {
  if (presence === 'alone') return { take: `select pg_try_advisory_lock(${PRESENCE_LOCK}) as claimed` };
  const digest = createHash('sha256').update(presence.directory).digest();
  const own = `${DIRECTORY_LOCKS}, ${digest.readInt32BE()}`;
  return {
    take: `select case when pg_try_advisory_lock_shared(${PRESENCE_LOCK}) then pg_try_advisory_lock_shared(${own}) else false end as claimed`,
    ofDirectory: {
      isAlike: `select not exists (select from pg_locks where locktype = 'advisory' and objsubid = 2
        and database = (select oid from pg_database where datname = current_database())
        and classid = ${DIRECTORY_LOCKS} and objid <> ${digest.readUInt32BE()}::bigint::oid) as claimed`,
      release: `select pg_advisory_unlock_shared(${PRESENCE_LOCK}), pg_advisory_unlock_shared(${own})`,
    },
  };
}

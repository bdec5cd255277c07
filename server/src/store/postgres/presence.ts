import { createHash, randomUUID } from 'node:crypto';
import type { Clock } from '../../clock.ts';
import type { Log } from '../../log.ts';

/**
 * Numbers that no other program uses for locks on the same database. The last two are classes, with a lock for each
 * directory and each journal.
 */
const PRESENCE_LOCK = 7_305_808_871;
const DIRECTORY_LOCKS = 730_580_887;
const JOURNAL_LOCKS = 730_580_888;
/** For how long the database may hold the lock for a connection that this server has lost. */
const OWN_LOCK_MS = 30_000;
/** Counts the servers on the database. PostgreSQL shows the number of the lock in two halves. */
export const COUNT_PRESENT = `select count(*)::int as present from pg_locks where locktype = 'advisory' and granted
  and objsubid = 1 and database = (select oid from pg_database where datname = current_database())
  and (classid::bigint << 32) + objid::bigint = ${PRESENCE_LOCK}`;

/** With these, a machine that vanishes loses its lock within 20 s. */
export const KEEP_ALIVE = 'set tcp_keepalives_idle = 5; set tcp_keepalives_interval = 5; set tcp_keepalives_count = 3';

/**
 * How a server is on its database: alone, or as one of the nodes that share a directory, which is named by the settings
 * that they must have in common. Nodes tolerate no server that is alone, and none with another directory.
 */
export type Presence =
  | 'alone'
  | {
      readonly directory: string;
      /** Names the journals of its data directory, which must not be copied to another server. */
      readonly journal?: string;
    };

const ADVICE: Readonly<Record<Outcome, string>> = {
  made: '',
  taken: 'stop one of them, or make both nodes of one cluster by RESPARK_REDIS_URL',
  other_directory: 'give all nodes the same RESPARK_REDIS_PREFIX, RESPARK_REDIS_PARTITIONS and RESPARK_LEASE_MS',
  same_journal:
    'give each node a data directory of its own, which is empty at its first start: one is a copy of the other',
};

/** The connection that has the locks of a presence; they end with it. */
interface Query {
  query(text: string): Promise<{
    readonly rows: readonly { readonly claim?: Outcome; readonly pid?: number; readonly name?: string | null }[];
  }>;
}

/** How the name of a connection with a presence begins; the rest is the process's own. */
const NAME = 'respark ';

/**
 * What came of an attempt. `taken`: there is a server that tolerates no other, or that this one does not tolerate.
 * `same_journal`: a server has a copy of this one's data directory, and the database would take the journal of one for
 * that of the other.
 */
type Outcome = 'made' | 'taken' | 'other_directory' | 'same_journal';

export interface Claim {
  /**
   * Resolves when the presence has been claimed for the first time. Rejects when the connection ends while another server is
   * there: that one may have lost its place in the same moment, and must not find it taken when it comes back for it.
   */
  readonly claimed: Promise<void>;
  /** Resolves, with advice, when another server has taken the place of this one, which must not serve players any more. */
  readonly displaced: Promise<string>;
  /** Whether `claimed` has rejected. */
  readonly isGivenUp: boolean;
  /** What has become of the last attempt. */
  readonly outcome: Outcome | undefined;
  /** Must be called for each new connection, which has no lock yet. */
  begin(): void;
  /** Asks for the locks unless the connection has them; is a heartbeat in any case. */
  beat(connection: Query): Promise<void>;
}

/**
 * Keeps servers apart that would share a database without knowing of each other's players: one of them would answer
 * that a player of another has no connections. A server that finds another there waits. One that has lost its
 * connection, and with it its place, takes it again: from its own former connection, of whose end the database may not
 * have heard, but not from another server. It goes on while it cannot tell who is there, and says so.
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
  let outcome: Outcome | undefined;
  let isGivenUp = false;
  let isNamed = false;
  let wasOtherThere = false;
  const name = `${NAME}${randomUUID()}`;
  const attempt = attemptOf(presence);
  let noteClaimed = () => {};
  let giveUp = () => {};
  const claimed = new Promise<void>((resolve, reject) => {
    noteClaimed = resolve;
    giveUp = () => reject(new Error('the connection to the database has ended'));
  });
  claimed.catch(() => {});
  let displace = (_advice: string) => {};
  const displaced = new Promise<string>((resolve) => {
    displace = resolve;
  });

  /** Ends this server's own former connections that still have the place, and finds out whether another server has it. */
  async function lookWhoIsThere(connection: Query): Promise<void> {
    const { rows } = await connection.query(holdersOf(presence, outcome));
    for (const { pid, name: holder } of rows) {
      if (holder === name) await connection.query(`select pg_terminate_backend(${pid})`);
    }
    const isOtherThere = rows.some(({ name: holder }) => holder !== name && holder?.startsWith(NAME));
    // A server that only tries holds a lock for a moment, so it must be found twice.
    if (isOtherThere && wasOtherThere) displace(ADVICE[outcome ?? 'taken']);
    wasOtherThere = isOtherThere;
  }

  function sayWhoIsThere(): void {
    refusedSince ??= clock.monotonic();
    const dueAt = hasBeenMade ? refusedSince + OWN_LOCK_MS : refusedSince;
    if (isSaid || clock.monotonic() < dueAt) return;
    isSaid = true;
    const advice = ADVICE[outcome ?? 'taken'];
    if (hasBeenMade) log.error({ advice }, 'another server uses the database since this one lost its connection');
    else log.warn({ advice }, 'waiting for the end of another server that uses the database');
  }

  return {
    claimed,
    displaced,
    get outcome() {
      return outcome;
    },
    get isGivenUp() {
      return isGivenUp;
    },
    begin() {
      isMade = false;
      isNamed = false;
      if (hasBeenMade || refusedSince === undefined) return;
      isGivenUp = true;
      giveUp();
    },
    async beat(connection) {
      if (isMade || isGivenUp) {
        await connection.query('select 1');
        return;
      }
      if (!isNamed) await connection.query(`set application_name = '${name}'`);
      isNamed = true;
      const { rows } = await connection.query(attempt);
      outcome = rows[0]?.claim;
      isMade = outcome === 'made';
      if (!isMade) {
        sayWhoIsThere();
        if (hasBeenMade) await lookWhoIsThere(connection);
        return;
      }
      hasBeenMade = true;
      wasOtherThere = false;
      refusedSince = undefined;
      isSaid = false;
      noteClaimed();
    },
  };
}

/**
 * Takes the locks, or gives them back if nodes with another directory are there, in one statement: a server that is
 * paused after it must not keep all others off. Two that come at once find each other, and both try again.
 */
function attemptOf(presence: Presence): string {
  if (presence === 'alone') {
    return `select case when pg_try_advisory_lock(${PRESENCE_LOCK}) then 'made' else 'taken' end as claim`;
  }
  const digest = createHash('sha256').update(presence.directory).digest();
  const own = `${DIRECTORY_LOCKS}, ${digest.readInt32BE()}`;
  const journal = presence.journal === undefined ? undefined : `${JOURNAL_LOCKS}, ${numberOf(presence.journal)}`;
  const [lockJournal, unlockJournal] =
    journal === undefined ? ['true', 'true'] : [`pg_try_advisory_lock(${journal})`, `pg_advisory_unlock(${journal})`];
  // The conditions of a CASE are evaluated in their order, and none behind the first that holds.
  return `select case
    when not ${lockJournal} then 'same_journal'
    when not pg_try_advisory_lock_shared(${PRESENCE_LOCK}) then case when ${unlockJournal} then 'taken' end
    when not pg_try_advisory_lock_shared(${own}) then case when ${unlockJournal} then 'taken' end
    when not exists (select from pg_locks where locktype = 'advisory' and objsubid = 2
      and database = (select oid from pg_database where datname = current_database())
      and classid = ${DIRECTORY_LOCKS} and objid <> ${digest.readUInt32BE()}::bigint::oid) then 'made'
    when pg_advisory_unlock_shared(${PRESENCE_LOCK}) and pg_advisory_unlock_shared(${own}) and ${unlockJournal}
      then 'other_directory'
    end as claim`;
}

/** The connections that keep this server from its place, with the names of those that it may see. */
function holdersOf(presence: Presence, outcome: Outcome | undefined): string {
  return `select pid, application_name as name from pg_locks left join pg_stat_activity using (pid)
    where locktype = 'advisory' and granted and ${lockThatKeepsOff(presence, outcome)}
      and database = (select oid from pg_database where datname = current_database())`;
}

function lockThatKeepsOff(presence: Presence, outcome: Outcome | undefined): string {
  const present = `objsubid = 1 and (classid::bigint << 32) + objid::bigint = ${PRESENCE_LOCK}`;
  if (presence === 'alone') return present;
  const idOf = (name: string) => `${numberOf(name) >>> 0}::bigint::oid`;
  if (outcome === 'other_directory')
    return `objsubid = 2 and classid = ${DIRECTORY_LOCKS} and objid <> ${idOf(presence.directory)}`;
  if (outcome === 'same_journal')
    return `objsubid = 2 and classid = ${JOURNAL_LOCKS} and objid = ${idOf(presence.journal ?? '')}`;
  // Nodes share the lock, and only a server that is alone keeps them off.
  return `${present} and mode = 'ExclusiveLock'`;
}

function numberOf(name: string): number {
  return createHash('sha256').update(name).digest().readInt32BE();
}

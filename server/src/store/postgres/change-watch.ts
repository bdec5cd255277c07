import type { Clock } from '../../clock.ts';
import type { Log } from '../../log.ts';
import { createPauses } from '../../pauses.ts';
import type { CuttableClient } from './client.ts';
import { describeFault } from './faults.ts';
import { assertHears } from './hearing.ts';
import { type Claim, KEEP_ALIVE } from './presence.ts';
import type { Sessions } from './sessions.ts';

const CHANNEL = 'respark_changes';
/** What a transaction executes so that its commit tells every node. */
export const ANNOUNCE_CHANGE = `notify ${CHANNEL}`;

const HEARTBEAT_MS = 250;
/** For how long the version is trusted, from when the heartbeat that proved it was sent. It must be less than a second. */
const MAX_TRUST_MS = 900;
/** A connection without an answer for so long is dead. */
const MAX_SILENCE_MS = 3_000;
const RECONNECT_MS = 250;
/** How often the server is asked whether it takes writes, and how soon one that takes none is left for a new connection. */
const WRITABLE_MS = 1_000;

export interface ChangeWatch {
  /** A number that changes with each change of another process; undefined while that cannot be known. */
  version(): number | undefined;
  /** How long the server has taken no writes, as far as it could be asked: 0 while it takes some. */
  unwritableMs(): number;
  close(): Promise<void>;
}

/**
 * Listens on a connection of its own. It is
 *
 * - connecting, or waiting to try again: no version is known.
 * - listening: each notification and each new connection changes the version.
 *
 * A heartbeat is a query. Before its answer, the server sends every notification of a commit that was answered before the
 * heartbeat was sent. So the version stands for as long as the last answered heartbeat was *sent* less than
 * `MAX_TRUST_MS` ago, and a paused process, a dead connection or a busy server can only end that.
 *
 * A fail-over may leave the old server running, which takes no writes any more and answers as if nothing had changed. So
 * all connections to a server that takes no writes are given up, and it is used again only if the address still leads there.
 *
 * With a `claim` the connection also holds the lock of the server's presence.
 */
export function watchChanges({
  sessions,
  claim,
  clock,
  log,
}: {
  claim?: Pick<Claim, 'begin' | 'beat'> | undefined;
  sessions: Pick<Sessions, 'connectAlone' | 'isCurrent' | 'renew' | 'use'>;
  clock: Clock;
  log: Pick<Log, 'info' | 'warn'>;
}): ChangeWatch {
  let version = 0;
  let provenAt = Number.NEGATIVE_INFINITY;
  let isFailing = false;
  const writability = createWritability(clock);
  let askWritableAt = 0;
  let reconnectMs = RECONNECT_MS;
  let client: CuttableClient | undefined;
  const pauses = createPauses(clock);

  async function assertWritable(listening: CuttableClient): Promise<void> {
    const ask = "select current_setting('transaction_read_only') as value";
    const { rows } = await listening.query<{ value: string }>(ask);
    askWritableAt = clock.monotonic() + WRITABLE_MS;
    const isWritable = rows[0]?.value === 'off';
    writability.found(isWritable);
    if (isWritable) return;
    sessions.renew();
    reconnectMs = WRITABLE_MS;
    throw new Error('the server takes no writes');
  }

  async function beat(listening: CuttableClient): Promise<void> {
    if (!sessions.isCurrent(listening)) throw new Error('new connections lead to another server');
    const sentAt = clock.monotonic();
    const cancel = clock.after(MAX_SILENCE_MS, () => listening.cut());
    try {
      if (sentAt >= askWritableAt) await assertWritable(listening);
      await (claim === undefined ? listening.query('select 1') : claim.beat(listening));
      provenAt = sentAt;
    } finally {
      cancel();
    }
  }

  async function listen(): Promise<void> {
    claim?.begin();
    client = await sessions.connectAlone();
    // A server that starts makes its claim first, and its own writes show whether the database takes any.
    askWritableAt = isFailing ? 0 : clock.monotonic() + WRITABLE_MS;
    client.on('notification', () => {
      version += 1;
    });
    const cancel = clock.after(MAX_SILENCE_MS, () => client?.cut());
    await client.query(`listen ${CHANNEL}; ${KEEP_ALIVE}`).finally(cancel);
    await assertHears(client, { sessions, clock });
    // What was announced while this node did not listen is unknown.
    version += 1;
    while (!pauses.isEnded) {
      await beat(client);
      if (isFailing) log.info({}, 'changes of other nodes are heard of again');
      isFailing = false;
      await pauses.pause(HEARTBEAT_MS);
    }
  }

  async function watch(): Promise<void> {
    while (!pauses.isEnded) {
      try {
        await listen();
      } catch (error) {
        // Meanwhile, what would be remembered is read from the database each time, which is slower and just as right.
        if (!isFailing && !pauses.isEnded) {
          log.warn(
            { reason: describeFault(error) },
            'changes of other nodes are not heard of, so nothing is remembered',
          );
        }
        isFailing = true;
      }
      provenAt = Number.NEGATIVE_INFINITY;
      client?.cut();
      client = undefined;
      if (!pauses.isEnded) await pauses.pause(reconnectMs);
      reconnectMs = RECONNECT_MS;
    }
  }
  const watching = watch();

  return {
    version: () => (clock.monotonic() - provenAt < MAX_TRUST_MS ? version : undefined),
    unwritableMs: writability.unwritableMs,
    async close() {
      pauses.end();
      client?.cut();
      await watching;
    },
  };
}

/** Remembers since when the server has been found to take no writes. */
function createWritability(clock: Pick<Clock, 'monotonic'>) {
  let since: number | undefined;
  return {
    found(isWritable: boolean): void {
      if (isWritable) since = undefined;
      else since ??= clock.monotonic();
    },
    unwritableMs: () => (since === undefined ? 0 : clock.monotonic() - since),
  };
}

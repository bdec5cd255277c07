import { randomUUID } from 'node:crypto';
import { setImmediate } from 'node:timers/promises';
import { type Clock, withTimeout } from '../../clock.ts';
import type { CuttableClient } from './client.ts';
import type { Sessions } from './sessions.ts';

/** How long a notification may take: the server sends it at once to a connection that is idle. */
const HEARD_MS = 2_000;
const ANSWERED_MS = 5_000;

export const NOT_HEARD =
  'a notification of another connection does not arrive, as behind a pooler that lends its connections for a transaction at a time';
export const HEARING_ADVICE =
  'name the database server itself in RESPARK_DATABASE_URL, or have the pooler keep a connection for each client (PgBouncer: pool_mode = session)';

/**
 * Whether a connection receives what another one notifies. Behind a pooler that lends the connections of the server for
 * a transaction at a time, all statements succeed, but notifications arrive nowhere, and a lock of a session stays with
 * a connection of the pooler. No query is sent while the notification is on its way: a pooler might pass it on with an
 * answer.
 */
export async function hears(
  listening: CuttableClient,
  { sessions, clock }: { sessions: Pick<Sessions, 'use'>; clock: Clock },
): Promise<boolean> {
  const channel = `respark_${randomUUID().replaceAll('-', '')}`;
  let isHeard = false;
  let note = () => {};
  const heard = new Promise<void>((resolve) => {
    note = () => {
      isHeard = true;
      resolve();
    };
  });
  const listener = (notification: { readonly channel: string }) => {
    if (notification.channel === channel) note();
  };
  listening.on('notification', listener);
  try {
    await listening.query(`listen ${channel}`);
    await sessions.use((session) => session.query(`notify ${channel}`));
    await withTimeout(heard, HEARD_MS, clock).catch(() => {});
    // If this process was held up, the notification may have come and not have been read.
    if (!isHeard) await setImmediate();
    return isHeard;
  } finally {
    listening.off('notification', listener);
    await listening.query(`unlisten ${channel}`).catch(() => {});
  }
}

/**
 * Rejects unless the connection receives notifications. One to the server itself does, and has the process id that the
 * server named at its beginning; behind a pooler, whose mode may have changed since, this is tried out.
 */
export async function assertHears(
  listening: CuttableClient,
  parts: { sessions: Pick<Sessions, 'use'>; clock: Clock },
): Promise<void> {
  const cancel = parts.clock.after(ANSWERED_MS, () => listening.cut());
  try {
    const { rows } = await listening.query<{ pid: number }>('select pg_backend_pid() as pid');
    if (rows[0]?.pid === listening.announcedPid || (await hears(listening, parts))) return;
  } finally {
    cancel();
  }
  throw new Error(NOT_HEARD);
}

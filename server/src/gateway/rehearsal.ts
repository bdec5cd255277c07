import { CLOSE_CODES } from '@respark/protocol';
import type { Clock } from '../clock.ts';
import type { Cluster } from '../cluster/cluster.ts';
import type { MaybePromise } from '../maybe-promise.ts';
import type { RehearsalOrder, RehearsedEnd } from '../rehearsal-order.ts';
import type { Connection, Why } from './connection.ts';
import { farewellFrame } from './farewell-frame.ts';

/** The ends that a close frame tells the client of → how. The others come without a word. */
const WHY: Readonly<Partial<Record<RehearsedEnd, (order: RehearsalOrder) => Why>>> = {
  draining: ({ retryAfterMs = 0 }) => ({ name: 'draining', text: 'a rehearsal', facts: { retryAfterMs } }),
  slow_reader: () => ({ name: 'slow_consumer', text: 'a rehearsal' }),
  heartbeat_missed: () => ({ name: 'heartbeat_missed', text: 'a rehearsal' }),
  kicked: ({ requestId }) => ({
    name: 'disconnected',
    text: 'a rehearsal',
    facts: { requestId },
    farewell: farewellFrame({ reason: 'REHEARSAL', message: 'This is a rehearsal.' }, requestId),
  }),
  blocked: ({ until = 0 }) => ({ name: 'blocked', text: 'a rehearsal', facts: { until } }),
  token_refused: () => ({ name: 'token_refused', text: 'a rehearsal' }),
  replaced: () => ({ name: 'replaced', text: 'a rehearsal' }),
};

/** Answers the request to end or disturb a connection as an accident would. */
export function answerRehearse({
  cluster,
  find,
  end,
  silence,
  clock,
}: {
  cluster: Pick<Cluster, 'answer'>;
  find: (connectionId: string) => Connection | undefined;
  end: (connection: Connection, why: Why) => MaybePromise<void>;
  /** Neither reads nor writes on the connection any more, and destroys it after so long. */
  silence: (connection: Connection, forMs: number) => void;
  clock: Clock;
}): void {
  cluster.answer('rehearse', async (order) => {
    const connection = find(order.connectionId);
    if (connection === undefined || connection.isStopped || !connection.isWelcomed) return { isPlayed: false };
    const at = clock.now();
    const why = WHY[order.end]?.(order);
    if (why !== undefined) {
      await end(connection, why);
      return { isPlayed: true, at, code: CLOSE_CODES[why.name].code };
    }
    if (order.end === 'silent_network') {
      silence(connection, order.silentForMs);
      return { isPlayed: true, at };
    }
    connection.destroy();
    await end(connection, { name: 'abnormal' });
    return { isPlayed: true, at };
  });
}

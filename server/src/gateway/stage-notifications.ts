import { encode } from '@respark/protocol';
import type { Clock } from '../clock.ts';
import type { Cluster } from '../cluster/cluster.ts';
import type { Connection } from './connection.ts';

/** How many connections are written to before other work has its turn, and how long that may take. */
const SLICE_CONNECTIONS = 100;
const SLICE_MS = 2;
const PAUSE_MS = 1;

/** Answers the request to send a notification to everybody who is connected to a stage on this node. */
export function answerNotifyStage({
  cluster,
  ofStage,
  clock,
}: {
  cluster: Pick<Cluster, 'answer'>;
  ofStage: (stageId: string) => readonly Connection[];
  clock: Clock;
}): void {
  cluster.answer('notify_stage', async ({ stageId, type, payload, isDryRun }) => {
    // Whoever comes while it is being sent has come later than it.
    const connections = ofStage(stageId);
    if (isDryRun) return { reached: connections.filter(isOpen).length };
    const text = encode({ kind: 'notification', type, payload });
    const bytes = Buffer.byteLength(text);
    let reached = 0;
    let [left, endsAt] = [SLICE_CONNECTIONS, clock.monotonic() + SLICE_MS];
    for (const connection of connections) {
      if (left === 0 || clock.monotonic() >= endsAt) {
        await new Promise<void>((resolve) => void clock.after(PAUSE_MS, resolve));
        [left, endsAt] = [SLICE_CONNECTIONS, clock.monotonic() + SLICE_MS];
      }
      if (connection.notify(text, bytes)) reached += 1;
      left -= 1;
    }
    return { reached };
  });
}

function isOpen({ isWelcomed, isStopped }: Connection): boolean {
  return isWelcomed && !isStopped;
}

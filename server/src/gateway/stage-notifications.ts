import { encode } from '@respark/protocol';
import type { Clock } from '../clock.ts';
import type { Cluster } from '../cluster/cluster.ts';
import type { ConnectionSelector } from '../connection-selector.ts';
import type { Connection } from './connection.ts';
import type { Membership } from './membership.ts';
import { createSelection } from './selection.ts';
import { createSlices } from './slices.ts';

interface StageNotification {
  readonly stageId: string;
  readonly selector?: ConnectionSelector;
  readonly type: string;
  readonly payload: Readonly<Record<string, unknown>>;
  readonly isDryRun: boolean;
}

/** Answers the requests to send a notification to those who are connected to a stage on this node. */
export function answerNotifyStage({
  cluster,
  membership,
  clock,
}: {
  cluster: Pick<Cluster, 'answer'>;
  membership: Pick<Membership, 'ofStage'>;
  clock: Clock;
}): void {
  async function notify({ stageId, selector = {}, type, payload, isDryRun }: StageNotification) {
    const isMeant = createSelection(stageId, selector);
    const text = encode({ kind: 'notification', type, payload });
    const bytes = Buffer.byteLength(text);
    let reached = 0;
    const pauseIfDue = createSlices(clock);
    // A player who comes while it is being sent has come later than it.
    for (const connection of membership.ofStage(stageId)) {
      await pauseIfDue();
      if (!isMeant(connection)) continue;
      if (isDryRun ? isOpen(connection) : connection.notify(text, bytes)) reached += 1;
    }
    return { reached };
  }

  cluster.answer('notify_stage', notify);
  cluster.answer('notify_connections', notify);
}

function isOpen({ isWelcomed, isStopped }: Connection): boolean {
  return isWelcomed && !isStopped;
}

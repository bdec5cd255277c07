import { type Clock, passed } from '../../clock.ts';
import { createTokenBuckets } from '../../token-bucket.ts';
import type { HostApiParts } from './host-api.ts';
import type { Notify } from './notify.ts';

const MAX_STAGES = 10_000;
/** Carrying a notification to another node costs about as much as this many writes of it. */
const COST_BESIDE = 4;
/** Reading a value by its shape, and again on the other node, takes about as long as writing this many bytes. */
const BYTES_OF_VALUE = 512;

/**
 * `SendNotification` of scripts. What the scripts of one stage write is limited to a rate of bytes: a notification may
 * be long, and a player may have many connections, and a node does nothing else while it writes to each of them. Beyond
 * the rate, a call waits for its turn.
 */
export function createScriptNotify({
  notify,
  clock,
  settings,
}: {
  notify: Notify;
  clock: Clock;
  settings: { readonly scriptNotificationBytesPerSecond: number };
}): HostApiParts['notify'] {
  const bytesPerSecond = settings.scriptNotificationBytesPerSecond;
  const buckets = createTokenBuckets({
    ratePerSecond: bytesPerSecond,
    burst: bytesPerSecond,
    maxKeys: MAX_STAGES,
    clock,
  });

  /** Waits until the rate has made up for what was written before, which may have exceeded it. */
  async function turnOf(stageId: string): Promise<void> {
    for (;;) {
      const waitMs = buckets.peek(stageId);
      if (waitMs <= 0) return;
      await passed(waitMs, clock);
    }
  }

  return async (player, type, payload) => {
    const { stageId } = player;
    if (buckets.peek(stageId) > 0) await turnOf(stageId);
    const bytes = Buffer.byteLength(JSON.stringify(payload));
    buckets.spend(stageId, bytes * COST_BESIDE + valuesIn(payload) * BYTES_OF_VALUE);
    const nodes = await notify(player, type, payload);
    const connections = nodes.reduce((sum, { connections = 1 }) => sum + connections, 0);
    buckets.spend(stageId, bytes * connections);
  };
}

function valuesIn(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 1;
  let count = 1;
  for (const member of Object.values(value)) count += valuesIn(member);
  return count;
}

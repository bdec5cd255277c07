import { type Clock, passed } from '../../clock.ts';
import { createTokenBuckets } from '../../token-bucket.ts';
import type { HostApiParts } from './host-api.ts';
import type { Notify } from './notify.ts';

const MAX_STAGES = 10_000;
/** To carry a notification to another node takes about as long as so many writes of it. */
const COST_BESIDE = 4;
/** Reading a value by its shape, and again on the other node, takes about as long as writing this many bytes. */
const BYTES_OF_VALUE = 512;

/**
 * `SendNotification` of scripts. What those of one stage have written has a rate, because a notification may be long, and a
 * player may have many connections, each of which a node writes it to while nothing else runs there. Beyond the rate a call
 * waits for its turn, as for anything else that takes long.
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

  /** What was written before may be more than there was room for: until that is made up for, nothing else is. */
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

import type { Cluster } from '../../cluster/cluster.ts';
import type { Sealer } from '../../keyring.ts';
import { createRareWarnings } from '../../rare-warnings.ts';
import type { EventLog } from '../../store/events/event-log.ts';
import type { Store } from '../../store/store.ts';
import type { WebhookRecord } from '../../store/webhooks.ts';
import { Delivery, type DeliveryParts } from './delivery.ts';
import { receiverOf } from './receiver.ts';
import { createRecentAttempts } from './recent-attempts.ts';
import type { WebhookDeliveries } from './webhook-deliveries.ts';

export interface ClaimedWebhooksParts extends Omit<DeliveryParts, 'eventLog' | 'attempts'> {
  readonly eventLog: EventLog;
  readonly store: Pick<Store, 'webhooks' | 'transaction'>;
  readonly cluster: Pick<Cluster, 'node' | 'isAlive'>;
  readonly sealer: Sealer;
}

/** How far the receivers are behind: events that wait, and the age of the oldest in seconds. */
export interface WebhookLag {
  readonly webhookBacklog: number;
  readonly webhookOldest: number;
}

type Lag = ReturnType<Delivery['lag']>;

/** The webhooks that this node delivers, each while it has the cursor. */
export interface ClaimedWebhooks {
  /**
   * Delivers what is enabled and nobody else has, by what is known now, and nothing else. Takes what a dead node had. What
   * fails for one webhook is logged, and leaves the others alone. Does not wait for the ends of deliveries that are not to go
   * on, which send nothing further: a receiver may be silent, and other games have no part in that. A webhook whose delivery is
   * ending is left to a later call.
   */
  reconcile(webhooks: readonly WebhookRecord[]): Promise<void>;
  /** Resolves when no delivery of the webhook is ending here. */
  ended(id: string): Promise<void>;
  lag(): WebhookLag;
  /** What this node remembers of a webhook, also of one that it does not deliver any more. */
  deliveriesOf(id: string): Promise<WebhookDeliveries>;
  close(): Promise<void>;
}

export function createClaimedWebhooks(parts: ClaimedWebhooksParts): ClaimedWebhooks {
  const { eventLog, cluster, clock, log } = parts;
  const warn = createRareWarnings({ clock, log });
  const attempts = createRecentAttempts();
  const running = new Map<string, Delivery>();
  const lags = new Map<string, Lag>();
  let isClosed = false;

  /** A webhook that cannot be looked at must not keep others from that. */
  async function each(id: string, work: () => Promise<void>): Promise<void> {
    await work().catch((error: unknown) => {
      if (!isClosed) warn(id, { err: error, webhookId: id }, 'a webhook could not be looked at');
    });
  }
  const { ending, end } = createEnds(each);

  async function stop(id: string): Promise<void> {
    const delivery = running.get(id);
    running.delete(id);
    lags.delete(id);
    await delivery?.stop();
  }

  /** Goes on with the delivery while it is this node's; otherwise it ends. */
  async function keep(webhook: WebhookRecord, delivery: Delivery): Promise<void> {
    delivery.change(receiverOf(webhook, parts));
    const isOwn = delivery.owner === cluster.node && (await delivery.save());
    if (isOwn) lags.set(webhook.id, delivery.lag((await eventLog.ends(webhook.gameId)).last));
    else end(webhook.id, () => stop(webhook.id));
  }

  async function leave(id: string, delivery: Delivery): Promise<void> {
    await stop(id);
    await delivery.save();
    await eventLog.release(id, delivery.owner);
  }

  async function begin(webhook: WebhookRecord, from: string | undefined): Promise<void> {
    const owner = cluster.node;
    if (from !== undefined && from !== owner && (await cluster.isAlive(from))) return;
    const { id, gameId } = webhook;
    const cursor = await eventLog.claim({ receiver: id, gameId, owner, from });
    if (cursor === undefined || isClosed) return;
    const ended = (reason: string, url: string) => void switchOff({ ...webhook, url }, reason);
    running.set(id, new Delivery({ ...parts, attempts, receiver: receiverOf(webhook, parts), owner, cursor, ended }));
  }

  async function switchOff(webhook: WebhookRecord, reason: string): Promise<void> {
    const { id, gameName, url } = webhook;
    try {
      await running.get(id)?.save();
      if (await disable(parts, webhook, reason)) {
        log.warn({ webhookId: id, gameName, host: new URL(url).host, reason }, 'a webhook was switched off');
        parts.metrics.events.switchedOff();
      }
    } catch (error) {
      // The next attempt to deliver it fails as well, and switches it off.
      warn(id, { err: error, webhookId: id }, 'a webhook could not be switched off');
    }
    await stop(id);
    await eventLog.release(id, cluster.node).catch(() => {});
  }

  async function reconcile(webhooks: readonly WebhookRecord[]): Promise<void> {
    const enabled = new Map(
      webhooks.filter(({ state }) => state === 'ENABLED').map((webhook) => [webhook.id, webhook]),
    );
    for (const [id, delivery] of [...running]) {
      const webhook = enabled.get(id);
      if (webhook === undefined) end(id, () => leave(id, delivery));
      else await each(id, () => keep(webhook, delivery));
    }
    attempts.keepOnly(new Set(webhooks.map(({ id }) => id)));
    if ([...enabled.keys()].every((id) => running.has(id) || ending.has(id))) return;
    const owners = new Map((await eventLog.cursors()).map(({ receiver, owner }) => [receiver, owner]));
    for (const [id, webhook] of enabled) {
      if (!running.has(id) && !ending.has(id) && !isClosed) await each(id, () => begin(webhook, owners.get(id)));
    }
  }

  return {
    reconcile,
    ended: async (id) => await ending.get(id),
    lag: () => lagOf([...lags.values()], clock.now()),
    async deliveriesOf(id) {
      const delivery = running.get(id);
      const waiting = delivery?.waiting((await eventLog.ends(delivery.gameId)).last);
      return { attempts: attempts.of(id), waiting };
    },
    async close() {
      isClosed = true;
      // Another node, or the next start, goes on from there. What could not be saved is sent again.
      await Promise.all([...running].map(([id, delivery]) => leave(id, delivery).catch(() => {})));
      await Promise.all(ending.values());
    },
  };
}

/** The ends of deliveries, by webhook. Each waits a moment for the answers to what was sent. */
function createEnds(each: (id: string, work: () => Promise<void>) => Promise<void>) {
  const ending = new Map<string, Promise<void>>();
  return {
    ending,
    end(id: string, work: () => Promise<void>): void {
      const ended = each(id, work).finally(() => ending.delete(id));
      ending.set(id, ended);
    },
  };
}

/** Disables the webhook, and resolves with whether it did: not if it has another URL by now, which the next look tries. */
async function disable(
  { store, clock }: Pick<ClaimedWebhooksParts, 'store' | 'clock'>,
  { gameId, id, url }: WebhookRecord,
  reason: string,
): Promise<boolean> {
  return await store.transaction(async ({ webhooks }) => {
    if ((await webhooks.find(gameId, id))?.url !== url) return false;
    await webhooks.update(id, { state: 'DISABLED', reason, updatedAt: clock.now() });
    return true;
  });
}

function lagOf(lags: readonly Lag[], now: number): WebhookLag {
  const oldest = Math.min(...lags.map(({ oldestAt }) => oldestAt ?? Number.POSITIVE_INFINITY));
  return {
    webhookBacklog: lags.reduce((sum, { events }) => sum + events, 0),
    webhookOldest: oldest === Number.POSITIVE_INFINITY ? 0 : Math.max(0, now - oldest) / 1000,
  };
}

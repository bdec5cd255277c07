import type { Cluster } from '../../cluster/cluster.ts';
import { createRareWarnings } from '../../rare-warnings.ts';
import { createSettledTime } from '../../settled-time.ts';
import type { Store } from '../../store/store.ts';
import { everyGame } from '../every-game.ts';
import { isGameThere } from '../games.ts';
import { type ClaimedWebhooksParts, createClaimedWebhooks, type WebhookLag } from './claimed-webhooks.ts';
import { endOfOrphan } from './events.ts';
import type { Interest } from './interest.ts';

/** How long it takes at most until this node notices what other nodes have changed. */
const LOOK_PERIOD_MS = 1_000;
const PRUNE_PERIOD_MS = 600_000;
/** The clock must have said for so long that an event is old: it may be set back. */
const CLOCK_HELD_MS = 1_800_000;
const DAY_MS = 86_400_000;

export interface DeliveriesParts extends ClaimedWebhooksParts {
  readonly cluster: Pick<Cluster, 'node' | 'isAlive' | 'answer'>;
  readonly interest: Interest;
  readonly store: ClaimedWebhooksParts['store'] & Pick<Store, 'games'>;
  readonly settings: ClaimedWebhooksParts['settings'] & {
    readonly nodeRole: string;
    readonly leaseMs: number;
    readonly eventRetentionDays: number;
  };
}

/**
 * This node's part in what leaves by webhooks: which games are of interest, which webhooks this node delivers, and which
 * connections of dead nodes are to be ended in the log. A node delivers a webhook while it has the cursor; it takes that
 * of a node that is dead.
 */
export interface Deliveries {
  /** Must be called before players are welcomed. Rejects when the store cannot be read. */
  start(): Promise<void>;
  /** Looks now at what has changed. Never rejects. */
  look(): Promise<void>;
  /** Resolves when no delivery of the webhook is ending on this node, which takes a moment after the look that ends it. */
  ended(webhookId: string): Promise<void>;
  /** How far the receivers are behind that this node delivers to. */
  counts(): WebhookLag;
  close(): Promise<void>;
}

export function createDeliveries(parts: DeliveriesParts): Deliveries {
  const { store, eventLog, interest, cluster, clock, log, settings } = parts;
  const warn = createRareWarnings({ clock, log });
  const claimed = createClaimedWebhooks(parts);
  const settledTime = createSettledTime(clock, CLOCK_HELD_MS);
  cluster.answer('describe_deliveries', ({ webhookId }) => claimed.deliveriesOf(webhookId));
  const isDelivering = settings.nodeRole !== 'gateway';
  let looking: Promise<void> = Promise.resolve();
  /** The look that is planned and has not begun. */
  let nextLook: Promise<void> | undefined;
  let cancel = () => {};
  let isClosed = false;
  let nextOwnersAt = Number.NEGATIVE_INFINITY;
  let nextPruneAt = clock.monotonic() + PRUNE_PERIOD_MS / 10;

  async function endOrphans(): Promise<void> {
    if (clock.monotonic() < nextOwnersAt) return;
    nextOwnersAt = clock.monotonic() + settings.leaseMs;
    for (const owner of await eventLog.owners()) {
      if (owner === cluster.node || (await cluster.isAlive(owner))) continue;
      const facts = { at: clock.now(), random: parts.random };
      const count = await eventLog.endConnections(owner, (opened) => endOfOrphan(opened, facts));
      if (count > 0) log.warn({ node: owner, count }, 'connections of a node that has ended were ended in the events');
    }
  }

  function prune(): void {
    if (clock.monotonic() < nextPruneAt) return;
    nextPruneAt = clock.monotonic() + PRUNE_PERIOD_MS;
    const now = settledTime();
    if (now === Number.NEGATIVE_INFINITY) return;
    eventLog
      .removeBefore(now - settings.eventRetentionDays * DAY_MS)
      .then(() => removeLeft(parts))
      .catch((error: unknown) => warn('prune', { err: error }, 'old events could not be removed'));
  }

  async function lookOnce(): Promise<void> {
    const webhooks = await store.webhooks.listAll();
    const watched: { id: string; name: string }[] = [];
    // The watchers of a game that was deleted must not be told of a later one of its name.
    for (const game of await eventLog.watched(clock.now())) if (await isGameThere(store, game)) watched.push(game);
    interest.set(
      new Map([
        ...watched.map(({ name, id }) => [name, id] as const),
        ...webhooks.map(({ gameName, gameId }) => [gameName, gameId] as const),
      ]),
    );
    if (!isDelivering || isClosed) return;
    await claimed.reconcile(webhooks);
    await endOrphans();
    prune();
  }

  function plan(): void {
    if (!isClosed) cancel = clock.after(LOOK_PERIOD_MS, () => void look());
  }

  /**
   * Looks are made one after the other. A look may have to wait for the database; all calls in the meantime share the next look,
   * which finds everything that has changed. With a look for each call, a game that keeps changing its webhooks would make
   * the others wait longer and longer.
   */
  function look(): Promise<void> {
    if (nextLook !== undefined) return nextLook;
    nextLook = looking.then(async () => {
      nextLook = undefined;
      if (isClosed) return;
      cancel();
      await lookOnce().catch((error: unknown) => {
        if (!isClosed) warn('look', { err: error }, 'webhooks could not be looked at');
      });
      plan();
    });
    looking = nextLook;
    return nextLook;
  }

  return {
    async start() {
      await lookOnce();
      plan();
    },
    look,
    ended: claimed.ended,
    counts: claimed.lag,
    async close() {
      isClosed = true;
      cancel();
      await looking;
      await claimed.close();
    },
  };
}

/**
 * Removes the events of games that are gone. Another node may have had such events in its journal when the game was deleted, and
 * moved them afterwards. Those of a game that is older than all that are there stay until they are too old: the store may have
 * begun anew because its file was missing, and be put back.
 */
async function removeLeft({ store, eventLog }: Pick<DeliveriesParts, 'store' | 'eventLog'>): Promise<void> {
  // The games with events are listed first: one that is made meanwhile is not among them.
  const left = new Set(await eventLog.games());
  let oldest: string | undefined;
  for await (const { id } of everyGame(store)) {
    // Ids begin with the time at which they were made.
    if (oldest === undefined || id < oldest) oldest = id;
    left.delete(id);
  }
  for (const id of left) if (oldest !== undefined && id > oldest) await eventLog.removeGame(id);
}

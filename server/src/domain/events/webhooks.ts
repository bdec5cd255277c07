import type { Clock } from '../../clock.ts';
import type { Cluster } from '../../cluster/cluster.ts';
import { ServiceError } from '../../errors.ts';
import { type Keyring, type Sealer, verifyKeyring } from '../../keyring.ts';
import { type RandomBytes, uuidV7 } from '../../random.ts';
import type { EventLog } from '../../store/events/event-log.ts';
import type { Store } from '../../store/store.ts';
import type { WebhookChange, WebhookRecord } from '../../store/webhooks.ts';
import { shown } from '../../text.ts';
import { createTokenBuckets } from '../../token-bucket.ts';
import type { Audit, Change } from '../audit/audit.ts';
import { getActiveGame, getGame } from '../games.ts';
import type { Deliveries } from './deliveries.ts';
import { EVENT_TYPE_NAMES } from './event-types.ts';
import type { Interest } from './interest.ts';
import type { PostPace } from './post-pace.ts';
import type { WebhookPost } from './post-webhook.ts';
import { secretsOf } from './receiver.ts';
import { sendEvent } from './send-event.ts';
import { findDeliveries, type WebhookDeliveries, type WebhookDeliveriesParts } from './webhook-deliveries.ts';
import { showSecret } from './webhook-signing.ts';

export type Webhook = WebhookRecord;

export interface NewWebhook {
  readonly url: string;
  readonly description?: string | undefined;
  readonly stages?: readonly string[] | undefined;
  readonly types?: readonly string[] | undefined;
}

export interface WebhookUpdate extends Omit<NewWebhook, 'url'> {
  readonly url?: string | undefined;
  readonly isEnabled?: boolean | undefined;
  /** Makes another secret; the one before counts for a day longer. */
  readonly rotatesSecret?: boolean | undefined;
}

/** The secret is shown only when it is made. */
interface WithSecret {
  readonly webhook: Webhook;
  readonly secret: string | undefined;
}

/** What became of a test. */
export interface WebhookTest {
  readonly isAccepted: boolean;
  readonly status: number | undefined;
  readonly message: string;
}

/** The rules of webhooks. All throw `not_found` for a game or webhook that is not there. */
export interface Webhooks {
  /** Throws `validation` for a URL that the settings do not allow, and `quota_exceeded`. */
  create(gameName: string, webhook: NewWebhook, change: Change): Promise<WithSecret>;
  get(gameName: string, id: string): Promise<Webhook>;
  list(gameName: string): Promise<readonly Webhook[]>;
  /** The latest attempts to deliver, and what waits. Throws an `internal` that may be tried again when the node that knows is away. */
  deliveries(gameName: string, id: string): Promise<WebhookDeliveries>;
  /** What is enabled again goes on where it was. Throws `validation` as `create` does. */
  update(gameName: string, id: string, update: WebhookUpdate, change: Change): Promise<WithSecret>;
  delete(gameName: string, id: string, change: Change): Promise<void>;
  /** Sends everything that is kept from this time on, again where it was sent before. Throws `throttled` when that was lately. */
  replay(gameName: string, id: string, since: number, change: Change): Promise<void>;
  /**
   * Sends one event of type `webhook.test`, whether or not the webhook is enabled. Throws `throttled` while this node waits
   * for the answer to another one.
   */
  test(gameName: string, id: string, change: Change): Promise<WebhookTest>;
}

const MAX_PER_GAME = 10;
const SECRET_BYTES = 32;
const FORMER_SECRET_MS = 86_400_000;
/** A replay sends perhaps a million events, so one webhook has one in so long. */
const REPLAY_SECONDS = 60;
/** Webhooks whose last replay is remembered. */
const MAX_REPLAYED = 10_000;

export interface WebhooksParts extends WebhookDeliveriesParts {
  readonly store: Store;
  readonly audit: Audit;
  readonly eventLog: Pick<EventLog, 'cursors' | 'rewind' | 'removeCursor' | 'positionBefore'>;
  readonly deliveries: Pick<Deliveries, 'look' | 'ended'>;
  readonly interest: Pick<Interest, 'add'>;
  readonly post: WebhookPost;
  readonly pace: Pick<PostPace, 'enter'>;
  readonly keyring: Keyring;
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly cluster: Pick<Cluster, 'node' | 'request' | 'requestAll'>;
}

export function createWebhooks(parts: WebhooksParts): Webhooks {
  const { store, audit, eventLog, deliveries, interest, post, keyring, clock, random } = parts;

  async function get(gameName: string, id: string): Promise<Webhook> {
    const { id: gameId } = await getGame(store, gameName);
    return (await store.webhooks.find(gameId, id)) ?? webhookNotFound(gameName, id);
  }

  const replays = createTokenBuckets({ ratePerSecond: 1 / REPLAY_SECONDS, burst: 1, maxKeys: MAX_REPLAYED, clock });
  const assertFit = (asked: Pick<WebhookUpdate, 'url' | 'types'>) => assertAllowed(asked, post);

  async function insert(id: string, gameName: string, asked: NewWebhook): Promise<WithSecret> {
    const secret = random(SECRET_BYTES);
    const webhook = await store.transaction(async (store) => {
      const { id: gameId } = await getActiveGame(store, gameName);
      // The secret key may have been replaced since this process read it.
      await verifyKeyring(store, keyring);
      if ((await store.webhooks.list(gameId)).length >= MAX_PER_GAME) {
        const message = `game "${gameName}" has ${MAX_PER_GAME} webhooks, as many as a game may have: delete one`;
        throw new ServiceError('quota_exceeded', message);
      }
      const now = clock.now();
      const { url, description = '', stages = [], types = [] } = asked;
      const record: Webhook = {
        ...{ id, gameId, gameName, url, description, stages, types, state: 'ENABLED', reason: '' },
        ...{ sealedSecret: keyring.seal(secret, id), sealedFormerSecret: undefined, formerUntil: undefined },
        ...{ createdAt: now, updatedAt: now },
      };
      await store.webhooks.insert(record);
      return record;
    });
    interest.add({ name: gameName, id: webhook.gameId });
    await deliveries.look();
    return { webhook, secret: showSecret(secret) };
  }

  return {
    get,

    async list(gameName) {
      const { id } = await getGame(store, gameName);
      return await store.webhooks.list(id);
    },

    deliveries: async (gameName, id) => await findDeliveries(await get(gameName, id), parts),

    async create(gameName, asked, change) {
      const id = uuidV7(random, clock.now());
      return await audit.around(recorded(change, id, asked), async () => {
        assertFit(asked);
        return await insert(id, gameName, asked);
      });
    },

    update: (gameName, id, asked, change) =>
      audit.around(recorded(change, id, asked), async () => {
        assertFit(asked);
        const secret = asked.rotatesSecret === true ? random(SECRET_BYTES) : undefined;
        const webhook = await store.transaction(async (store) => {
          const game = await getActiveGame(store, gameName);
          const found = (await store.webhooks.find(game.id, id)) ?? webhookNotFound(gameName, id);
          if (secret !== undefined) await verifyKeyring(store, keyring);
          const update = changesOf({ webhook: found, update: asked, secret, sealer: keyring, now: clock.now() });
          await store.webhooks.update(id, update);
          return { ...found, ...update };
        });
        await applied(deliveries, id);
        return { webhook, secret: secret && showSecret(secret) };
      }),

    delete: (gameName, id, change) =>
      audit.around(recorded(change, id), async () => {
        await get(gameName, id);
        await store.webhooks.remove(id);
        await applied(deliveries, id);
        await eventLog.removeCursor(id);
      }),

    async replay(gameName, id, since, change) {
      // What is refused leaves no record, as every other call that comes too often.
      assertRested(replays.peek(id));
      await audit.around(recorded(change, id), async () => {
        const { gameId } = await get(gameName, id);
        assertRested(replays.take(id));
        await eventLog.rewind(id, gameId, await eventLog.positionBefore(gameId, since));
        // The first look finds that the cursor was taken away, the second takes it up again.
        await applied(deliveries, id);
        await deliveries.look();
      });
    },

    test: createTest(parts, get),
  };
}

/** Has this node take up what was changed of a webhook, also when its receiver keeps the delivery from ending for a moment. */
async function applied(deliveries: WebhooksParts['deliveries'], id: string): Promise<void> {
  await deliveries.look();
  await deliveries.ended(id);
}

/** Puts on record which webhook it is, and what of it is set. Paths of URLs are left out, for many are secrets of the receiver. */
function recorded(change: Change, webhookId: string, asked: WebhookUpdate = {}): Change {
  const { url = '', stages, types, isEnabled, rotatesSecret } = asked;
  const set = {
    ...{ webhookId, host: URL.canParse(url) ? new URL(url).host : undefined },
    ...{ stages: stages?.join(' '), types: types?.join(' ') },
    ...{ isEnabled: isEnabled?.toString(), rotatesSecret: rotatesSecret?.toString() },
  };
  const given = Object.entries(set).filter((entry): entry is [string, string] => entry[1] !== undefined);
  return { ...change, details: { ...change.details, ...Object.fromEntries(given) } };
}

function assertAllowed({ url, types = [] }: Pick<WebhookUpdate, 'url' | 'types'>, post: WebhookPost): void {
  const fault = url === undefined ? undefined : post.faultOf(url);
  if (fault !== undefined) throw new ServiceError('validation', fault);
  const unknown = types.find((type) => !(EVENT_TYPE_NAMES as readonly string[]).includes(type));
  if (unknown === undefined) return;
  const known = EVENT_TYPE_NAMES.join(', ');
  throw new ServiceError('validation', `there is no type of event ${shown(unknown)}: the types are ${known}`);
}

/** Each test holds one of the connections that all webhooks share for as long as its receiver likes. */
function createTest(parts: WebhooksParts, get: Webhooks['get']): Webhooks['test'] {
  const testing = new Set<string>();
  return async (gameName, id, change) => {
    // What is refused leaves no record, as every other call that comes too often.
    if (testing.has(id)) {
      const message = 'a webhook is tested once at a time: wait for the answer to the other test';
      throw new ServiceError('throttled', message, { retryAfterMs: 1_000 });
    }
    testing.add(id);
    try {
      return await parts.audit.around(recorded(change, id), async () => {
        const webhook = await get(gameName, id);
        const leave = parts.pace.enter(webhook.gameId);
        if (leave === undefined) {
          const message =
            'the receivers of the game’s webhooks are asked for too much at the moment: try again in a second';
          throw new ServiceError('throttled', message, { retryAfterMs: 1_000 });
        }
        return await sendTest(webhook, parts).finally(leave);
      });
    } finally {
      testing.delete(id);
    }
  };
}

function assertRested(waitMs: number): void {
  if (waitMs === 0) return;
  const message = `a webhook is replayed once in ${REPLAY_SECONDS} seconds at most: try again in ${waitMs} ms`;
  throw new ServiceError('throttled', message, { retryAfterMs: waitMs });
}

function changesOf({
  webhook: { id, sealedSecret },
  update: { url, description, stages, types, isEnabled },
  secret,
  sealer,
  now,
}: {
  webhook: Webhook;
  update: WebhookUpdate;
  secret: Uint8Array | undefined;
  sealer: Sealer;
  now: number;
}): WebhookChange {
  return {
    ...(url === undefined ? {} : { url }),
    ...(description === undefined ? {} : { description }),
    ...(stages === undefined ? {} : { stages }),
    ...(types === undefined ? {} : { types }),
    ...(isEnabled === undefined ? {} : { state: isEnabled ? 'ENABLED' : 'DISABLED', reason: '' }),
    ...(secret && {
      ...{ sealedSecret: sealer.seal(secret, id), sealedFormerSecret: sealedSecret },
      formerUntil: now + FORMER_SECRET_MS,
    }),
    updatedAt: now,
  };
}

async function sendTest(
  webhook: Webhook,
  { post, keyring, clock, random, cluster }: Pick<WebhooksParts, 'post' | 'keyring' | 'clock' | 'random' | 'cluster'>,
): Promise<WebhookTest> {
  const at = clock.now();
  const data = { message: 'a test that an operator asked for' };
  const event = { id: uuidV7(random, at), type: 'webhook.test', at, game: webhook.gameName, node: cluster.node, data };
  const secrets = secretsOf(webhook, { sealer: keyring, nowMs: at });
  return await sendEvent({ event, url: webhook.url, secrets }, { post, clock });
}

function webhookNotFound(gameName: string, id: string): never {
  const message = `there is no webhook ${shown(id)} of game "${gameName}": ListWebhooks shows those that exist`;
  throw new ServiceError('not_found', message);
}

import type { AttemptOutcome } from '../../delivery-attempt.ts';
import type { Webhook } from '../../domain/events/webhooks.ts';
import { type Call, COMMON_ERRORS } from '../operation.ts';
import { gameResource, gameTags } from '../operations/resources.ts';
import { gameName, stageName } from '../operations/shapes.ts';
import { boolean, integer, label, list, nullable, string, structure, timestamp } from '../shape.ts';
import { ownOperation } from './own-operation.ts';
import { MANY_ON_RECORD } from './wording.ts';

const url = string({ min: 1, max: 2_048 });
const description = nullable(string({ min: 0, max: 256 }));
const eventType = string({ min: 1, max: 64 });
const webhookId = string({ min: 36, max: 36, pattern: '^[0-9a-f-]+$' });
const secret = string({ min: 1, max: 128 });
const words = string({ min: 0, max: 2_048 });

const webhook = structure({
  Created: timestamp(),
  Description: description,
  EventTypes: list(eventType),
  GameName: gameName,
  Id: webhookId,
  LastUpdated: timestamp(),
  Reason: words,
  Stages: list(stageName),
  State: string({ enum: ['DISABLED', 'ENABLED'] }),
  Url: url,
});

const asked = {
  Description: description,
  EventTypes: list(eventType, { max: 32 }),
  Stages: list(stageName, { max: 100 }),
};

const OF_GAME = '/respark/game/{GameName}/webhook';
const OF_WEBHOOK = `${OF_GAME}/{WebhookId}` as const;
const named = { GameName: label(gameName), WebhookId: label(webhookId) };
const errors = [...COMMON_ERRORS, 'not_found'] as const;
const onGame = { resource: gameResource, resourceTags: gameTags };

/** How much of what a webhook is asked to send the audit record keeps. */
function recordedBytesOf({
  EventTypes,
  Stages,
}: {
  readonly EventTypes?: readonly string[] | undefined;
  readonly Stages?: readonly string[] | undefined;
}): number {
  return Buffer.byteLength(JSON.stringify([EventTypes, Stages]));
}

const SECRET_PATHS =
  'To callers whose policies do not allow `respark:UpdateWebhook`, `Url` says the scheme and the host, and `/…` for all that follows: it may be a secret of the receiver’s.';

/** Shows webhooks to a caller. Knowing the whole URL is enough to post to some receivers, so it is for callers who may set it. */
async function viewOf({
  input,
  principal,
  explain,
}: Pick<Call<{ readonly GameName: string }>, 'input' | 'principal' | 'explain'>): Promise<typeof toListed> {
  const asked = { action: 'respark:UpdateWebhook', place: { gameName: input.GameName } };
  const { decision } = await explain(principal.policies, asked);
  if (decision.isAllowed) return toListed;
  return (webhook) => ({ ...toListed(webhook), Url: withoutPath(webhook.url) });
}

function withoutPath(text: string): string {
  const { origin, pathname, search, hash } = new URL(text);
  return `${pathname}${search}${hash}` === '/' ? text : `${origin}/…`;
}

export const createWebhook = ownOperation({
  name: 'CreateWebhook',
  http: { method: 'POST', path: OF_GAME },
  isIdempotent: false,
  throttleClass: 'write',
  input: structure({ ...asked, GameName: label(gameName), Url: url }, ['GameName', 'Url']),
  output: structure({ Secret: secret, Webhook: webhook }),
  errors: [...errors, 'quota_exceeded'],
  ...onGame,
  recordedBytes: recordedBytesOf,
  decisions: [
    'Has the server post each event of the game, from now on, to the URL. Without `EventTypes` or `Stages`, or with empty ones, all are sent. A game may have ten webhooks.',
    'The URL must begin with `https://` and lead to addresses of the public internet, unless `RESPARK_WEBHOOK_PRIVATE_HOSTS` lists its host.',
    '`Secret`, with which the receiver checks signatures, is shown this once. On other nodes of a cluster, connections count from a second later at the latest.',
    MANY_ON_RECORD,
  ],
  async handler({ input, services, change }) {
    const { GameName, Url, Description, EventTypes, Stages } = input;
    const made = await services.webhooks.create(
      GameName,
      { url: Url, description: Description, types: EventTypes, stages: Stages },
      change,
    );
    return { Secret: made.secret, Webhook: toListed(made.webhook) };
  },
});

export const getWebhook = ownOperation({
  name: 'GetWebhook',
  http: { method: 'GET', path: OF_WEBHOOK },
  isIdempotent: true,
  throttleClass: 'read',
  input: structure(named, ['GameName', 'WebhookId']),
  output: structure({ Webhook: webhook }),
  errors,
  ...onGame,
  decisions: ['`Reason` says why the server has switched the webhook off, if it has.', SECRET_PATHS],
  async handler(call) {
    const { input, services } = call;
    const view = await viewOf(call);
    return { Webhook: view(await services.webhooks.get(input.GameName, input.WebhookId)) };
  },
});

export const listWebhooks = ownOperation({
  name: 'ListWebhooks',
  http: { method: 'GET', path: OF_GAME },
  isIdempotent: true,
  throttleClass: 'read',
  input: structure({ GameName: label(gameName) }, ['GameName']),
  output: structure({ Webhooks: list(webhook) }),
  errors,
  ...onGame,
  decisions: ['Lists all webhooks of the game, the oldest first.', SECRET_PATHS],
  async handler(call) {
    const { input, services } = call;
    const view = await viewOf(call);
    return { Webhooks: (await services.webhooks.list(input.GameName)).map(view) };
  },
});

const OUTCOMES = {
  delivered: 'DELIVERED',
  given_up: 'GIVEN_UP',
  switched_off: 'SWITCHED_OFF',
  to_be_retried: 'TO_BE_RETRIED',
} as const satisfies Record<AttemptOutcome, string>;

const delivery = structure({
  Attempt: integer({ min: 1 }),
  DurationMillis: integer({ min: 0 }),
  Error: words,
  EventId: string({ min: 1, max: 64 }),
  EventType: eventType,
  NextAttempt: timestamp(),
  Outcome: string({ enum: Object.values(OUTCOMES) }),
  Position: integer({ min: 0 }),
  Status: integer({ min: 0 }),
  Time: timestamp(),
});

export const listWebhookDeliveries = ownOperation({
  name: 'ListWebhookDeliveries',
  http: { method: 'GET', path: `${OF_WEBHOOK}/delivery` },
  isIdempotent: true,
  throttleClass: 'read',
  input: structure(named, ['GameName', 'WebhookId']),
  output: structure({ Deliveries: list(delivery), Waiting: integer({ min: 0 }) }),
  errors,
  ...onGame,
  decisions: [
    'Lists the latest fifty attempts to send an event to the webhook, the newest first, each by the event’s id, type and `Position` in the game’s log. `Waiting` is how many events are not accepted yet; it may count some that the webhook does not want as long as they are not read, and is missing while no node delivers the webhook.',
    '`Status` is missing when there was no answer, and `Error` says in words why the event was not accepted. After `TO_BE_RETRIED` the event waits until `NextAttempt` at least, unless another one is accepted before; after `GIVEN_UP` it is not sent any more; `SWITCHED_OFF` has ended the whole webhook, and the event waits until that is enabled.',
    'The node that delivers the webhook keeps them in its memory, and every node of a cluster asks it. So the list begins empty when that node has restarted or another one has taken over, and `Attempt` counts from 1 again. A node keeps those of the thousand webhooks that have tried last. Tests are not among them.',
    'When the node that knows cannot be reached, the call fails with an InternalServerException and may be tried again.',
  ],
  async handler({ input, services }) {
    const { attempts, waiting } = await services.webhooks.deliveries(input.GameName, input.WebhookId);
    return {
      Deliveries: attempts.map(({ eventId, eventType, position, at, tookMs, number, ...attempt }) => ({
        ...{ EventId: eventId, EventType: eventType, Position: position, Time: at, DurationMillis: tookMs },
        ...{ Attempt: number, Status: attempt.status, Error: attempt.error },
        ...{ Outcome: OUTCOMES[attempt.outcome], NextAttempt: attempt.retryAt },
      })),
      Waiting: waiting,
    };
  },
});

export const updateWebhook = ownOperation({
  name: 'UpdateWebhook',
  http: { method: 'PATCH', path: OF_WEBHOOK },
  isIdempotent: false,
  throttleClass: 'write',
  input: structure({ ...asked, ...named, IsEnabled: boolean(), RotateSecret: boolean(), Url: url }, [
    'GameName',
    'WebhookId',
  ]),
  output: structure({ Secret: secret, Webhook: webhook }),
  errors,
  ...onGame,
  recordedBytes: recordedBytesOf,
  decisions: [
    'Changes what is given. A webhook that is enabled again goes on where it was: what has happened meanwhile is sent, as far as it is kept.',
    '`RotateSecret` makes another secret, which the reply shows this once. For a day each event is signed with both, and after that with the new one alone.',
    'What is being sent while the call is answered may still go to the URL from before.',
    MANY_ON_RECORD,
  ],
  async handler({ input, services, change }) {
    const { GameName, WebhookId, Url, Description, EventTypes, Stages, IsEnabled, RotateSecret } = input;
    const update = { url: Url, description: Description, types: EventTypes, stages: Stages };
    const { webhook: changed, secret: made } = await services.webhooks.update(
      GameName,
      WebhookId,
      { ...update, isEnabled: IsEnabled, rotatesSecret: RotateSecret },
      change,
    );
    return { Secret: made, Webhook: toListed(changed) };
  },
});

export const deleteWebhook = ownOperation({
  name: 'DeleteWebhook',
  http: { method: 'DELETE', path: OF_WEBHOOK },
  isIdempotent: true,
  throttleClass: 'write',
  input: structure(named, ['GameName', 'WebhookId']),
  output: structure({}),
  errors,
  ...onGame,
  decisions: ['Events that were not sent yet are not sent any more; another node may send for a second longer.'],
  async handler({ input, services, change }) {
    await services.webhooks.delete(input.GameName, input.WebhookId, change);
    return {};
  },
});

export const replayWebhook = ownOperation({
  name: 'ReplayWebhook',
  http: { method: 'POST', path: `${OF_WEBHOOK}/replay` },
  isIdempotent: true,
  throttleClass: 'write',
  input: structure({ ...named, Since: timestamp() }, ['GameName', 'Since', 'WebhookId']),
  output: structure({}),
  errors,
  ...onGame,
  decisions: [
    'Sends again everything that is kept from this time on, with the same ids, so that a receiver may drop what it has already; a time in the future skips everything that waits. A webhook that is disabled does so when it is enabled.',
    'A webhook is replayed once a minute at most, by each node; another one is a ThrottlingException. The events go out at the rate of `RESPARK_WEBHOOK_MAX_POSTS_PER_SECOND`.',
  ],
  async handler({ input, services, change }) {
    await services.webhooks.replay(input.GameName, input.WebhookId, input.Since, change);
    return {};
  },
});

export const testWebhook = ownOperation({
  name: 'TestWebhook',
  http: { method: 'POST', path: `${OF_WEBHOOK}/test` },
  isIdempotent: false,
  throttleClass: 'write',
  input: structure(named, ['GameName', 'WebhookId']),
  output: structure({ IsAccepted: boolean(), Message: words, Status: integer({ min: 0 }) }),
  errors,
  ...onGame,
  decisions: [
    'Sends one event of type `webhook.test`, once, and says what the receiver has answered. `Status` is missing when there was no answer, and `Message` says why. Another test of the webhook meanwhile is a `ThrottlingException`, and so is one while receivers of the game take as long with as many events as may be sent at once.',
  ],
  async handler({ input, services, change }) {
    const { isAccepted, status, message } = await services.webhooks.test(input.GameName, input.WebhookId, change);
    return { IsAccepted: isAccepted, Message: message, Status: status };
  },
});

function toListed(webhook: Webhook) {
  return {
    Created: webhook.createdAt,
    Description: webhook.description,
    EventTypes: webhook.types,
    GameName: webhook.gameName,
    Id: webhook.id,
    LastUpdated: webhook.updatedAt,
    Reason: webhook.reason === '' ? undefined : webhook.reason,
    Stages: webhook.stages,
    State: webhook.state,
    Url: webhook.url,
  };
}

import { parseJson } from '@respark/protocol';
import type { Arns } from '../../domain/arn.ts';
import type { NodeReach } from '../../domain/runtime/notify.ts';
import { COMMON_ERRORS } from '../operation.ts';
import { stageResource, stageTags } from '../operations/resources.ts';
import { gameName, playerId, stageName } from '../operations/shapes.ts';
import { boolean, document, integer, label, list, string, structure } from '../shape.ts';
import { actionsOfFilter, MAX_SELECTOR_BODY_BYTES, SELECTORS, selectionOf, selector } from './connection-filters.ts';
import { ownOperation } from './own-operation.ts';
import { sharedTime } from './shared-time.ts';

const REACHED = 'REACHED';
const UNKNOWN = 'UNKNOWN';

const notification = {
  DryRun: boolean(),
  Payload: document(),
  Type: string({ min: 1, max: 128 }),
} as const;

const stageMembers = { GameName: label(gameName), StageName: label(stageName), ...notification } as const;

const output = structure(
  {
    Connections: integer({ min: 0 }),
    Nodes: list(
      structure({
        Connections: integer({ min: 0 }),
        Node: string({ min: 1, max: 64 }),
        Outcome: string({ enum: [REACHED, UNKNOWN] }),
      }),
    ),
    OperationId: string({ min: 1, max: 64 }),
  },
  ['Connections', 'Nodes', 'OperationId'],
);

interface NotificationInput {
  readonly Type: string;
  readonly Payload?: string | undefined;
  readonly DryRun?: boolean | undefined;
}

function notificationOf({ Type, Payload, DryRun }: NotificationInput) {
  return { type: Type, payload: Payload === undefined ? {} : parseJson(Payload), isDryRun: DryRun ?? false };
}

function toReply(reached: readonly NodeReach[], requestId: string) {
  return {
    Connections: reached.reduce((sum, { connections = 0 }) => sum + connections, 0),
    Nodes: reached.map(({ node, connections }) => ({
      ...{ Node: node, Outcome: connections === undefined ? UNKNOWN : REACHED, Connections: connections },
    })),
    OperationId: requestId,
  };
}

const ABOUT_NOTIFICATIONS = [
  '`Type`, such as `Custom.Game.EventStarts`, is a notification of what was last deployed to the stage, and `Payload`, `{}` by default, must have its shape: a member that the shape does not have is a `ValidationException`, since what is sent cannot be taken back. So is any notification while nothing is deployed. Players on an older runtime get it too.',
  '`Nodes` has the outcome at each node that was asked. `REACHED`: it was written to so many `Connections`; one whose outbox has no room for it is closed with 4001 instead and is not counted, and the network may still lose what was written. `UNKNOWN`: the node did not say in time, or not how many, and may have sent it to all, some or none. `Connections` is the sum of those that are known. Calling again sends it again.',
  '`DryRun` sends nothing and counts the connections that would get it. It is on record as well. The record has the type, not the payload.',
];

export const sendNotificationToPlayer = ownOperation({
  name: 'SendNotificationToPlayer',
  http: { method: 'POST', path: '/respark/game/{GameName}/stage/{StageName}/player/{PlayerId}/notification' },
  isIdempotent: false,
  throttleClass: 'write',
  input: structure({ ...stageMembers, PlayerId: label(playerId) }, ['GameName', 'PlayerId', 'StageName', 'Type']),
  output,
  errors: [...COMMON_ERRORS, 'not_found'],
  resource: (
    { GameName, StageName, PlayerId }: { GameName: string; StageName: string; PlayerId: string },
    arns: Arns,
  ) => [arns.stage(GameName, StageName), arns.player(GameName, StageName, PlayerId)],
  resourceTags: stageTags,
  decisions: [
    'Sends a notification to all connections of a player, on any node. For a player who is not connected, `Nodes` is empty: notifications are not kept.',
    ...ABOUT_NOTIFICATIONS,
  ],
  async handler({ input, services, change }) {
    const player = { gameName: input.GameName, stageName: input.StageName, playerId: input.PlayerId };
    const reached = await services.notifications.toPlayer(player, notificationOf(input), change);
    return toReply(reached, change.requestId);
  },
});

export const sendNotificationToStage = ownOperation({
  name: 'SendNotificationToStage',
  http: { method: 'POST', path: '/respark/game/{GameName}/stage/{StageName}/notification' },
  isIdempotent: false,
  throttleClass: 'write',
  maxBodyBytes: MAX_SELECTOR_BODY_BYTES,
  input: structure({ ...stageMembers, Selector: selector }, ['GameName', 'StageName', 'Type']),
  output,
  errors: [...COMMON_ERRORS, 'not_found'],
  resource: stageResource,
  resourceTags: stageTags,
  furtherActions: ({ Selector }) => actionsOfFilter(Selector),
  decisions: [
    'Sends a notification to everybody who is connected to the stage, or to those whom `Selector` means. Each node is asked once and sends to its own players, between its other work; it has 15 seconds to say that it has. Who connects meanwhile may miss it. It is a retryable `InternalServerException`, and nobody has got it, while the directory of the cluster is away or recovering.',
    `${SELECTORS} A node of an earlier version, which knows no selectors, is \`UNKNOWN\` and sends to nobody.`,
    ...ABOUT_NOTIFICATIONS,
    'A stage gets one such notification a second, and five at once, from each node that takes calls; beyond that the call is a `ThrottlingException`. Dry runs do not count.',
    sharedTime('dry runs of them'),
  ],
  async handler({ input, services, change }) {
    const stage = { gameName: input.GameName, stageName: input.StageName };
    const selection = input.Selector && selectionOf(input.Selector);
    const reached = await services.notifications.toStage(stage, notificationOf(input), change, selection);
    return toReply(reached, change.requestId);
  },
});

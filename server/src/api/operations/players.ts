import type { Arns } from '../../domain/arn.ts';
import type { ReceiptOrReason } from '../../domain/audit/receipts.ts';
import type { ConnectionOutcome } from '../../domain/players/disconnect.ts';
import type { DisconnectRequest } from '../../domain/players/disconnect-request.ts';
import { andThen, type MaybePromise } from '../../maybe-promise.ts';
import { additions, type Call, COMMON_ERRORS, operation } from '../operation.ts';
import { durationMembers } from '../own-operations/block-shapes.ts';
import { farewellOf, recordedBytesOf, WORDING, wordingMembers, wordingOf } from '../own-operations/wording.ts';
import { boolean, exact, label, list, nullable, type StructureShape, string, structure, type Value } from '../shape.ts';
import { stageTags } from './resources.ts';
import { connectionId, connectionIds, connections, dateTime, gameName, playerId, stageName } from './shapes.ts';

const playerInput = structure({ GameName: label(gameName), PlayerId: label(playerId), StageName: label(stageName) }, [
  'GameName',
  'PlayerId',
  'StageName',
]);

type PlayerInput = { readonly GameName: string; readonly StageName: string; readonly PlayerId: string };

const nameOf = ({ GameName, StageName, PlayerId }: PlayerInput) => ({
  gameName: GameName,
  stageName: StageName,
  playerId: PlayerId,
});

/** Both ARNs, so that a policy can restrict a key to a stage or to certain players. */
const resource = ({ GameName, StageName, PlayerId }: PlayerInput, arns: Arns) => [
  arns.stage(GameName, StageName),
  arns.player(GameName, StageName, PlayerId),
];

export const getPlayerConnectionStatus = operation({
  name: 'GetPlayerConnectionStatus',
  http: { method: 'GET', path: '/runtime/game/{GameName}/stage/{StageName}/player/{PlayerId}/connection' },
  isIdempotent: false,
  throttleClass: 'read',
  input: playerInput,
  output: structure({ Connections: connections }),
  errors: [...COMMON_ERRORS, 'not_found'],
  resource,
  resourceTags: stageTags,
  decisions: [
    'The list covers all runtimes of the stage and has at most `RESPARK_MAX_CONNECTIONS_PER_PLAYER` connections.',
    'For a player who is not connected, or never was, the list is empty; only an unknown game or stage is a `ResourceNotFoundException`.',
    'Policies may name the stage or the player. The form of a player’s ARN is this server’s own.',
  ],
  async handler({ input, services }) {
    const entries = await services.players.connections(nameOf(input));
    return { Connections: entries.map((entry) => ({ Id: entry.connectionId, Created: entry.createdAt })) };
  },
});

const someConnectionIds = list(connectionId, { min: 1, max: 100 });

const ORDER = {
  ...wordingMembers,
  ConnectionIds: someConnectionIds,
  ExceptConnectionIds: someConnectionIds,
  BlockSeconds: durationMembers.Seconds,
  BlockUntil: durationMembers.Until,
  DryRun: boolean(),
  Details: nullable(boolean()),
  Receipt: nullable(boolean()),
} as const;

type OrderInput = Value<StructureShape<typeof ORDER, never>>;

const BLOCK_ACTION = 'respark:BlockPlayer';

const OUTCOMES = {
  closed: 'CLOSED',
  gone_already: 'GONE_ALREADY',
  unproven: 'UNPROVEN',
  would_close: 'WOULD_CLOSE',
} as const satisfies Record<ConnectionOutcome['outcome'], string>;

const PROOFS = {
  close_frame_accepted: 'CLOSE_FRAME_ACCEPTED',
  socket_destroyed: 'SOCKET_DESTROYED',
  already_ended: 'ALREADY_ENDED',
  not_listed: 'NOT_LISTED',
  owner_dead: 'OWNER_DEAD',
} as const satisfies Record<NonNullable<ConnectionOutcome['proof']>, string>;

/** What a call asks for beyond the model; undefined when it has no member that is ours. */
function requestOf(input: OrderInput): DisconnectRequest | undefined {
  if (!Object.keys(ORDER).some((name) => Object.hasOwn(input, name))) return undefined;
  const { BlockUntil: until, BlockSeconds: seconds, Evidence: evidence, DryRun: isDryRun } = input;
  const { ConnectionIds: only, ExceptConnectionIds: except } = input;
  return {
    farewell: farewellOf(input),
    selection: (only ?? except) === undefined ? undefined : { only, except },
    block: (until ?? seconds) === undefined ? undefined : { ...wordingOf(input), until, seconds },
    ...{ evidence, isDryRun, isDetailed: input.Details ?? true },
  };
}

function disconnectAsModelled({ input, services, change }: Call<PlayerInput>): MaybePromise<{
  readonly DisconnectSuccesses: readonly string[];
  readonly DisconnectFailures: readonly string[];
}> {
  const disconnected = services.players.disconnect(nameOf(input), change);
  return andThen(disconnected, ({ successes, failures }) => ({
    DisconnectSuccesses: successes,
    DisconnectFailures: failures,
  }));
}

const orders = additions({
  input: exact(structure({ ...playerInput.members, ...ORDER }, playerInput.required)),
  output: structure({
    DisconnectFailures: connectionIds,
    DisconnectSuccesses: connectionIds,
    OperationId: string({ min: 1, max: 64 }),
    Blocked: boolean(),
    BlockedUntil: dateTime,
    Receipt: string({ min: 1, max: 4_194_304 }),
    ReceiptMissing: string({ min: 1, max: 2_048 }),
    Connections: list(
      structure({
        Id: connectionId,
        Outcome: string({ enum: Object.values(OUTCOMES) }),
        Proof: string({ enum: Object.values(PROOFS) }),
        ClosedAt: dateTime,
        Node: string({ min: 1, max: 64 }),
        Created: dateTime,
      }),
    ),
  }),
  decisions: [
    'A call with a JSON body may say more than the model has; AWS clients send none, and get what the model has. A body with a member that is not one of the following is a `ValidationException`, and so is one that is null, except texts, `Details` and `Receipt`, since a misspelled or missing `ConnectionIds` would close everything. All of them are optional.',
    WORDING,
    '`Reason`, `Message` and `Messages` reach the player: a client that has been welcomed gets them as the notification `Respark.Farewell` right before the close frame, in the same write, so that an accepted close frame proves both. A client whose outbox has no room for it gets the close frame alone. With everything around it, the notification may have 8,192 bytes, or `RESPARK_MAX_FRAME_BYTES` if that is less.',
    '`Evidence` is for the audit record alone, which has the reason and the selected ids too; neither the player nor the log gets it.',
    '`ConnectionIds` closes only these connections of the player, `ExceptConnectionIds` all but these. `DryRun` closes nothing and lists what would be closed; both lists of the reply are then empty. It is on record as well, and is allowed to whom the call itself is.',
    '`BlockUntil`, or `BlockSeconds`, blocks the player from the stage as BlockPlayer does, before the connections are listed, and under the same record: none that the call does not list is welcomed later. Those that were there are closed also when the block ends before the call does; the code is 4500 then. The connections are closed with 4510 and `until`, and policies must allow `respark:BlockPlayer` too. The reply then has `Blocked`, which is false in a dry run, and `BlockedUntil`. Where the game has as many blocks as it may, as BlockPlayer says, it is a `ServiceQuotaExceededException` and nothing is closed: call again without a block. It ends all connections of the player, so it goes with neither list of ids.',
    'The reply to a call with any of them has the `OperationId`, under which the call is on record, and `Connections`, oldest first; `Details` asks for both alone, or, when false, for neither. `CLOSED`: this call, or another one at the same time, closed it. `GONE_ALREADY`: it had ended before. `UNPROVEN`: a failure; call again. `WOULD_CLOSE`: in a dry run.',
    '`Receipt` asks for the receipt of the call, which is then in the reply as `GetReceipt` would give it; that takes no other permission than the call itself. `ReceiptMissing` says why where it could not be made in time: the call is done all the same, and `GetReceipt` may give it later. Such a call counts as a read call too, and is a `ThrottlingException` that changes nothing when there are too many of those.',
    'The same holds for a call whose texts and lists of ids take more than 4,096 bytes of JSON together, which counts as a write call too, and for shorter ones beyond 128 KiB a second of an access key (4 MiB at once): the audit log keeps them, and must not be filled at the rate of disconnects. The bytes of long and short ones count together, and beyond that a long one is a `ThrottlingException` that changes nothing: call again with fewer words.',
    '`Proof` says how the end is known: `CLOSE_FRAME_ACCEPTED` by the kernel, or `SOCKET_DESTROYED`, each at the node that owned the connection; `ALREADY_ENDED`: that node had it no more; `NOT_LISTED`: the directory lists it no longer, or never did for this player; `OWNER_DEAD`: the node is proven dead. It is missing where a node of an earlier version does not say. `ClosedAt` is when the owner had the proof, by its clock.',
    'Each success is `CLOSED` or `GONE_ALREADY`, each failure `UNPROVEN`. In neither list are what `OWNER_DEAD` says, and ids of `ConnectionIds` that the player does not have, which are `GONE_ALREADY` and `NOT_LISTED`.',
  ],
  furtherErrors: ['quota_exceeded'],
  furtherActions: ({ BlockUntil, BlockSeconds }: OrderInput) =>
    (BlockUntil ?? BlockSeconds) === undefined ? [] : [BLOCK_ACTION],
  // Looking up a record and signing it costs more than a disconnect, of which there may be many more.
  furtherClasses: ({ Receipt }: OrderInput) => (Receipt === true ? ['read'] : []),
  recordedBytes: (input: OrderInput) =>
    recordedBytesOf(input, { ConnectionIds: input.ConnectionIds, ExceptConnectionIds: input.ExceptConnectionIds }),
  handler(call) {
    const { input, services, change } = call;
    const request = requestOf(input);
    if (request === undefined) return disconnectAsModelled(call);
    const disconnected = services.players.disconnect(nameOf(input), change, request);
    const replied = andThen(disconnected, ({ successes, failures, connections, block }) => ({
      DisconnectSuccesses: successes,
      DisconnectFailures: failures,
      ...(request.block !== undefined && { Blocked: block !== undefined, BlockedUntil: block?.until }),
      ...(connections !== undefined && { OperationId: change.requestId, Connections: connections.map(toConnection) }),
    }));
    if (input.Receipt !== true) return replied;
    // The record is complete by now, whatever becomes of its receipt.
    return andThen(replied, async (reply) => ({
      ...reply,
      ...toReceipt(await services.receipts.receiptFor(change.requestId)),
    }));
  },
});

function toReceipt(made: ReceiptOrReason) {
  return 'receipt' in made ? { Receipt: made.receipt } : { ReceiptMissing: made.missing };
}

function toConnection({ connectionId: id, outcome, proof, closedAt, node, createdAt }: ConnectionOutcome) {
  return {
    Id: id,
    Outcome: OUTCOMES[outcome],
    Proof: proof && PROOFS[proof],
    ClosedAt: closedAt,
    Node: node,
    Created: createdAt,
  };
}

export const disconnectPlayer = operation({
  name: 'DisconnectPlayer',
  http: { method: 'POST', path: '/runtime/game/{GameName}/stage/{StageName}/player/{PlayerId}/disconnect' },
  isIdempotent: true,
  throttleClass: 'disconnect',
  input: playerInput,
  output: structure({ DisconnectFailures: connectionIds, DisconnectSuccesses: connectionIds }),
  errors: [...COMMON_ERRORS, 'not_found'],
  resource,
  resourceTags: stageTags,
  decisions: [
    'The call closes the player’s connections on all runtimes of the stage with 4500, which tells clients not to reconnect by themselves. It is not a ban: the player may connect again at once.',
    'A success is a connection that is proven to have ended: the kernel has accepted its close frame, or its socket is destroyed. A connection without that proof after `RESPARK_DISCONNECT_DEADLINE_MS` is a failure; call again.',
    'Messages of the player that still wait for their handlers are dropped then; a handler that has begun goes on, and the events that it raises are handled after it. A node whose lease has ended drops those of all its players. What came on a connection that had ended by itself before the call may still be handled.',
    'The reply always has both lists; for a player who is not connected, both are empty.',
    'Its calls have a rate limit of their own, which reads and writes do not use up. Policies are as in GetPlayerConnectionStatus.',
  ],
  handler: disconnectAsModelled,
  additions: orders,
});

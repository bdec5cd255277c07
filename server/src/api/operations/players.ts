import type { Arns } from '../../domain/arn.ts';
import { andThen } from '../../maybe-promise.ts';
import { COMMON_ERRORS, operation } from '../operation.ts';
import { label, structure } from '../shape.ts';
import { stageTags } from './resources.ts';
import { connectionIds, connections, gameName, playerId, stageName } from './shapes.ts';

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
    'The reply always has both lists; for a player who is not connected, both are empty.',
    'Its calls have a rate limit of their own, which reads and writes do not use up. Policies are as in GetPlayerConnectionStatus.',
  ],
  handler({ input, services, change }) {
    const disconnected = services.players.disconnect(nameOf(input), change);
    return andThen(disconnected, ({ successes, failures }) => ({
      DisconnectSuccesses: successes,
      DisconnectFailures: failures,
    }));
  },
});

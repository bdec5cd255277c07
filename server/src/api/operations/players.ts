import type { Arns } from '../../domain/arn.ts';
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

/** Two ARNs, so that a key can be held to one stage or to some players. */
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
    'Lists the connections on all runtimes of the stage; there are at most `RESPARK_MAX_CONNECTIONS_PER_PLAYER`.',
    'A player who is not connected, or never was, has an empty list; only an unknown game or stage is a `ResourceNotFoundException`.',
    'Policies may name the stage or the player, whose ARN is one of this server’s own.',
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
    'Closes the connections on all runtimes of the stage with 4500, which tells clients not to come back by themselves. It is no ban: the player may connect again at once.',
    'A success is a connection whose end is proven: the kernel has accepted its close frame, or its socket is destroyed. What is not proven after `RESPARK_DISCONNECT_DEADLINE_MS` is a failure, worth another call.',
    'Both lists are always there; for a player who is not connected both are empty.',
    'Has a rate of its own, which neither reads nor writes use up. Policies are as in GetPlayerConnectionStatus.',
  ],
  async handler({ input, services, change }) {
    const { successes, failures } = await services.players.disconnect(nameOf(input), change);
    return { DisconnectSuccesses: successes, DisconnectFailures: failures };
  },
});

import type { Arns } from '../../domain/arn.ts';
import type { PlayedEnd } from '../../domain/players/rehearsals.ts';
import { COMMON_ERRORS } from '../operation.ts';
import { stageTags } from '../operations/resources.ts';
import { connectionId, dateTime, gameName, playerId, stageName } from '../operations/shapes.ts';
import { integer, label, string, structure } from '../shape.ts';
import { ownOperation } from './own-operation.ts';

const ENDS = {
  DRAINING: 'draining',
  SLOW_READER: 'slow_reader',
  HEARTBEAT_MISSED: 'heartbeat_missed',
  LOST_FRAME: 'lost_frame',
  SILENT_NETWORK: 'silent_network',
  KICKED: 'kicked',
  BLOCKED: 'blocked',
  TOKEN_REFUSED: 'token_refused',
  REPLACED: 'replaced',
} as const;

type EndName = keyof typeof ENDS;

const milliseconds = integer({ min: 0 });

export const playRehearsedEnd = ownOperation({
  name: 'PlayRehearsedEnd',
  http: { method: 'POST', path: '/respark/game/{GameName}/stage/{StageName}/player/{PlayerId}/rehearsal' },
  isIdempotent: false,
  throttleClass: 'write',
  input: structure(
    {
      End: string({ enum: Object.keys(ENDS) }),
      GameName: label(gameName),
      PlayerId: label(playerId),
      StageName: label(stageName),
      WindowSeconds: integer({ min: 1, max: 300 }),
    },
    ['End', 'GameName', 'PlayerId', 'StageName'],
  ),
  output: structure(
    {
      At: dateTime,
      Code: integer({ min: 1_000, max: 4_999 }),
      ConnectionId: connectionId,
      HeartbeatMs: milliseconds,
      Node: string({ min: 1, max: 64 }),
      OperationId: string({ min: 1, max: 64 }),
      RetryAfterMs: milliseconds,
      SilentForMs: milliseconds,
      Until: dateTime,
    },
    ['At', 'ConnectionId', 'HeartbeatMs', 'Node', 'OperationId'],
  ),
  errors: [...COMMON_ERRORS, 'conflict', 'not_found'],
  resource: (
    { GameName, StageName, PlayerId }: { GameName: string; StageName: string; PlayerId: string },
    arns: Arns,
  ) => [arns.stage(GameName, StageName), arns.player(GameName, StageName, PlayerId)],
  resourceTags: stageTags,
  decisions: [
    'Ends the only connection of a player as `End` says, so that the maker of a game’s client sees whether it does what the protocol says; `respark rehearse` plays all of them and judges. Nothing else changes: the player is not blocked, no token is revoked, and the client may come back at once.',
    '`DRAINING` closes with 4000 and `retryAfterMs`, `SLOW_READER` with 4001, `HEARTBEAT_MISSED` with 4002, `KICKED` with 4500 after a farewell, `TOKEN_REFUSED` with 4503, `REPLACED` with 4509 and `BLOCKED` with 4510 and `until`. `LOST_FRAME` breaks the connection without a close frame. `SILENT_NETWORK` neither reads nor answers for two periods of the heartbeat and `WindowSeconds` (30), and then breaks it.',
    '`At` is when it began, by the clock of the connection’s node. The reply has what the close frame says: `Code`, `RetryAfterMs` and `Until`.',
    'It is a `ConflictException` if the player has no connection or several, while another access key rehearses with the same player through the same node, or 100 players of the game, or 1,000 of all games, are in rehearsals through it, and on a stage whose tag `respark:rehearsal` is `refused`, which is meant for stages with real players. Each call is on record.',
  ],
  async handler({ input, services, change }) {
    const player = { gameName: input.GameName, stageName: input.StageName, playerId: input.PlayerId };
    const asked = { end: ENDS[input.End as EndName], windowMs: (input.WindowSeconds ?? 30) * 1_000 };
    return toReply(await services.rehearsals.play(player, asked, change), change.requestId);
  },
});

function toReply({ connectionId: id, node, at, ...said }: PlayedEnd, requestId: string) {
  return {
    At: at,
    Code: said.code,
    ConnectionId: id,
    HeartbeatMs: said.heartbeatMs,
    Node: node,
    OperationId: requestId,
    RetryAfterMs: said.retryAfterMs,
    SilentForMs: said.silentForMs,
    Until: said.until,
  };
}

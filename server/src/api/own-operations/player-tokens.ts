import type { Arns } from '../../domain/arn.ts';
import { COMMON_ERRORS } from '../operation.ts';
import { stageTags } from '../operations/resources.ts';
import { gameKey, gameName, playerId, stageName } from '../operations/shapes.ts';
import { label, string, structure } from '../shape.ts';
import { ownOperation } from './own-operation.ts';

interface PlayerInput {
  readonly GameName: string;
  readonly StageName: string;
  readonly PlayerId: string;
}

export const createPlayerToken = ownOperation({
  name: 'CreatePlayerToken',
  http: { method: 'POST', path: '/respark/game/{GameName}/stage/{StageName}/player/{PlayerId}/token' },
  isIdempotent: false,
  throttleClass: 'write',
  input: structure({ GameName: label(gameName), PlayerId: label(playerId), StageName: label(stageName) }, [
    'GameName',
    'PlayerId',
    'StageName',
  ]),
  output: structure({ AuthenticationToken: string({ min: 1, max: 4_096 }), GameKey: gameKey }),
  errors: [...COMMON_ERRORS, 'not_found'],
  resource: ({ GameName, StageName, PlayerId }: PlayerInput, arns: Arns) => [
    arns.stage(GameName, StageName),
    arns.player(GameName, StageName, PlayerId),
  ],
  resourceTags: stageTags,
  decisions: [
    'Makes a token with which a client connects as this player, whether or not the player has been there before, and the game key that it needs beside. It is for tests and tools, such as `respark send`: whoever has the token can play as the player until it expires.',
    'The call is on record; the token is not.',
  ],
  async handler({ input, services, change }) {
    const player = { gameName: input.GameName, stageName: input.StageName, playerId: input.PlayerId };
    const { token, gameKey: key } = await services.players.createToken(player, change);
    return { AuthenticationToken: token, GameKey: key };
  },
});

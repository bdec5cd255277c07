import { parseJson } from '@respark/protocol';
import type { Arns } from '../../domain/arn.ts';
import { COMMON_ERRORS } from '../operation.ts';
import { stageTags } from '../operations/resources.ts';
import { gameKey, gameName, playerId, stageName } from '../operations/shapes.ts';
import { document, integer, label, string, structure } from '../shape.ts';
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
  input: structure(
    {
      Claims: document(),
      GameName: label(gameName),
      LifetimeSeconds: integer({ min: 60, max: 315_360_000 }),
      PlayerId: label(playerId),
      StageName: label(stageName),
    },
    ['GameName', 'PlayerId', 'StageName'],
  ),
  output: structure({ AuthenticationToken: string({ min: 1, max: 4_096 }), GameKey: gameKey }),
  errors: [...COMMON_ERRORS, 'not_found'],
  resource: ({ GameName, StageName, PlayerId }: PlayerInput, arns: Arns) => [
    arns.stage(GameName, StageName),
    arns.player(GameName, StageName, PlayerId),
  ],
  resourceTags: stageTags,
  decisions: [
    'Makes a token with which a client connects as this player, whether or not the player has been there before, and the game key that it needs beside. It is for a studio’s own accounts, and for tests and tools such as `respark send`: anybody who has the token can play as the player until it expires.',
    '`LifetimeSeconds` is at least 60 and at most what `RESPARK_PLAYER_TOKEN_LIFETIME_MS` says, which it is too when it is left out. `Claims` is a JSON object of strings, numbers, booleans and lists of at most 32 of these, with at most 2,048 bytes of JSON in all, which handlers read with `CurrentPlayer().Claims()`.',
    'A connected client renews its token. The renewal has the same claims and lifetime, but once a token with a lifetime or claims is older than `RESPARK_PLAYER_TOKEN_LIFETIME_MS`, none of its renewals is valid: the studio’s service that vouched for the player must do so again, so no claim is older than that. A token that was asked for without either is renewed without end, like a guest’s.',
    'The call is on record, with the lifetime and the names of the claims; the token is not.',
  ],
  async handler({ input, services, change }) {
    const player = { gameName: input.GameName, stageName: input.StageName, playerId: input.PlayerId };
    const wish = {
      lifetimeSeconds: input.LifetimeSeconds,
      claims: input.Claims === undefined ? undefined : parseJson(input.Claims),
    };
    const { token, gameKey: key } = await services.players.createToken(player, change, wish);
    return { AuthenticationToken: token, GameKey: key };
  },
});

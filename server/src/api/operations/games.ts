import type { Arns } from '../../domain/arn.ts';
import type { Game } from '../../domain/games.ts';
import { COMMON_ERRORS, operation } from '../operation.ts';
import { boolean, label, list, query, structure } from '../shape.ts';
import { gameResource, gameTags } from './resources.ts';
import {
  arn,
  clientToken,
  dateTime,
  description,
  gameName,
  lifeState,
  maxResults,
  nextToken,
  presentTags,
  tagMap,
} from './shapes.ts';

const gameDetails = structure({
  Arn: arn,
  Created: dateTime,
  Description: description,
  EnableTerminationProtection: boolean(),
  LastUpdated: dateTime,
  Name: gameName,
  State: lifeState,
  Tags: tagMap,
});

const gameSummary = structure({ Description: description, Name: gameName, State: lifeState, Tags: tagMap });

export const createGame = operation({
  name: 'CreateGame',
  http: { method: 'POST', path: '/game' },
  isIdempotent: true,
  throttleClass: 'write',
  input: structure({ ClientToken: clientToken, Description: description, GameName: gameName, Tags: tagMap }, [
    'GameName',
  ]),
  output: structure({ Game: gameDetails }),
  errors: [...COMMON_ERRORS, 'conflict', 'quota_exceeded'],
  // Policies cannot restrict the creation of games to an ARN, because the game does not exist yet.
  resource: () => [],
  auditResource: ({ GameName }, arns) => arns.game(GameName),
  requestTags: ({ Tags }) => Tags,
  decisions: [
    'A new game has an empty configuration and no stages.',
    'A `ClientToken` is valid for 24 hours and belongs to one access key. Repeating the call with it returns the game that the first call made, in its current state; a call with the same token and other parameters is a `ConflictException`. A token is free again once its game is gone.',
    'The name of a game that is being deleted is still taken: a `ConflictException`.',
    'Creating more than `RESPARK_MAX_GAMES` games is a `ServiceQuotaExceededException`.',
    '`EnableTerminationProtection` is always false, because the API has no operation that sets it.',
  ],
  async handler({ input, services, arns, change }) {
    const { GameName: name, Description: description, Tags: tags, ClientToken: clientToken } = input;
    const game = await services.games.create({ name, description, tags, clientToken }, change);
    return { Game: toDetails(game, arns) };
  },
});

export const getGame = operation({
  name: 'GetGame',
  http: { method: 'GET', path: '/game/{GameName}' },
  isIdempotent: false,
  throttleClass: 'read',
  input: structure({ GameName: label(gameName) }, ['GameName']),
  output: structure({ Game: gameDetails }),
  errors: [...COMMON_ERRORS, 'not_found'],
  resource: gameResource,
  resourceTags: gameTags,
  decisions: [
    'A game that is being deleted is still returned, in the state `DELETING`, until its last player has been disconnected.',
  ],
  async handler({ input, services, arns }) {
    return { Game: toDetails(await services.games.get(input.GameName), arns) };
  },
});

export const listGames = operation({
  name: 'ListGames',
  http: { method: 'GET', path: '/game' },
  isIdempotent: false,
  throttleClass: 'read',
  input: structure({ MaxResults: query(maxResults), NextToken: query(nextToken) }),
  output: structure({ Games: list(gameSummary), NextToken: nextToken }),
  errors: COMMON_ERRORS,
  resource: () => [],
  decisions: [
    'Games are sorted by name, 100 to a page unless `MaxResults` says otherwise. A game that exists the whole time is on exactly one page, whatever is created or deleted in the meantime.',
    'A page ends early when the tags on it have more than 64 KiB, so it may have fewer games than `MaxResults` and still have a `NextToken`.',
    'A `NextToken` is encrypted with the secret key and continues the list that returned it; using it for any other list is a `ValidationException`. This applies to every list operation.',
  ],
  async handler({ input, services }) {
    const page = await services.games.list({ maxResults: input.MaxResults, nextToken: input.NextToken });
    return { Games: page.items.map(toSummary), NextToken: page.nextToken };
  },
});

export const updateGame = operation({
  name: 'UpdateGame',
  http: { method: 'PATCH', path: '/game/{GameName}' },
  isIdempotent: true,
  throttleClass: 'write',
  input: structure({ Description: description, GameName: label(gameName) }, ['GameName']),
  output: structure({ Game: gameDetails }),
  errors: [...COMMON_ERRORS, 'not_found'],
  resource: gameResource,
  resourceTags: gameTags,
  decisions: [
    'A call without a description changes nothing, not even `LastUpdated`. To a call that would change it, a game that is being deleted does not exist; this applies to stages too.',
  ],
  async handler({ input, services, arns, change }) {
    const game = await services.games.update(input.GameName, { description: input.Description }, change);
    return { Game: toDetails(game, arns) };
  },
});

export const deleteGame = operation({
  name: 'DeleteGame',
  http: { method: 'DELETE', path: '/game/{GameName}' },
  isIdempotent: true,
  throttleClass: 'write',
  input: structure({ GameName: label(gameName) }, ['GameName']),
  output: structure({}),
  errors: [...COMMON_ERRORS, 'conflict'],
  resource: gameResource,
  resourceTags: gameTags,
  decisions: [
    'Deletes the game with its stages, configuration and snapshots, and closes the connections of its players for good (4507).',
    'The call answers when everything is gone, or after `RESPARK_DISCONNECT_DEADLINE_MS` at the latest; the deletion then continues in the background, and after a restart if need be.',
    'As in IAM, a policy that denies something on a stage does not protect the stage from this call, whose resource is the game: deny `gamesparks:DeleteGame` on the game too, or give the game termination protection.',
    'Deleting a game that does not exist succeeds. Deleting a game with termination protection is a `ConflictException`.',
  ],
  async handler({ input, services, change }) {
    await services.games.delete(input.GameName, change);
    return {};
  },
});

function toSummary(game: Game) {
  return { Name: game.name, Description: game.description, State: game.state, Tags: presentTags(game.tags) };
}

function toDetails(game: Game, arns: Arns) {
  return {
    ...toSummary(game),
    Arn: arns.game(game.name),
    Created: game.createdAt,
    LastUpdated: game.updatedAt,
    EnableTerminationProtection: game.isTerminationProtected,
  };
}

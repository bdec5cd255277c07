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
  resource: () => [],
  auditResource: ({ GameName }, arns) => arns.game(GameName),
  requestTags: ({ Tags }) => Tags,
  decisions: [
    'A game begins with an empty configuration and without a stage.',
    'A `ClientToken` counts for 24 hours, for one access key: the same call again answers with what the first one made, as it is by then, and another call under the token is a `ConflictException`.',
    'A name is taken, a `ConflictException`, as long as a game of that name is being deleted.',
    'One game more than `RESPARK_MAX_GAMES` is a `ServiceQuotaExceededException`.',
    '`EnableTerminationProtection` is false; the API has no operation that sets it.',
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
  decisions: ['A game that is being deleted is answered, as `DELETING`, until its last player is closed.'],
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
    'In order of name, 100 a page without `MaxResults`. What is there all along is on exactly one page, whatever is made or deleted meanwhile.',
    'A `NextToken` is sealed by the master key and goes on with the list that gave it; for any other list it is a `ValidationException`. This holds for all lists.',
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
    'A call without a description changes nothing, `LastUpdated` included. What is being deleted is not found by whatever would change it; this holds for stages too.',
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
    'Deletes the game with its stages, configuration and snapshots, and closes their players for good (4507).',
    'Answers when all is gone, at the latest after `RESPARK_DISCONNECT_DEADLINE_MS`; the rest then goes on in the background, and after a restart.',
    'Deleting a game that does not exist succeeds. A protected one is a `ConflictException`.',
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

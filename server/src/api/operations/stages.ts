import type { Arns } from '../../domain/arn.ts';
import type { Stage } from '../../domain/stages.ts';
import { COMMON_ERRORS, operation } from '../operation.ts';
import { label, list, query, structure } from '../shape.ts';
import { gameResource, gameTags, stageResource, stageTags } from './resources.ts';
import {
  arn,
  clientToken,
  dateTime,
  description,
  gameKey,
  gameName,
  lifeState,
  logGroupName,
  maxResults,
  nextToken,
  presentTags,
  roleArn,
  stageName,
  tagMap,
} from './shapes.ts';

const stageDetails = structure({
  Arn: arn,
  Created: dateTime,
  Description: description,
  GameKey: gameKey,
  LastUpdated: dateTime,
  LogGroup: logGroupName,
  Name: stageName,
  Role: roleArn,
  State: lifeState,
  Tags: tagMap,
});

const stageSummary = structure({
  Description: description,
  GameKey: gameKey,
  Name: stageName,
  State: lifeState,
  Tags: tagMap,
});

export const createStage = operation({
  name: 'CreateStage',
  http: { method: 'POST', path: '/game/{GameName}/stage' },
  isIdempotent: true,
  throttleClass: 'write',
  input: structure(
    {
      ClientToken: clientToken,
      Description: description,
      GameName: label(gameName),
      Role: roleArn,
      StageName: stageName,
      Tags: tagMap,
    },
    ['GameName', 'Role', 'StageName'],
  ),
  output: structure({ Stage: stageDetails }),
  errors: [...COMMON_ERRORS, 'conflict', 'not_found'],
  resource: gameResource,
  resourceTags: gameTags,
  auditResource: ({ GameName, StageName }, arns) => arns.stage(GameName, StageName),
  requestTags: ({ Tags }) => Tags,
  decisions: [
    'The game key is 32 random letters and digits; the log group is `/aws/gamesparks/GAME/STAGE`. No operation changes them.',
    'Only the form of the role’s ARN is checked; whether the role is allowed is decided when something is deployed.',
    '`ClientToken` and taken names are as in CreateGame. Creating more than `RESPARK_MAX_STAGES` stages is a `ConflictException`, because the model gives this operation no quota error; so is creating a stage in a game that is being deleted.',
  ],
  async handler({ input, services, arns, change }) {
    const { GameName: gameName, StageName: name, Role: role, Description: description, Tags: tags } = input;
    const asked = { gameName, name, role, description, tags, clientToken: input.ClientToken };
    const stage = await services.stages.create(asked, change);
    return { Stage: toDetails(stage, arns) };
  },
});

export const getStage = operation({
  name: 'GetStage',
  http: { method: 'GET', path: '/game/{GameName}/stage/{StageName}' },
  isIdempotent: false,
  throttleClass: 'read',
  input: structure({ GameName: label(gameName), StageName: label(stageName) }, ['GameName', 'StageName']),
  output: structure({ Stage: stageDetails }),
  errors: [...COMMON_ERRORS, 'not_found'],
  resource: stageResource,
  resourceTags: stageTags,
  decisions: [
    'A stage that is being deleted is still returned, in the state `DELETING`, until its last player has been disconnected.',
  ],
  async handler({ input, services, arns }) {
    return { Stage: toDetails(await services.stages.get(input.GameName, input.StageName), arns) };
  },
});

export const listStages = operation({
  name: 'ListStages',
  http: { method: 'GET', path: '/game/{GameName}/stage' },
  isIdempotent: false,
  throttleClass: 'read',
  input: structure({ GameName: label(gameName), MaxResults: query(maxResults), NextToken: query(nextToken) }, [
    'GameName',
  ]),
  output: structure({ NextToken: nextToken, Stages: list(stageSummary) }),
  errors: [...COMMON_ERRORS, 'not_found'],
  resource: gameResource,
  resourceTags: gameTags,
  decisions: [
    'Stages are sorted by name. They come with their game keys, and a policy that denies something on a stage does not hide it here.',
    'A page ends early when the tags on it have more than 64 KiB, as in ListGames.',
  ],
  async handler({ input, services }) {
    const request = { maxResults: input.MaxResults, nextToken: input.NextToken };
    const page = await services.stages.list(input.GameName, request);
    return { Stages: page.items.map(toSummary), NextToken: page.nextToken };
  },
});

export const updateStage = operation({
  name: 'UpdateStage',
  http: { method: 'PATCH', path: '/game/{GameName}/stage/{StageName}' },
  isIdempotent: true,
  throttleClass: 'write',
  input: structure(
    { Description: description, GameName: label(gameName), Role: roleArn, StageName: label(stageName) },
    ['GameName', 'StageName'],
  ),
  output: structure({ Stage: stageDetails }),
  errors: [...COMMON_ERRORS, 'not_found'],
  resource: stageResource,
  resourceTags: stageTags,
  decisions: [
    'A new role takes effect with the next deployment. A call with neither a description nor a role changes nothing, not even `LastUpdated`.',
  ],
  async handler({ input, services, arns, change }) {
    const update = { description: input.Description, role: input.Role };
    const stage = await services.stages.update(input.GameName, input.StageName, update, change);
    return { Stage: toDetails(stage, arns) };
  },
});

export const deleteStage = operation({
  name: 'DeleteStage',
  http: { method: 'DELETE', path: '/game/{GameName}/stage/{StageName}' },
  isIdempotent: true,
  throttleClass: 'write',
  input: structure({ GameName: label(gameName), StageName: label(stageName) }, ['GameName', 'StageName']),
  output: structure({}),
  errors: [...COMMON_ERRORS, 'conflict', 'not_found'],
  resource: stageResource,
  resourceTags: stageTags,
  decisions: [
    'Closes the connections of the stage’s players for good (4507), on all of its runtimes, and answers as DeleteGame does. Deleting a stage that does not exist is a `ResourceNotFoundException`.',
  ],
  async handler({ input, services, change }) {
    await services.stages.delete(input.GameName, input.StageName, change);
    return {};
  },
});

function toSummary(stage: Stage) {
  return {
    Name: stage.name,
    Description: stage.description,
    GameKey: stage.gameKey,
    State: stage.state,
    Tags: presentTags(stage.tags),
  };
}

function toDetails(stage: Stage, arns: Arns) {
  return {
    ...toSummary(stage),
    Arn: arns.stage(stage.gameName, stage.name),
    Created: stage.createdAt,
    LastUpdated: stage.updatedAt,
    LogGroup: stage.logGroup,
    Role: stage.role,
  };
}

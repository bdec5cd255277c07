import type { Deployment } from '../../domain/deployments.ts';
import { COMMON_ERRORS, operation } from '../operation.ts';
import { label, list, query, string, structure } from '../shape.ts';
import { stageResource, stageTags } from './resources.ts';
import {
  clientToken,
  dateTime,
  gameName,
  maxResults,
  nextToken,
  snapshotId,
  stageName,
  TRIMMED_PATTERN,
} from './shapes.ts';

const deploymentId = string({ min: 1, max: 128, pattern: TRIMMED_PATTERN });

/** What a deployment looks like in a list; details add when it was created. */
const summary = {
  DeploymentAction: string({ enum: ['DEPLOY', 'UNDEPLOY'] }),
  DeploymentId: deploymentId,
  DeploymentResult: structure({
    Message: string(),
    ResultCode: string({ enum: ['SUCCESS', 'INVALID_ROLE_FAILURE', 'UNSPECIFIED_FAILURE'] }),
  }),
  DeploymentState: string({ enum: ['PENDING', 'IN_PROGRESS', 'COMPLETED', 'FAILED'] }),
  LastUpdated: dateTime,
  SnapshotId: snapshotId,
};

const deploymentSummary = structure(summary);
const deploymentDetails = structure({ Created: dateTime, ...summary });

export const startStageDeployment = operation({
  name: 'StartStageDeployment',
  http: { method: 'POST', path: '/game/{GameName}/stage/{StageName}/deployment' },
  isIdempotent: true,
  throttleClass: 'write',
  input: structure(
    { ClientToken: clientToken, GameName: label(gameName), SnapshotId: snapshotId, StageName: label(stageName) },
    ['GameName', 'SnapshotId', 'StageName'],
  ),
  output: structure({ StageDeployment: deploymentDetails }),
  errors: [...COMMON_ERRORS, 'conflict', 'not_found'],
  resource: stageResource,
  resourceTags: stageTags,
  decisions: [
    'A stage has one deployment at a time: starting another while one is `PENDING` or `IN_PROGRESS` is a `ConflictException`. Different stages of a game can deploy at the same time.',
    'A `ClientToken` is valid for 24 hours and belongs to one access key. Using it with other parameters, or after its deployment has left the history, is a `ConflictException`.',
    'A deployment checks the configuration: a fault makes it `FAILED` with `UNSPECIFIED_FAILURE`, and the message of its result lists the faults, at most a hundred.',
    'A script must parse as the body of a function in the syntax of ECMAScript 2024, although its `ScriptLanguage` is called `Javascript_ES5_1`.',
    'If the stage’s role does not match `RESPARK_ALLOWED_ROLES`, the deployment is `FAILED` with `INVALID_ROLE_FAILURE`; by default any role is allowed.',
    'A completed deployment creates a new runtime and updates the stage’s `LastUpdated`. Existing connections stay on their runtime, new ones open on the newest, and an old runtime goes away with its last connection. Deploying the same snapshot again also creates a new runtime.',
    'If the server restarts during a deployment, it runs the deployment again. No operation starts an `UNDEPLOY`.',
  ],
  async handler({ input, services, change }) {
    const { GameName: gameName, StageName: stageName, SnapshotId: snapshotId, ClientToken: clientToken } = input;
    const asked = { gameName, stageName, snapshotId, clientToken };
    return { StageDeployment: toDetails(await services.deployments.start(asked, change)) };
  },
});

export const getStageDeployment = operation({
  name: 'GetStageDeployment',
  http: { method: 'GET', path: '/game/{GameName}/stage/{StageName}/deployment' },
  isIdempotent: false,
  throttleClass: 'read',
  input: structure({ DeploymentId: query(deploymentId), GameName: label(gameName), StageName: label(stageName) }, [
    'GameName',
    'StageName',
  ]),
  output: structure({ StageDeployment: deploymentDetails }),
  errors: [...COMMON_ERRORS, 'not_found'],
  resource: stageResource,
  resourceTags: stageTags,
  decisions: [
    'Without a `DeploymentId` the call returns the latest deployment, whatever its state; if the stage has none, it is a `ResourceNotFoundException`.',
    'A deployment has no `DeploymentResult` until it has ended.',
  ],
  async handler({ input, services }) {
    const deployment = await services.deployments.get(input.GameName, input.StageName, input.DeploymentId);
    return { StageDeployment: toDetails(deployment) };
  },
});

export const listStageDeployments = operation({
  name: 'ListStageDeployments',
  http: { method: 'GET', path: '/game/{GameName}/stage/{StageName}/deployments' },
  isIdempotent: false,
  throttleClass: 'read',
  input: structure(
    {
      GameName: label(gameName),
      MaxResults: query(maxResults),
      NextToken: query(nextToken),
      StageName: label(stageName),
    },
    ['GameName', 'StageName'],
  ),
  output: structure({ NextToken: nextToken, StageDeployments: list(deploymentSummary) }),
  errors: [...COMMON_ERRORS, 'not_found'],
  resource: stageResource,
  resourceTags: stageTags,
  decisions: [
    'Deployments are listed newest first. The history keeps the newest `RESPARK_MAX_DEPLOYMENTS` of the stage.',
    'A page ends early when the messages of its deployments have more than 512 KiB, so a page may have fewer deployments than `MaxResults` and still have a `NextToken`.',
  ],
  async handler({ input, services }) {
    const request = { maxResults: input.MaxResults, nextToken: input.NextToken };
    const page = await services.deployments.list(input.GameName, input.StageName, request);
    return { StageDeployments: page.items.map(toSummary), NextToken: page.nextToken };
  },
});

function toSummary({ id, action, state, result, snapshotId, updatedAt }: Deployment) {
  return {
    DeploymentAction: action,
    DeploymentId: id,
    DeploymentResult: result === undefined ? undefined : { Message: result.message, ResultCode: result.code },
    DeploymentState: state,
    LastUpdated: updatedAt,
    SnapshotId: snapshotId,
  };
}

function toDetails(deployment: Deployment) {
  return { ...toSummary(deployment), Created: deployment.createdAt };
}

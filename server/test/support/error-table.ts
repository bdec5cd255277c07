import type { TestContext } from 'node:test';
import { CreateSnapshotCommand } from '@aws-sdk/client-gamesparks';
import { alterDatabase, createKey } from './administration.ts';
import { ROLE } from './domain.ts';
import { GAME_DOCUMENT } from './game-document.ts';
import { COMMON_TRIGGERS, type ErrorTable } from './modelled-errors.ts';
import { createSnapshot, deploy, ON_STAGE } from './publishing.ts';
import { GAME, STAGE, startTestServer } from './server.ts';

const MODIFICATION = { Section: 'My.Section', Operation: 'ADD', Path: '/a', Value: 'x' };
const UPDATE = { GameName: GAME, Modifications: [MODIFICATION] };
const IMPORT = { GameName: GAME, ImportSource: { File: GAME_DOCUMENT } };
/** An id of the right form, which no game has. */
const SNAPSHOT = { GameName: GAME, SnapshotId: 'Snapshot_2026-01-02T03:04:05.000000Z' };
const LIVE = { GameName: GAME, StageName: 'Live', Role: ROLE };
const DEPLOY = { ...ON_STAGE, SnapshotId: SNAPSHOT.SnapshotId };
const GENERATE = { ...SNAPSHOT, Generator: { TargetPlatform: 'Unity' } };
const NO_JOB = { ...SNAPSHOT, JobId: '01234567-89ab-cdef-0123-456789abcdef' };
const CORE = { Namespace: 'GameSparks', Name: 'Core' };
const NO_EXTENSION = { Namespace: 'Custom', Name: 'Game' };
const EXTENSION_TRIGGERS = { ...COMMON_TRIGGERS, InternalServerException: { circumstance: withKeysOutOfReach } };
const GAME_ARN = `arn:aws:gamesparks:us-east-1:000000000000:game/${GAME}`;
const UNKNOWN_STAGE = { ResourceArn: `${GAME_ARN}/stage/Unknown` };
const NO_RESOURCE = { ResourceArn: `${GAME_ARN}/stage/${STAGE}/player/p1` };
const PLAYER = { ...ON_STAGE, PlayerId: 'nobody' };
/**
 * The model of the tag operations leaves out 403 and 429; a test in tags.test.ts shows that they occur all the same.
 */
const { InternalServerException } = COMMON_TRIGGERS;

/** Every operation, and what causes each error that it models. */
export const ERRORS: ErrorTable = {
  CreateGame: {
    input: { GameName: 'New' },
    errors: {
      ...COMMON_TRIGGERS,
      ValidationException: { input: { GameName: 'no spaces' } },
      ConflictException: { input: { GameName: GAME } },
      ServiceQuotaExceededException: { circumstance: withNoRoomForAGame },
    },
  },
  GetGame: {
    input: { GameName: GAME },
    errors: {
      ...COMMON_TRIGGERS,
      ValidationException: { input: { GameName: 'no spaces' } },
      ResourceNotFoundException: { input: { GameName: 'Unknown' } },
    },
  },
  ListGames: {
    input: {},
    errors: { ...COMMON_TRIGGERS, ValidationException: { input: { NextToken: 'forged' } } },
  },
  UpdateGame: {
    input: { GameName: GAME, Description: 'New' },
    errors: {
      ...COMMON_TRIGGERS,
      ValidationException: { input: { GameName: GAME, Description: ' not trimmed' } },
      ResourceNotFoundException: { input: { GameName: 'Unknown' } },
    },
  },
  DeleteGame: {
    input: { GameName: GAME },
    errors: {
      ...COMMON_TRIGGERS,
      ValidationException: { input: { GameName: 'G'.repeat(37) } },
      ConflictException: { circumstance: withAProtectedGame },
    },
  },
  GetGameConfiguration: {
    input: { GameName: GAME },
    errors: {
      ...COMMON_TRIGGERS,
      ValidationException: { input: { GameName: GAME, Sections: ['no spaces'] } },
      ResourceNotFoundException: { input: { GameName: 'Unknown' } },
    },
  },
  UpdateGameConfiguration: {
    input: UPDATE,
    errors: {
      ...COMMON_TRIGGERS,
      ValidationException: { input: { GameName: GAME, Modifications: [{ ...MODIFICATION, Operation: 'REMOVE' }] } },
      ResourceNotFoundException: { input: { ...UPDATE, GameName: 'Unknown' } },
      ServiceQuotaExceededException: { circumstance: withNoRoom },
    },
  },
  ImportGameConfiguration: {
    input: IMPORT,
    errors: {
      ...COMMON_TRIGGERS,
      ValidationException: { input: { GameName: GAME, ImportSource: { File: Buffer.from('no document') } } },
      ResourceNotFoundException: { input: { ...IMPORT, GameName: 'Unknown' } },
      ServiceQuotaExceededException: { circumstance: withNoRoom },
    },
  },
  CreateSnapshot: {
    input: { GameName: GAME },
    errors: {
      ...COMMON_TRIGGERS,
      ValidationException: { input: { GameName: GAME, Description: ' not trimmed' } },
      ResourceNotFoundException: { input: { GameName: 'Unknown' } },
      ConflictException: { circumstance: withNoRoomForASnapshot },
    },
  },
  GetSnapshot: {
    input: SNAPSHOT,
    errors: {
      ...COMMON_TRIGGERS,
      ValidationException: { input: { ...SNAPSHOT, SnapshotId: SNAPSHOT.SnapshotId.replace('T', ' ') } },
      ResourceNotFoundException: { input: SNAPSHOT },
    },
  },
  ListSnapshots: {
    input: { GameName: GAME },
    errors: {
      ...COMMON_TRIGGERS,
      ValidationException: { input: { GameName: GAME, NextToken: 'forged' } },
      ResourceNotFoundException: { input: { GameName: 'Unknown' } },
    },
  },
  UpdateSnapshot: {
    input: { ...SNAPSHOT, Description: 'New' },
    errors: {
      ...COMMON_TRIGGERS,
      ValidationException: { input: { ...SNAPSHOT, Description: 'x'.repeat(251) } },
      ResourceNotFoundException: { input: { ...SNAPSHOT, Description: 'New' } },
    },
  },
  ExportSnapshot: {
    input: SNAPSHOT,
    errors: {
      ...COMMON_TRIGGERS,
      ValidationException: { input: { ...SNAPSHOT, GameName: 'no spaces' } },
      ResourceNotFoundException: { input: SNAPSHOT },
    },
  },
  CreateStage: {
    input: LIVE,
    errors: {
      ...COMMON_TRIGGERS,
      ValidationException: { input: { ...LIVE, Role: 'arn:aws:iam::123456789012:user/NoRole' } },
      ResourceNotFoundException: { input: { ...LIVE, GameName: 'Unknown' } },
      ConflictException: { input: { ...LIVE, StageName: STAGE } },
    },
  },
  GetStage: {
    input: ON_STAGE,
    errors: {
      ...COMMON_TRIGGERS,
      ValidationException: { input: { ...ON_STAGE, StageName: 'no spaces' } },
      ResourceNotFoundException: { input: { ...ON_STAGE, StageName: 'Unknown' } },
    },
  },
  ListStages: {
    input: { GameName: GAME },
    errors: {
      ...COMMON_TRIGGERS,
      ValidationException: { input: { GameName: GAME, NextToken: 'forged' } },
      ResourceNotFoundException: { input: { GameName: 'Unknown' } },
    },
  },
  UpdateStage: {
    input: { ...ON_STAGE, Description: 'New' },
    errors: {
      ...COMMON_TRIGGERS,
      ValidationException: { input: { ...ON_STAGE, Description: ' not trimmed' } },
      ResourceNotFoundException: { input: { ...ON_STAGE, GameName: 'Unknown' } },
    },
  },
  DeleteStage: {
    input: ON_STAGE,
    errors: {
      ...COMMON_TRIGGERS,
      ValidationException: { input: { ...ON_STAGE, StageName: 'S'.repeat(37) } },
      ResourceNotFoundException: { input: { ...ON_STAGE, StageName: 'Unknown' } },
      ConflictException: { none: 'a stage may be deleted whatever its state: again, and while its game is deleted' },
    },
  },
  StartStageDeployment: {
    input: DEPLOY,
    errors: {
      ...COMMON_TRIGGERS,
      ValidationException: { input: { ...DEPLOY, SnapshotId: SNAPSHOT.SnapshotId.replace('Z', 'z') } },
      ResourceNotFoundException: { input: DEPLOY },
      ConflictException: { circumstance: withADeploymentUnderWay },
    },
  },
  GetStageDeployment: {
    input: ON_STAGE,
    errors: {
      ...COMMON_TRIGGERS,
      ValidationException: { input: { ...ON_STAGE, DeploymentId: ' not trimmed' } },
      ResourceNotFoundException: { input: ON_STAGE },
    },
  },
  ListStageDeployments: {
    input: ON_STAGE,
    errors: {
      ...COMMON_TRIGGERS,
      ValidationException: { input: { ...ON_STAGE, NextToken: 'forged' } },
      ResourceNotFoundException: { input: { ...ON_STAGE, StageName: 'Unknown' } },
    },
  },
  StartGeneratedCodeJob: {
    input: GENERATE,
    errors: {
      ...COMMON_TRIGGERS,
      ValidationException: { input: { ...GENERATE, Generator: { TargetPlatform: 'Unreal' } } },
      ResourceNotFoundException: { input: GENERATE },
    },
  },
  GetGeneratedCodeJob: {
    input: NO_JOB,
    errors: {
      ...COMMON_TRIGGERS,
      ValidationException: { input: { ...NO_JOB, JobId: NO_JOB.JobId.toUpperCase() } },
      ResourceNotFoundException: { circumstance: withASnapshotWithoutJobs },
    },
  },
  ListGeneratedCodeJobs: {
    input: SNAPSHOT,
    errors: {
      ...COMMON_TRIGGERS,
      ValidationException: { input: { ...SNAPSHOT, NextToken: 'forged' } },
      ResourceNotFoundException: { input: SNAPSHOT },
    },
  },
  ListExtensions: {
    input: {},
    errors: { ...EXTENSION_TRIGGERS, ValidationException: { input: { NextToken: 'forged' } } },
  },
  GetExtension: {
    input: CORE,
    errors: {
      ...EXTENSION_TRIGGERS,
      ValidationException: { input: { ...CORE, Name: 'no spaces' } },
      ResourceNotFoundException: { input: NO_EXTENSION },
    },
  },
  ListExtensionVersions: {
    input: CORE,
    errors: {
      ...EXTENSION_TRIGGERS,
      ValidationException: { input: { ...CORE, NextToken: 'forged' } },
      ResourceNotFoundException: { input: NO_EXTENSION },
    },
  },
  GetExtensionVersion: {
    input: { ...CORE, ExtensionVersion: '1.0.0' },
    errors: {
      ...EXTENSION_TRIGGERS,
      ValidationException: { input: { ...CORE, ExtensionVersion: '1'.repeat(21) } },
      ResourceNotFoundException: { input: { ...CORE, ExtensionVersion: '1.0' } },
    },
  },
  TagResource: {
    input: { ResourceArn: GAME_ARN, tags: { team: 'red' } },
    errors: {
      InternalServerException,
      ValidationException: { input: { ResourceArn: GAME_ARN, tags: { 'aws:team': 'red' } } },
      ResourceNotFoundException: { input: { ...UNKNOWN_STAGE, tags: { team: 'red' } } },
    },
  },
  UntagResource: {
    input: { ResourceArn: GAME_ARN, tagKeys: ['team'] },
    errors: {
      InternalServerException,
      ValidationException: { input: { ...NO_RESOURCE, tagKeys: ['team'] } },
      ResourceNotFoundException: { input: { ...UNKNOWN_STAGE, tagKeys: ['team'] } },
    },
  },
  ListTagsForResource: {
    input: { ResourceArn: GAME_ARN },
    errors: {
      InternalServerException,
      ValidationException: { input: NO_RESOURCE },
      ResourceNotFoundException: { input: UNKNOWN_STAGE },
    },
  },
  GetPlayerConnectionStatus: {
    input: PLAYER,
    errors: {
      ...COMMON_TRIGGERS,
      ValidationException: { input: { ...PLAYER, PlayerId: 'no spaces' } },
      ResourceNotFoundException: { input: { ...PLAYER, StageName: 'Unknown' } },
    },
  },
  DisconnectPlayer: {
    input: PLAYER,
    errors: {
      ...COMMON_TRIGGERS,
      ValidationException: { input: { ...PLAYER, PlayerId: 'p'.repeat(45) } },
      ResourceNotFoundException: { input: { ...PLAYER, GameName: 'Unknown' } },
    },
  },
};

async function withNoRoomForAGame(t: TestContext) {
  return { server: await startTestServer(t, { settings: { maxGames: 1 } }) };
}

/** No operation of the API protects a game, so the database is changed. */
async function withAProtectedGame(t: TestContext) {
  const server = await startTestServer(t);
  alterDatabase(server, 'UPDATE games SET is_termination_protected = 1');
  return { server };
}

async function withNoRoom(t: TestContext) {
  return { server: await startTestServer(t, { settings: { maxConfigurationBytes: 50 } }) };
}

async function withNoRoomForASnapshot(t: TestContext) {
  const server = await startTestServer(t, { settings: { maxSnapshots: 1 } });
  await server.sdk().send(new CreateSnapshotCommand({ GameName: GAME }));
  return { server };
}

/** The deployment does not end within the test. */
async function withADeploymentUnderWay(t: TestContext) {
  const server = await startTestServer(t);
  const SnapshotId = await createSnapshot(server);
  await deploy(server, SnapshotId);
  alterDatabase(server, "UPDATE deployments SET state = 'IN_PROGRESS'");
  return { server, input: { ...ON_STAGE, SnapshotId } };
}

async function withASnapshotWithoutJobs(t: TestContext) {
  const server = await startTestServer(t);
  return { server, input: { ...NO_JOB, SnapshotId: await createSnapshot(server) } };
}

/** The operations of extensions need nothing from the store, but each caller is looked up there. */
async function withKeysOutOfReach(t: TestContext) {
  const server = await startTestServer(t);
  const credentials = await createKey(server, [{ Effect: 'Allow', Action: '*', Resource: '*' }]);
  alterDatabase(server, 'ALTER TABLE access_keys RENAME TO access_keys_out_of_reach');
  return { server, credentials };
}

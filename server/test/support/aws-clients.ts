import { type TestContext, test } from 'node:test';
import * as sdk from '@aws-sdk/client-gamesparks';
import type { AwsCliCall, findAwsCli } from './aws-cli.ts';
import { ROOT, type TestServer } from './server.ts';

const COMMANDS = {
  CreateGame: sdk.CreateGameCommand,
  GetGame: sdk.GetGameCommand,
  ListGames: sdk.ListGamesCommand,
  UpdateGame: sdk.UpdateGameCommand,
  DeleteGame: sdk.DeleteGameCommand,
  GetGameConfiguration: sdk.GetGameConfigurationCommand,
  UpdateGameConfiguration: sdk.UpdateGameConfigurationCommand,
  ImportGameConfiguration: sdk.ImportGameConfigurationCommand,
  CreateSnapshot: sdk.CreateSnapshotCommand,
  GetSnapshot: sdk.GetSnapshotCommand,
  ListSnapshots: sdk.ListSnapshotsCommand,
  UpdateSnapshot: sdk.UpdateSnapshotCommand,
  ExportSnapshot: sdk.ExportSnapshotCommand,
  CreateStage: sdk.CreateStageCommand,
  GetStage: sdk.GetStageCommand,
  ListStages: sdk.ListStagesCommand,
  UpdateStage: sdk.UpdateStageCommand,
  DeleteStage: sdk.DeleteStageCommand,
  StartStageDeployment: sdk.StartStageDeploymentCommand,
  GetStageDeployment: sdk.GetStageDeploymentCommand,
  ListStageDeployments: sdk.ListStageDeploymentsCommand,
  StartGeneratedCodeJob: sdk.StartGeneratedCodeJobCommand,
  GetGeneratedCodeJob: sdk.GetGeneratedCodeJobCommand,
  ListGeneratedCodeJobs: sdk.ListGeneratedCodeJobsCommand,
  GetPlayerConnectionStatus: sdk.GetPlayerConnectionStatusCommand,
  DisconnectPlayer: sdk.DisconnectPlayerCommand,
  ListExtensions: sdk.ListExtensionsCommand,
  GetExtension: sdk.GetExtensionCommand,
  ListExtensionVersions: sdk.ListExtensionVersionsCommand,
  GetExtensionVersion: sdk.GetExtensionVersionCommand,
  TagResource: sdk.TagResourceCommand,
  UntagResource: sdk.UntagResourceCommand,
  ListTagsForResource: sdk.ListTagsForResourceCommand,
} as const;

export type OperationName = keyof typeof COMMANDS;
type Command<Name extends OperationName> = (typeof COMMANDS)[Name];
type Input<Name extends OperationName> = ConstructorParameters<Command<Name>>[0];
type Output<Name extends OperationName> =
  InstanceType<Command<Name>> extends {
    resolveMiddleware(...parts: never): (...request: never) => Promise<{ output: infer Answer }>;
  }
    ? Omit<Answer, '$metadata'>
    : never;

/** Calls once, without a second try; rejects with an error under the name that the service gave it. */
export type AwsCall = <Name extends OperationName>(operation: Name, input: Input<Name>) => Promise<Output<Name>>;

export interface AwsClient {
  readonly name: 'aws-sdk' | 'aws-cli';
  /** Why its tests cannot run here. */
  readonly skip: string | false;
  /** Whether each call starts a process, which takes most of a second. */
  readonly isSlow: boolean;
  /** Calls with the root key unless told otherwise. */
  open(server: Pick<TestServer, 'url'>, options?: Pick<AwsCliCall, 'credentials' | 'region'>): AwsCall;
}

/** Makes one scenario a test of each real client; the scenario's subtests run four at a time. */
export function testEachClient(
  aws: Awaited<ReturnType<typeof findAwsCli>>,
  title: string,
  scenario: (t: TestContext, client: AwsClient) => Promise<void>,
): void {
  for (const client of awsClients(aws)) {
    test(`[${client.name}] ${title}`, { skip: client.skip, concurrency: 4 }, (t) => scenario(t, client));
  }
}

/** The SDK, which is always there, and the CLI. */
export function awsClients(aws: Awaited<ReturnType<typeof findAwsCli>>): readonly [AwsClient, AwsClient] {
  return [
    { name: 'aws-sdk', skip: false, isSlow: false, open: openSdk },
    {
      name: 'aws-cli',
      skip: aws === undefined && 'no AWS CLI that knows GameSparks is installed (Debian: apt-get install awscli)',
      isSlow: true,
      open:
        ({ url }, options) =>
        async (operation, input) => {
          const output = await aws?.({ endpoint: url, operation, input: { ...input }, credentials: ROOT, ...options });
          return withDates(output) as never;
        },
    },
  ];
}

const openSdk: AwsClient['open'] = ({ url }, { credentials = ROOT, region = 'eu-west-9' } = {}) => {
  const client = new sdk.GameSparksClient({ endpoint: url, credentials, region, maxAttempts: 1 });
  return async (operation, input) => {
    const { $metadata, ...output } = await client.send(new COMMANDS[operation](input as never) as never);
    return output as never;
  };
};

/** The CLI prints times as text; the SDK has already made them dates. */
function withDates(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withDates);
  if (typeof value !== 'object' || value === null) return value;
  const isTime = (name: string) => ['Created', 'LastUpdated', 'ExpirationTime'].includes(name);
  return Object.fromEntries(
    Object.entries(value).map(([name, inner]) => [name, isTime(name) ? new Date(inner) : withDates(inner)]),
  );
}

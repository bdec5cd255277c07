import assert from 'node:assert/strict';
import {
  CreateSnapshotCommand,
  type GameSparksClient,
  type GeneratedCodeJobDetails,
  GetGeneratedCodeJobCommand,
  GetStageDeploymentCommand,
  ImportGameConfigurationCommand,
  type StageDeploymentDetails,
  StartGeneratedCodeJobCommand,
  StartStageDeploymentCommand,
} from '@aws-sdk/client-gamesparks';
import { fileOf } from './game-document.ts';
import { GAME, STAGE } from './server.ts';

/** A server in the test's process, or a process of its own. */
export interface Place {
  sdk(): GameSparksClient;
}

interface StageName {
  readonly GameName: string;
  readonly StageName: string;
}

/** Frozen, because the SDK's paginators write into their input. */
export const ON_STAGE: StageName = Object.freeze({ GameName: GAME, StageName: STAGE });

export async function importDocument(place: Place, File: Uint8Array, GameName = GAME): Promise<void> {
  await place.sdk().send(new ImportGameConfigurationCommand({ GameName, ImportSource: { File } }));
}

/** Creates a snapshot of the document, or else of what is configured, and gives its id. */
export async function createSnapshot(place: Place, document?: Uint8Array): Promise<string> {
  if (document !== undefined) await importDocument(place, document);
  const { Snapshot } = await place.sdk().send(new CreateSnapshotCommand({ GameName: GAME }));
  return Snapshot?.Id ?? '';
}

/** Starts a deployment. */
export async function startDeployment(
  place: Place,
  { on = ON_STAGE, ...input }: { SnapshotId: string; ClientToken?: string; on?: StageName },
): Promise<StageDeploymentDetails> {
  const { StageDeployment } = await place.sdk().send(new StartStageDeploymentCommand({ ...on, ...input }));
  assert(StageDeployment !== undefined);
  return StageDeployment;
}

/** Waits until the deployment has ended, or without an id the latest one. */
export async function endOfDeployment(place: Place, DeploymentId?: string, on = ON_STAGE) {
  const input = { ...on, ...(DeploymentId === undefined ? {} : { DeploymentId }) };
  const sdk = place.sdk();
  const read = async () => (await sdk.send(new GetStageDeploymentCommand(input))).StageDeployment;
  return await whenEnded(read, (deployment) => deployment?.DeploymentState);
}

/** Deploys and resolves with the id of the deployment when it is completed. */
export async function deploy(place: Place, SnapshotId?: string): Promise<string> {
  const { DeploymentId } = await startDeployment(place, { SnapshotId: SnapshotId ?? (await createSnapshot(place)) });
  const ended = await endOfDeployment(place, DeploymentId);
  assert.equal(ended?.DeploymentState, 'COMPLETED', ended?.DeploymentResult?.Message);
  return DeploymentId ?? '';
}

/** Starts a job and gives its id. */
export async function startJob(place: Place, SnapshotId: string, Generator = {}): Promise<string> {
  const command = new StartGeneratedCodeJobCommand({ GameName: GAME, SnapshotId, Generator });
  return (await place.sdk().send(command)).GeneratedCodeJobId ?? '';
}

export async function endOfJob(place: Place, SnapshotId: string, JobId: string): Promise<GeneratedCodeJobDetails> {
  const command = new GetGeneratedCodeJobCommand({ GameName: GAME, SnapshotId, JobId });
  const sdk = place.sdk();
  const read = async () => (await sdk.send(command)).GeneratedCodeJob ?? {};
  return await whenEnded(read, ({ Status }) => Status);
}

/** Reads again and again, with a bound, until what is read has ended. */
export async function whenEnded<T>(read: () => Promise<T>, stateOf: (read: T) => string | undefined): Promise<T> {
  const deadline = performance.now() + 60_000;
  for (;;) {
    const seen = await read();
    const state = stateOf(seen);
    if (state === 'COMPLETED' || state === 'FAILED') return seen;
    if (performance.now() > deadline) throw new Error(`still not ended: ${JSON.stringify(seen)}`);
    await new Promise((resolve) => setTimeout(resolve, 60));
  }
}

/**
 * A document whose examination finds nothing and takes longer than a few calls. It has this many requests, each with a
 * handler; by default they are about a megabyte.
 */
export function largeDocument(requests = 1_750): Uint8Array {
  const request = { AllowedSources: ['Player'], RequestShape: 'Ping', ResponseShape: 'Ping' };
  const Script = '{let a=0;for(let i=0;i<9;i++)a+=i*(i-1)}'.repeat(10);
  const handler = { Enabled: true, Code: { Script, ScriptLanguage: 'Javascript_ES5_1' } };
  const ofEach = <T>(value: T) =>
    Object.fromEntries(Array.from({ length: requests }, (_, index) => [`R${index}`, value]));
  return fileOf({
    'GameSparks.Core.Model': { Ping: { Structure: { Fields: {} } } },
    'GameSparks.Core.Requests': ofEach(request),
    'GameSparks.Core.RequestHandlers': ofEach(handler),
  });
}

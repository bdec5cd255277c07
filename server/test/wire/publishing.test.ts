import assert from 'node:assert/strict';
import { test } from 'node:test';
import { strFromU8, unzipSync } from 'fflate';
import { findAwsCli } from '../support/aws-cli.ts';
import { ROLE } from '../support/domain.ts';
import { GAME_DOCUMENT, realGameDocument } from '../support/game-document.ts';
import { whenEnded } from '../support/publishing.ts';
import { ROOT, startTestServer } from '../support/server.ts';

const aws = await findAwsCli();

/** What of its answers is looked at here. */
interface Said {
  readonly GameConfiguration?: { readonly Sections: Readonly<Record<string, { readonly Attributes: unknown }>> };
  readonly Snapshot?: { readonly Id: string };
  readonly S3Url?: string;
  readonly StageDeployment?: { readonly DeploymentState: string; readonly DeploymentResult?: object };
  readonly GeneratedCodeJobId?: string;
  readonly GeneratedCodeJob?: { readonly Status: string; readonly S3Url?: string };
}

async function download(url = ''): Promise<Uint8Array> {
  return new Uint8Array(await (await fetch(url)).arrayBuffer());
}

test('[aws-cli] a game goes the whole way: to another game, onto a stage and into code', {
  skip: aws === undefined,
}, async (t) => {
  const document = realGameDocument() ?? GAME_DOCUMENT;
  const server = await startTestServer(t);
  const call = async (operation: string, input: Readonly<Record<string, unknown>>) =>
    (await aws?.({ endpoint: server.url, operation, input, credentials: ROOT })) as Said;
  const { Sections } = JSON.parse(Buffer.from(document).toString()).Document;
  const importFile = async (GameName: string, file: Uint8Array) => {
    const ImportSource = { File: Buffer.from(file).toString('base64') };
    const { GameConfiguration } = await call('ImportGameConfiguration', { GameName, ImportSource });
    const sections = Object.entries(GameConfiguration?.Sections ?? {});
    assert.deepEqual(Object.fromEntries(sections.map(([name, { Attributes }]) => [name, Attributes])), Sections);
  };

  await call('CreateGame', { GameName: 'First' });
  await importFile('First', document);
  const ofFirst = { GameName: 'First', SnapshotId: (await call('CreateSnapshot', { GameName: 'First' })).Snapshot?.Id };
  const { S3Url: exportUrl } = await call('ExportSnapshot', ofFirst);
  const exported = await download(exportUrl);
  assert.deepEqual(JSON.parse(Buffer.from(exported).toString()), { Document: { Type: 'Game', Sections } });

  await call('CreateGame', { GameName: 'Second' });
  await importFile('Second', exported);
  const { Snapshot } = await call('CreateSnapshot', { GameName: 'Second' });
  const ofSecond = { GameName: 'Second', SnapshotId: Snapshot?.Id };
  const { S3Url: againUrl } = await call('ExportSnapshot', ofSecond);
  assert.deepEqual(await download(againUrl), exported);

  const stage = { GameName: 'Second', StageName: 'Live' };
  await call('CreateStage', { ...stage, Role: ROLE });
  await call('StartStageDeployment', { ...stage, SnapshotId: Snapshot?.Id });
  const { StageDeployment } = await whenEnded(
    () => call('GetStageDeployment', stage),
    (said) => said.StageDeployment?.DeploymentState,
  );
  assert.deepEqual(StageDeployment?.DeploymentResult, { Message: '', ResultCode: 'SUCCESS' });

  const { GeneratedCodeJobId: JobId } = await call('StartGeneratedCodeJob', { ...ofSecond, Generator: {} });
  const { GeneratedCodeJob } = await whenEnded(
    () => call('GetGeneratedCodeJob', { ...ofSecond, JobId }),
    (said) => said.GeneratedCodeJob?.Status,
  );
  const zip = unzipSync(await download(GeneratedCodeJob?.S3Url));
  const code = strFromU8(zip['SecondOperations.cs'] ?? new Uint8Array());
  const requests = Object.entries<{ AllowedSources: readonly string[] }>(Sections['GameSparks.Core.Requests']);
  for (const [name, { AllowedSources }] of requests) {
    assert.equal(code.includes(` Enqueue${name}Request(`), AllowedSources.includes('Player'), name);
  }
});

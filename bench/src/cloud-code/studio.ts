import { setTimeout as wait } from 'node:timers/promises';
import { fromServer } from '../respark-build.ts';

/** A studio's developer, who deploys configurations by calls of the management API. */
export interface Studio {
  /** Makes a second stage of the demo game, and resolves with its game key. */
  createStage(stageName: string): Promise<string>;
  /** Puts a configuration on a stage, and resolves when the deployment is completed. */
  deploy(document: string, stageName?: string): Promise<void>;
}

const GAME_PATH = '/game/Demo';
const ROLE = 'arn:aws:iam::000000000000:role/bench';
const DEPLOYMENT_TIMEOUT_MS = 20_000;
const POLL_MS = 20;

type Json = { readonly [member: string]: unknown };

export async function createStudio({ port, dataDir }: { port: number; dataDir: string }): Promise<Studio> {
  const { readLocalFile } =
    await fromServer<typeof import('../../../server/src/data-directory/local-files.ts')>('data-directory/local-files');
  const { signRequest } =
    await fromServer<typeof import('../../../server/src/api/signature/sigv4.ts')>('api/signature/sigv4');
  const credentials = await readLocalFile.rootCredentials(dataDir);
  if (credentials === undefined) throw new Error('Respark has left no root credentials in its data directory');

  async function call(method: string, path: string, content?: Json): Promise<Json> {
    const url = new URL(`${GAME_PATH}${path}`, `http://127.0.0.1:${port}`);
    const body = content === undefined ? '' : JSON.stringify(content);
    const signing = { method, url, body: Buffer.from(body), ...credentials, region: 'us-east-1', nowMs: Date.now() };
    const headers = signRequest(signing as Parameters<typeof signRequest>[0]);
    const response = await fetch(url, { method, headers, ...(body === '' ? {} : { body }) });
    const answer = (await response.json()) as Json;
    if (!response.ok) throw new Error(`${method} ${url.pathname} was answered with ${JSON.stringify(answer)}`);
    return answer;
  }

  async function untilDeployed(path: string): Promise<void> {
    const deadline = performance.now() + DEPLOYMENT_TIMEOUT_MS;
    for (;;) {
      const { StageDeployment } = (await call('GET', path)) as { StageDeployment: Json };
      if (StageDeployment.DeploymentState === 'COMPLETED') return;
      if (StageDeployment.DeploymentState === 'FAILED' || performance.now() > deadline) {
        throw new Error(`a deployment was not completed: ${JSON.stringify(StageDeployment)}`);
      }
      await wait(POLL_MS);
    }
  }

  return {
    async createStage(stageName) {
      const { Stage } = await call('POST', '/stage', { StageName: stageName, Role: ROLE });
      return (Stage as { GameKey: string }).GameKey;
    },
    async deploy(document, stageName = 'Dev') {
      const file = Buffer.from(document).toString('base64');
      await call('PUT', '/configuration', { ImportSource: { File: file } });
      const { Snapshot } = (await call('POST', '/snapshot', {})) as { Snapshot: { Id: string } };
      await call('POST', `/stage/${stageName}/deployment`, { SnapshotId: Snapshot.Id });
      await untilDeployed(`/stage/${stageName}/deployment`);
    },
  };
}

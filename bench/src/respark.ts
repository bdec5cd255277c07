import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { createStudio } from './cloud-code/studio.ts';
import type { PlayerSeed } from './load/players.ts';
import type { NodeBinary } from './node-binary.ts';
import { fromServer, RESPARK_COMMAND, RESPARK_KEYS, RESPARK_SETTINGS } from './respark-build.ts';
import {
  ownServer,
  post,
  type RunningContestant,
  type StartOptions,
  temporaryDirectory,
} from './running-contestant.ts';
import { type ServerProcess, startServerProcess } from './server-process.ts';

const RESPARK_ENVIRONMENT = { RESPARK_SECRET_KEY: RESPARK_KEYS.secretKey };

/** The product as an operator runs it: a key with a policy signs the calls, and every call is recorded. */
export async function startRespark(
  node: NodeBinary,
  { waitUrl, settings = {}, scriptThreads = 2 }: StartOptions & { readonly scriptThreads?: number } = {},
): Promise<RunningContestant> {
  const directory = temporaryDirectory();
  const server = await startResparkServer(node, {
    directory,
    settings: { scriptThreads: String(scriptThreads), ...settings },
    env: waitUrl === undefined ? {} : { RESPARK_LAMBDA_ROUTES: `Wait=${waitUrl}` },
    core: waitUrl === undefined ? 0 : 'any',
  });
  const demo = await useDemo(node, directory.path).catch(async (error: unknown) => {
    await server.stop();
    throw error;
  });
  return {
    ...server,
    dialect: 'respark',
    studio: await createStudio({ port: server.port, dataDir: directory.path }),
    seeds: demo.seeds,
    disconnectRequest: (playerId) => demo.disconnectRequest(playerId, server.port),
  };
}

/** Starts a server, whose directory is removed when it has ended. */
export async function startResparkServer(
  node: NodeBinary,
  {
    directory,
    settings,
    env = {},
    core = 0,
  }: {
    directory: ReturnType<typeof temporaryDirectory>;
    /** What differs from the settings of the bench, or is added to them. */
    settings: Readonly<Record<string, string>>;
    env?: Readonly<Record<string, string>>;
    core?: 0 | 'any';
  },
): Promise<ServerProcess> {
  const flags = Object.entries({ ...RESPARK_SETTINGS, ...settings }).flatMap(([key, value]) => [
    `--${toKebabCase(key)}`,
    value,
  ]);
  return await startServerProcess({
    node,
    script: RESPARK_COMMAND,
    args: ['serve', '--demo', '--data-dir', directory.path, ...flags],
    env: { ...RESPARK_ENVIRONMENT, ...env },
    core,
    readyLine: /Management API +http:\/\/127\.0\.0\.1:(?<port>\d+)/,
    release: directory.remove,
  });
}

/** What players and an operator need to use the demo game of the server with this data directory and environment. */
export async function useDemo(node: NodeBinary, dataDir: string, env: Readonly<Record<string, string>> = {}) {
  const accessKey = await createOperatorKey(node, dataDir, env);
  const { readLocalFile } =
    await fromServer<typeof import('../../server/src/data-directory/local-files.ts')>('data-directory/local-files');
  const { signRequest } =
    await fromServer<typeof import('../../server/src/api/signature/sigv4.ts')>('api/signature/sigv4');
  const demo = await readLocalFile.demo(dataDir);
  if (demo === undefined) throw new Error('Respark has left no demo.json in its data directory');
  const [, claims = ''] = demo.token.split('.');
  const { aud: stageId } = JSON.parse(Buffer.from(claims, 'base64url').toString()) as { aud: string };
  return {
    seeds: (playerIds: readonly string[]) => resparkSeeds({ stageId, gameKey: demo.gameKey, playerIds }),
    disconnectRequest(playerId: string, port: number) {
      const path = `/runtime/game/Demo/stage/Dev/player/${playerId}/disconnect`;
      const url = new URL(path, `http://127.0.0.1:${port}`);
      const signing = { method: 'POST', url, ...accessKey, region: 'us-east-1', nowMs: Date.now() };
      return post({ path, port, headers: signRequest(signing) });
    },
  };
}

/** A key as a studio gives one to its game's operators. The root key would be spared the look-up of its policy. */
async function createOperatorKey(
  { path }: NodeBinary,
  dataDir: string,
  env: Readonly<Record<string, string>>,
): Promise<{ accessKeyId: string; secretAccessKey: string }> {
  const words = ['keys', 'create', '--role', 'operator', '--game', 'Demo', '--json', '--data-dir', dataDir];
  const options = { env: { ...RESPARK_ENVIRONMENT, ...env } };
  const { stdout } = await promisify(execFile)(path, [RESPARK_COMMAND, ...words], options);
  return JSON.parse(stdout) as { accessKeyId: string; secretAccessKey: string };
}

export async function startResparkBare(node: NodeBinary): Promise<RunningContestant> {
  const directory = temporaryDirectory();
  const server = await startServerProcess({
    ...ownServer(node, 'servers/respark-bare'),
    args: [join(directory.path, 'respark.sqlite')],
    release: directory.remove,
  });
  const { gameKey = '', stageId = '' } = server.facts;
  return {
    ...server,
    dialect: 'respark',
    seeds: (playerIds) => resparkSeeds({ stageId, gameKey, playerIds }),
    disconnectRequest: (playerId) => post({ path: `/player/${playerId}`, port: server.port }),
  };
}

/** Hellos with tokens that are made with the server's own key, as returning players send them. */
export async function resparkSeeds({
  stageId,
  gameKey,
  playerIds,
  secretKey = RESPARK_KEYS.secretKey,
}: {
  stageId: string;
  gameKey: string;
  playerIds: readonly string[];
  secretKey?: string;
}): Promise<PlayerSeed[]> {
  const { createKeyring } = await fromServer<typeof import('../../server/src/keyring.ts')>('keyring');
  const { systemClock } = await fromServer<typeof import('../../server/src/clock.ts')>('clock');
  const { createPlayerTokens } =
    await fromServer<typeof import('../../server/src/domain/players/player-tokens.ts')>('domain/players/player-tokens');
  const { deriveKey } = createKeyring(Buffer.from(secretKey, 'base64'));
  const tokens = createPlayerTokens({ deriveKey, clock: systemClock, lifetimeMs: 86_400_000 });
  const seeds: PlayerSeed[] = [];
  for (const playerId of playerIds) {
    const token = await tokens.issue(stageId, playerId);
    seeds.push({ playerId, hello: JSON.stringify({ kind: 'hello', gameKey, token }) });
  }
  return seeds;
}

function toKebabCase(key: string): string {
  return key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

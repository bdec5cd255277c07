import { GAME, ROOT, STAGE, type TestServer, until } from './server.ts';
import { createTestWorld } from './world.ts';

/** Many calls a second, because the command looks often; and a period that a test can wait for twice. */
export const REHEARSAL_SETTINGS = { heartbeatMs: 1_000, readCallsPerSecond: 1_000, readCallsBurst: 1_000 };

export interface RehearsalResult {
  readonly Name: string;
  readonly Expected: string;
  readonly Outcome: string;
  readonly Seen: string;
}

/** Runs the command, and has the player ask for a connection each time that the command asks for that. */
export async function rehearse(
  server: TestServer,
  playerId: string,
  { args = [], reconnect = () => {} }: { args?: readonly string[]; reconnect?: () => void } = {},
): Promise<{ exitCode: number; results: readonly RehearsalResult[]; err: string }> {
  const env = { AWS_ACCESS_KEY_ID: ROOT.accessKeyId, AWS_SECRET_ACCESS_KEY: ROOT.secretAccessKey };
  const world = createTestWorld({ env, local: { url: server.url } });
  const words = ['--game', GAME, '--stage', STAGE, '--player', playerId, '--settle', '0', '--window', '4', '--json'];
  let [asked, isOver] = [0, false];
  const run = world.run('rehearse', ...words, ...args).finally(() => {
    isOver = true;
  });
  const helper = (async () => {
    while (!isOver) {
      await until(() => isOver || world.err().split('have the client connect again').length - 1 > asked);
      asked += 1;
      if (!isOver) reconnect();
    }
  })();
  const exitCode = await run;
  await helper;
  const results =
    world.out() === '' ? [] : (JSON.parse(world.out()) as { Results: readonly RehearsalResult[] }).Results;
  return { exitCode, results, err: world.err() };
}

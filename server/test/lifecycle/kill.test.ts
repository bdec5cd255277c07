import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import {
  CreateGameCommand,
  CreateStageCommand,
  DeleteGameCommand,
  DeleteStageCommand,
  type GameSparksClient,
  GameSparksServiceException,
  GetStageCommand,
  ListStagesCommand,
  paginateListGames,
} from '@aws-sdk/client-gamesparks';
import Libsql from 'libsql';
import { ROLE } from '../support/domain.ts';
import { createWorkplace, type RunningServer } from '../support/process.ts';
import { until } from '../support/server.ts';

const KILLS = 3;
const WORKERS = 8;
/** Nothing but the kill ends the writing. */
const SETTINGS = ['writeCallsPerSecond', 'writeCallsBurst', 'readCallsPerSecond', 'readCallsBurst', 'maxGames'];
const LIMITS = SETTINGS.flatMap((name) => [
  `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`,
  '100000',
]);

/** What callers were told. A name in none of the sets may or may not be there: its call was under way. */
class Acknowledged {
  readonly present = new Set<string>();
  readonly gone = new Set<string>();
  count = 0;

  /** Makes a call that brings `names` into being. */
  async make(names: string[], call: Promise<unknown>): Promise<void> {
    await call;
    this.count += 1;
    for (const name of names) this.present.add(name);
  }

  /** Makes a call that ends `names`: from now on they may be gone. */
  async end(names: string[], call: () => Promise<unknown>): Promise<void> {
    for (const name of names) this.present.delete(name);
    await call();
    this.count += 1;
    for (const name of names) this.gone.add(name);
  }
}

/** Makes and deletes games and stages until a call fails. */
async function writeUntilKilled(sdk: GameSparksClient, prefix: string, acknowledged: Acknowledged): Promise<void> {
  for (let number = 0; ; number += 1) {
    const GameName = `${prefix}-${number}`;
    const [kept, dropped] = [`${GameName}/Kept`, `${GameName}/Dropped`];
    const stage = (StageName: string) => ({ GameName, StageName });
    await acknowledged.make([GameName], sdk.send(new CreateGameCommand({ GameName })));
    await acknowledged.make([kept], sdk.send(new CreateStageCommand({ ...stage('Kept'), Role: ROLE })));
    await acknowledged.make([dropped], sdk.send(new CreateStageCommand({ ...stage('Dropped'), Role: ROLE })));
    await acknowledged.end([dropped], () => sdk.send(new DeleteStageCommand(stage('Dropped'))));
    if (number % 3 !== 0) continue;
    await acknowledged.end([GameName, kept], () => sdk.send(new DeleteGameCommand({ GameName })));
  }
}

/** Every game and `game/stage` with its state, as callers see it. */
async function listAll(sdk: GameSparksClient): Promise<Map<string, string | undefined>> {
  const all = new Map<string, string | undefined>();
  for await (const { Games = [] } of paginateListGames({ client: sdk }, {})) {
    for (const { Name: GameName, State } of Games) {
      all.set(String(GameName), State);
      // It may be gone before its stages are asked for.
      if (State === 'DELETING') continue;
      const { Stages = [] } = await sdk.send(new ListStagesCommand({ GameName }));
      for (const { Name, State } of Stages) all.set(`${GameName}/${Name}`, State);
    }
  }
  return all;
}

/** Lists again and again, with a bound, while something is being deleted. */
async function listSettled(sdk: GameSparksClient): Promise<Map<string, string | undefined>> {
  for (let look = 0; look < 1_000; look += 1) {
    const all = await listAll(sdk);
    if (![...all.values()].includes('DELETING')) return all;
  }
  throw new Error('something is still being deleted');
}

async function killAndWait(server: RunningServer): Promise<void> {
  server.child.kill('SIGKILL');
  assert.equal((await server.ended()).signal, 'SIGKILL');
}

test(`${KILLS} times kill -9 under concurrent writes loses nothing that was acknowledged`, async (t) => {
  const place = createWorkplace(t);
  const acknowledged = new Acknowledged();
  let server = await place.serve(['--demo', ...LIMITS]);
  const player = await server.connect();
  const token = await player.token();

  for (let kill = 0; kill < KILLS; kill += 1) {
    const sdk = server.sdk({ maxAttempts: 1 });
    const { count } = acknowledged;
    const workers = Array.from({ length: WORKERS }, (_, worker) =>
      writeUntilKilled(sdk, `k${kill}-w${worker}`, acknowledged).catch((error: Error) => error),
    );
    await until(() => acknowledged.count >= count + 150);
    await killAndWait(server);
    for (const ending of await Promise.all(workers)) {
      assert(!(ending instanceof GameSparksServiceException), `refused instead of killed: ${ending}`);
    }

    server = await place.serve(['--demo', ...LIMITS]);
    const found = await listSettled(server.sdk());
    for (const name of acknowledged.present) assert.equal(found.get(name) !== undefined, true, `${name} is lost`);
    for (const name of acknowledged.gone) assert.equal(found.has(name), false, `${name} is back`);
    const again = await server.connect({ token });
    assert.equal(again.playerId, player.playerId);
  }
  await killAndWait(server);
  const database = new Libsql(join(server.dataDir, 'respark.sqlite'));
  t.after(() => database.close());
  assert.deepEqual(database.prepare('PRAGMA integrity_check').all(), [{ integrity_check: 'ok' }]);
});

/** Most bytes that one player had not read when this was last asked. */
async function waitingBytes({ url }: RunningServer): Promise<number> {
  const text = await (await fetch(`${url}/metrics`)).text();
  return Number(/^respark_outbox_high_water_bytes (\d+)$/m.exec(text)?.[1]);
}

test('a deletion that kill -9 cut in half is finished by the next server', async (t) => {
  const place = createWorkplace(t);
  // A player who does not read holds up the deletion of the stage.
  const patient = ['--close-flush-ms', '30000', '--disconnect-deadline-ms', '60000'];
  const flood = [
    ...['--messages-per-second', '1000000', '--messages-burst', '1000000'],
    ...['--messages-per-second-per-address', '1000000', '--messages-burst-per-address', '1000000'],
    '--max-requests-in-flight',
    '10000',
    ...['--bytes-burst', '100000000', '--bytes-burst-per-address', '100000000'],
  ];
  const first = await place.serve(['--demo', '--max-outbox-bytes', '67108864', ...patient, ...flood]);
  const sdk = first.sdk({ maxAttempts: 1 });
  const stage = { GameName: 'Demo', StageName: 'Doomed' };
  const { Stage } = await sdk.send(new CreateStageCommand({ ...stage, Role: ROLE }));
  const player = await first.connect({ gameKey: String(Stage?.GameKey) });
  const token = await player.token();
  player.ws.pause();
  // The answers repeat the id and some of the type, and are more than the kernel's buffers hold.
  for (let sent = 0; sent < 50_000; sent += 1) player.request(String(sent).padStart(32, '0'), 'x'.repeat(100));
  // They never would if the answers fitted into the kernel's buffers.
  await until(async () => (await waitingBytes(first)) > 1_000_000);

  const deleting = assert.rejects(sdk.send(new DeleteStageCommand(stage)));
  await until(async () => (await sdk.send(new GetStageCommand(stage))).Stage?.State === 'DELETING');
  await killAndWait(first);
  await deleting;

  const second = await place.serve(['--demo']);
  assert.deepEqual([...(await listSettled(second.sdk())).keys()], ['Demo', 'Demo/Dev']);
  await assert.rejects(second.connect({ gameKey: String(Stage?.GameKey), token }), /closed with 450\d/);
  // The name is free again, and its new stage knows nothing of the old one.
  const { Stage: fresh } = await second.sdk().send(new CreateStageCommand({ ...stage, Role: ROLE }));
  assert.notEqual(fresh?.GameKey, Stage?.GameKey);
  await assert.rejects(second.connect({ gameKey: String(fresh?.GameKey), token }), /closed with 4503/);
});

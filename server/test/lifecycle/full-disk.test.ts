import assert from 'node:assert/strict';
import { existsSync, statSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import {
  CreateGameCommand,
  DeleteGameCommand,
  DisconnectPlayerCommand,
  GetGameCommand,
  ListGamesCommand,
} from '@aws-sdk/client-gamesparks';
import { readAudit } from '../support/administration.ts';
import { createWorkplace } from '../support/process.ts';
import { until } from '../support/server.ts';
import { mountSmallDisk, whyNoSmallDisk } from '../support/small-disk.ts';

const NO_LIMITS = ['write-calls-per-second', 'write-calls-burst', 'max-games'].flatMap((name) => [
  `--${name}`,
  '100000',
]);
const skip = whyNoSmallDisk();

test('on a full disk players are disconnected, on record, and all works again when there is room', {
  skip,
}, async (t) => {
  const disk = mountSmallDisk(t, 32);
  const dataDir = join(disk.path, 'data');
  const server = await createWorkplace(t).serve(['--demo', '--data-dir', dataDir, ...NO_LIMITS]);
  const sdk = server.sdk({ maxAttempts: 1 });
  await sdk.send(new CreateGameCommand({ GameName: 'Doomed' }));
  const player = await server.connect();
  const reserve = join(dataDir, 'reserve');
  assert(existsSync(reserve));
  disk.fill();

  // The first changes may still find room in files that are there already.
  const refusals: string[] = [];
  for (let number = 0; refusals.length === 0 || existsSync(reserve); number += 1) {
    const Description = 'x'.repeat(200);
    await sdk.send(new CreateGameCommand({ GameName: `G${number}`, Description })).catch(({ name, message }) => {
      assert.equal(name, 'InternalServerException');
      refusals.push(message);
    });
    assert(number < 9_000, 'the disk is full by now');
  }
  for (const message of refusals) assert.match(message, /disk (?:of the server )?is full/);
  await assert.rejects(sdk.send(new CreateGameCommand({ GameName: 'Refused' })), {
    name: 'InternalServerException',
    message: /^The disk of the server is full, so nothing was done: .*Make room, and try again\.$/,
  });

  const stage = { GameName: 'Demo', StageName: 'Dev' };
  const answer = await sdk.send(new DisconnectPlayerCommand({ ...stage, PlayerId: player.playerId }));
  assert.deepEqual([answer.DisconnectSuccesses, answer.DisconnectFailures], [[player.connectionId], []]);
  assert.equal((await player.closed).code, 4500);
  // More than a few a second are throttled, so that what is held back lasts.
  for (let call = 0; call < 15; call += 1) {
    await sdk.send(new DisconnectPlayerCommand({ ...stage, PlayerId: `nobody-${call}` }));
  }
  await sdk.send(new DeleteGameCommand({ GameName: 'Doomed' }));
  assert.equal((await sdk.send(new GetGameCommand({ GameName: 'Demo' }))).Game?.Name, 'Demo');
  const again = await server.connect();
  assert.notEqual(again.connectionId, player.connectionId);
  const metrics = async () => await (await fetch(`${server.url}/metrics`)).text();
  assert.match(await metrics(), /^respark_data_full 1$/m);
  assert.match(await metrics(), /^respark_data_free_bytes \d+$/m);

  disk.empty();
  // The next look for room is within a second.
  await until(async () => /^respark_data_full 0$/m.test(await metrics()));
  assert(existsSync(reserve));
  await sdk.send(new CreateGameCommand({ GameName: 'Later' }));
  const records = await readAudit({ dataDir }, { operation: 'DisconnectPlayer' });
  assert.equal(records.length, 16);
  assert.deepEqual(records[0]?.outcome?.successes, [player.connectionId]);
  for (const { outcome } of records) assert.equal(outcome?.error, undefined);
  assert.match(server.err(), /"msg":"the disk is full: until there is room, only changes that end something are made"/);
  assert.match(server.err(), /"msg":"the disk has room again: all changes are made"/);
});

test('a server starts on a full disk by its reserve, and disconnects players', { skip }, async (t) => {
  const disk = mountSmallDisk(t, 32);
  const place = createWorkplace(t);
  const args = ['--demo', '--data-dir', join(disk.path, 'data')];
  const first = await place.serve(args);
  first.child.kill('SIGKILL');
  await first.ended();
  disk.fill();
  const server = await place.serve(args);
  const sdk = server.sdk({ maxAttempts: 1 });
  const player = await server.connect();
  const call = { GameName: 'Demo', StageName: 'Dev', PlayerId: player.playerId };
  const answer = await sdk.send(new DisconnectPlayerCommand(call));
  assert.deepEqual(answer.DisconnectSuccesses, [player.connectionId]);
  await assert.rejects(sdk.send(new CreateGameCommand({ GameName: 'Refused' })), { name: 'InternalServerException' });
  assert.equal((await sdk.send(new ListGamesCommand({}))).Games?.length, 1);
});

test('a server starts by its reserve too where the disk has room for a part of the start', { skip }, async (t) => {
  const disk = mountSmallDisk(t, 32);
  const place = createWorkplace(t);
  const args = ['--demo', '--data-dir', join(disk.path, 'data')];
  const first = await place.serve(args);
  first.child.kill('SIGKILL');
  await first.ended();
  disk.fill();
  const filling = join(disk.path, 'filling');
  truncateSync(filling, statSync(filling).size - 102_400);
  const server = await place.serve(args);
  const call = { GameName: 'Demo', StageName: 'Dev', PlayerId: (await server.connect()).playerId };
  const answer = await server.sdk({ maxAttempts: 1 }).send(new DisconnectPlayerCommand(call));
  assert.equal(answer.DisconnectSuccesses?.length, 1);
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readAudit } from '../support/administration.ts';
import { deployKeeping, KEPT, KEPT_BYTES, play } from '../support/kept-data.ts';
import { GAME, ROOT, STAGE, startTestServer } from '../support/server.ts';
import { createTestWorld } from '../support/world.ts';

test('what is kept about a player is shown and deleted by a command, which asks first on a terminal', async (t) => {
  const server = await startTestServer(t);
  await deployKeeping(server);
  const player = await server.connect();
  const id = player.playerId;
  const place = ['--game', GAME, '--stage', STAGE, '--player', id];
  const run = async (args: readonly string[], { isTTY = false, stdin = '' } = {}) => {
    const world = createTestWorld({ isTTY, local: { root: ROOT, url: server.url } });
    world.stdin.end(stdin);
    const exitCode = await world.run('player-data', ...args);
    return { exitCode, out: world.out(), err: world.err() };
  };
  const get = async (...more: string[]) => (await run(['get', ...place, ...more])).out;
  assert.equal(await get(), `nothing is kept about player ${id}\n`);
  await play(player, 'Keep');
  const room = KEPT_BYTES + 3 * 128;
  assert.equal(
    await get(),
    [
      'KEY      VALUE',
      'a "key"  {"list":[1.5,null,true]}',
      'level    7',
      'name     "Zoë"',
      `keys: 3; bytes: ${KEPT_BYTES}; of the room of the stage: ${room}\n`,
    ].join('\n'),
  );
  const { Version, ...printed } = JSON.parse(await get('--json'));
  assert.equal(typeof Version, 'number');
  assert.deepEqual(printed, { Keys: 3, Bytes: KEPT_BYTES, ChargedBytes: room, Values: KEPT });

  for (const stdin of ['', 'n\n', '\n']) {
    const { exitCode, out, err } = await run(['delete', ...place], { isTTY: true, stdin });
    assert.deepEqual([exitCode, out], [1, '']);
    assert.match(
      err,
      new RegExp(`^Everything that scripts keep about player ${id} in stage Dev of game Demo is deleted`),
    );
    assert.match(err, /block the player first, or disconnect them/);
    assert.match(err, /Delete it\? \[y\/N\] \n?nothing was deleted\n$/);
  }
  assert.deepEqual(await readAudit(server, { operation: 'DeletePlayerData' }), []);
  const said = await run(['delete', ...place], { isTTY: true, stdin: 'y\n' });
  assert.deepEqual([said.exitCode, said.out], [0, `deleted 3 keys with ${KEPT_BYTES} bytes\n`]);
  const unasked = await run(['delete', ...place, '--yes'], { isTTY: true });
  assert.deepEqual(unasked, { exitCode: 0, out: `nothing was kept about player ${id}\n`, err: '' });
  await play(player, 'Keep');
  const script = await run(['delete', ...place, '--json']);
  assert.deepEqual(
    [script.exitCode, JSON.parse(script.out), script.err],
    [0, { DeletedBytes: KEPT_BYTES, DeletedKeys: 3, FreedBytes: room }, ''],
  );
  assert.equal((await readAudit(server, { operation: 'DeletePlayerData' })).length, 3);
  const nowhere = await run(['get', '--game', GAME, '--stage', 'Nowhere', '--player', id]);
  assert.deepEqual([nowhere.exitCode, nowhere.out], [1, '']);
  assert.match(nowhere.err, /^ResourceNotFoundException: /);
});

test('all pages of much data are printed', async (t) => {
  const server = await startTestServer(t);
  await deployKeeping(server);
  const player = await server.connect();
  await play(player, 'Fill');
  const world = createTestWorld({ local: { root: ROOT, url: server.url } });
  const args = ['--game', GAME, '--stage', STAGE, '--player', player.playerId, '--json'];
  assert.equal(await world.run('player-data', 'get', ...args), 0, world.err());
  const { Keys, Values } = JSON.parse(world.out());
  assert.deepEqual([Keys, Object.keys(Values).length], [60, 60]);
  assert.ok(
    server.logged.filter(({ operation, msg }) => operation === 'GetPlayerData' && msg === 'request answered').length >=
      4,
  );
});

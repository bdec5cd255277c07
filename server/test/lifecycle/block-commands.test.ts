import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createWorkplace } from '../support/process.ts';
import { GAME, STAGE } from '../support/server.ts';

const DEMO = ['--game', GAME, '--stage', STAGE];

test('a player is blocked, listed and let in again by commands', async (t) => {
  const place = createWorkplace(t);
  const server = await place.serve(['--demo']);
  const player = await server.connect();
  const token = await player.token();
  const who = ['--player', player.playerId];
  const run = async (...args: string[]) => {
    const { exitCode, stdout, stderr } = await place.respark(args);
    assert.deepEqual([exitCode, stderr], [0, ''], args.join(' '));
    return stdout;
  };
  const blocked = await run('block', ...DEMO, ...who, '--for', '2h', '--reason', 'cheating', '--message', 'Bye');
  assert.match(blocked, new RegExp(`^blocked player ${player.playerId} until \\S+; closed 1 of their connections\\n$`));
  await assert.rejects(server.connect({ token }), /4510 Bye; until=\d+/);
  assert.match(await run('blocks', ...DEMO), new RegExp(`^PLAYER .*\\n${player.playerId} +Dev +\\S+ +cheating`));
  assert.equal(JSON.parse(await run('blocks', '--game', GAME, '--json')).Blocks.length, 1);
  assert.match(
    await run('blocks', ...DEMO, ...who),
    new RegExp(`^PLAYER .*\\n${player.playerId} +Dev +\\S+ +cheating`),
  );
  const inGame = await place.respark(['blocks', '--game', GAME, ...who]);
  assert.deepEqual([inGame.exitCode, inGame.stdout], [1, '']);
  assert.match(inGame.stderr, /^ResourceNotFoundException: /);
  assert.equal(await run('unblock', ...DEMO, ...who), `player ${player.playerId} may connect again\n`);
  assert.equal(await run('unblock', '--game', GAME, ...who), `player ${player.playerId} was not blocked\n`);
  assert.equal(await run('blocks', ...DEMO), 'nobody is blocked\n');
  await server.connect({ token });
  assert.match(await run('revoke-tokens', ...DEMO, ...who), /are refused\n$/);
  await assert.rejects(server.connect({ token }), /4503/);
});

test('a stage is closed and opened by commands', async (t) => {
  const place = createWorkplace(t);
  const server = await place.serve(['--demo']);
  const player = await server.connect();
  const run = async (...args: string[]) => (await place.respark(['maintenance', ...args])).stdout;
  assert.equal(await run('status', ...DEMO), 'stage Dev is open\n');
  assert.match(
    await run('on', ...DEMO, '--for', '30m', '--send-away'),
    /^stage Dev is closed to newcomers until \S+; 1 connection was there and is sent away\n$/,
  );
  assert.equal((await player.closed).code, 4000);
  await assert.rejects(server.connect(), /4007/);
  assert.equal(await run('off', ...DEMO), 'stage Dev is open again\n');
  await server.connect();
});

test('times that are none are refused before anything is called', async (t) => {
  const place = createWorkplace(t);
  const env = { AWS_ACCESS_KEY_ID: 'A', AWS_SECRET_ACCESS_KEY: 'S', AWS_ENDPOINT_URL: 'http://127.0.0.1:1' };
  for (const wrong of [
    ['--for', 'soon'],
    ['--for', '0h'],
    ['--until', 'tomorrow'],
    ['--until', '2100-02-29'],
    ['--for', '1h', '--until', '2030-01-01'],
  ]) {
    const { exitCode, stderr } = await place.respark(['block', ...DEMO, '--player', 'p', ...wrong], { env });
    assert.equal(exitCode, 2, wrong.join(' '));
    assert.match(stderr, /^--(for|until) /, wrong.join(' '));
  }
});

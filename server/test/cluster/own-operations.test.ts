import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startCluster, whyNoCluster } from '../support/cluster.ts';
import { drainLast, playEveryOwnOperation } from '../support/every-own-operation.ts';
import { usePostgres } from '../support/postgres.ts';
import type { RunningServer } from '../support/process.ts';

const postgres = usePostgres();

const CONFIRM = { Effect: 'Allow', Action: 'respark:ConfirmDisconnectJob', Resource: '*' };

test('what one node is told, by a call or by a command, the others do: every operation of its own', {
  skip: whyNoCluster,
}, async (t) => {
  const cluster = await startCluster(t, postgres, 3, { RESPARK_WEBHOOK_PRIVATE_HOSTS: '127.0.0.1' });
  await cluster.untilReady();
  const [first, second, third] = cluster.nodes as [RunningServer, RunningServer, RunningServer];
  const player = await second.connect();
  const token = await player.token();
  const demo = ['--game', 'Demo', '--stage', 'Dev'];
  const ran = await cluster.run(first, 'block', ...demo, '--player', player.playerId);
  assert.deepEqual([ran.exitCode, ran.stderr], [0, '']);
  assert.equal((await player.closed).code, 4510);
  await assert.rejects(third.connect({ token }), /4510/);
  assert.equal((await cluster.run(third, 'unblock', ...demo, '--player', player.playerId)).exitCode, 0);
  const kick = ['kick', ...demo, '--player', player.playerId, '--block', '2h', '--reason', 'AFK', '--json'];
  const back = await second.connect({ token });
  const kicked = JSON.parse((await cluster.run(first, ...kick)).stdout);
  assert.deepEqual([kicked.Blocked, kicked.Connections[0].Proof], [true, 'CLOSE_FRAME_ACCEPTED']);
  assert.match(kicked.Receipt, /^ey/);
  assert.equal((await back.closed).code, 4510);
  await assert.rejects(third.connect({ token }), /4510/);
  assert.equal((await cluster.run(third, 'unblock', ...demo, '--player', player.playerId)).exitCode, 0);
  const again = await second.connect({ token });
  assert.equal((await cluster.run(first, 'maintenance', 'on', ...demo, '--send-away')).exitCode, 0);
  assert.equal((await again.closed).code, 4000);
  await assert.rejects(third.connect({ token }), /4007/);
  assert.equal((await cluster.run(second, 'maintenance', 'off', ...demo)).exitCode, 0);
  const last = await third.connect({ token });
  assert.equal((await cluster.run(first, 'revoke-tokens', ...demo, '--player', player.playerId)).exitCode, 0);
  assert.equal((await last.closed).code, 4500);
  await assert.rejects(second.connect({ token }), /4503/);

  const { nodes } = cluster;
  const parts = { nodes, credentials: first.credentials, second: await cluster.createKey([CONFIRM]) };
  await Promise.all((['calls', 'commands'] as const).map((way) => playEveryOwnOperation(t, { ...parts, way })));
  await drainLast({ ...parts, way: 'calls' });
  assert.equal((await third.ended()).exitCode, 0);
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openGateway, rest } from '../../test/support/gateway.ts';

const REQUEST = { stageId: 'stage-1', type: 'Custom.Game.Starts', payload: {}, isDryRun: false };

test('a notification to a stage is written in slices, between which other work has its turn', async () => {
  const { clock, cluster, connect } = openGateway();
  const players: Awaited<ReturnType<typeof connect>>[] = [];
  for (let count = 0; count < 250; count += 1) players.push(await connect(`player-${count}`));
  const written = () =>
    players.filter(({ socket }) => socket.did.some((what) => what.endsWith(' notification'))).length;
  const replied = cluster.request(cluster.node, 'notify_stage', REQUEST, 15_000);
  const seen: number[] = [];
  for (let slice = 0; slice < 3; slice += 1) {
    await rest();
    seen.push(written());
    clock.advance(1);
  }
  assert.deepEqual(seen, [100, 200, 250]);
  assert.deepEqual(await replied, { reached: 250 });
});

test('only who is welcomed, there and of this stage is counted and written to', async () => {
  const { cluster, connect, gateway } = openGateway();
  const here = await connect('here');
  const gone = await connect('gone');
  gateway.close(gone.connection, 'normal');
  const slow = await connect('slow');
  slow.socket.bufferedBytes = 1_000_000_000;
  const ask = (request: object) => cluster.request(cluster.node, 'notify_stage', { ...REQUEST, ...request }, 15_000);
  assert.deepEqual(await ask({ stageId: 'stage-2' }), { reached: 0 });
  assert.deepEqual(await ask({ isDryRun: true }), { reached: 2 });
  assert.deepEqual(here.socket.did, ['0 welcome']);
  assert.deepEqual(await ask({}), { reached: 1 });
  assert.deepEqual(here.socket.did, ['0 welcome', '0 notification']);
  assert.match(slow.socket.did.at(-1) ?? '', /close 4001/);
});

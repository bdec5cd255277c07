import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openGateway, rest } from '../../test/support/gateway.ts';
import type { Connection } from './connection.ts';

async function openWith(players: number) {
  const opened = openGateway();
  const connections: Connection[] = [];
  for (let count = 0; count < players; count += 1) {
    connections.push((await opened.connect(`player-${count}`)).connection);
  }
  const stopped = () => connections.filter(({ isStopped }) => isStopped).length;
  /** Lets time pass until nothing changes any more, and gives how many were stopped each millisecond. */
  const steps = async () => {
    const counts: number[] = [];
    for (let before = 0, idle = 0; idle < 3; before = stopped()) {
      await rest();
      idle = stopped() === before ? idle + 1 : 0;
      if (stopped() > before) counts.push(stopped() - before);
      opened.clock.advance(1);
    }
    return counts;
  };
  return { ...opened, steps, stopped };
}

for (const kind of ['close_stage', 'send_away'] as const) {
  test(`${kind} ends the connections of a stage a few at a time`, async () => {
    const { cluster, steps, stopped } = await openWith(50);
    const answered = cluster.request(cluster.node, kind, { stageId: 'stage-1' }, 5_000);
    assert.deepEqual(await steps(), [8, 8, 8, 8, 8, 8, 2]);
    assert.deepEqual(await answered, {});
    assert.equal(stopped(), 50);
  });

  test(`${kind} fails with the first end that does, and ends all others`, async () => {
    const { cluster, steps, stopped } = await openWith(50);
    const { unregister } = cluster;
    let calls = 0;
    Object.assign(cluster, {
      unregister(...parameters: Parameters<typeof unregister>) {
        calls += 1;
        if (calls === 1) throw new Error('the directory is away');
        return unregister.apply(cluster, parameters);
      },
    });
    const refused = assert.rejects(
      async () => await cluster.request(cluster.node, kind, { stageId: 'stage-1' }, 5_000),
      /the directory is away/,
    );
    await steps();
    await refused;
    assert.equal(stopped(), 50);
  });
}

test('what is asked for again while it is under way comes after it, and finds what has come since', async () => {
  const { cluster, steps, connect } = await openWith(50);
  const ask = () => cluster.request(cluster.node, 'send_away', { stageId: 'stage-1' }, 5_000);
  const [first, second] = [ask(), ask()];
  const { connection } = await connect('late');
  assert.deepEqual(await steps(), [8, 8, 8, 8, 8, 8, 2]);
  await Promise.all([first, second]);
  assert.equal(connection.isStopped, true);
});

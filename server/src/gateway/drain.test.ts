import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openGateway, rest } from '../../test/support/gateway.ts';
import type { Connection } from './connection.ts';

async function openWith(t: { players: number; rate: number }) {
  const opened = openGateway({ settings: { drainConnectionsPerSecond: t.rate } });
  const connections: Connection[] = [];
  for (let count = 0; count < t.players; count += 1) {
    connections.push((await opened.connect(`player-${count}`)).connection);
  }
  return { ...opened, stopped: () => connections.filter(({ isStopped }) => isStopped).length };
}

test('a draining node sends all its players away at once unless a rate is set', async () => {
  const { gateway, stopped } = await openWith({ players: 20, rate: 0 });
  void gateway.drain(10_000);
  assert.equal(stopped(), 20);
});

test('a draining node that sends away hundreds at once lets other work have its turn meanwhile', async () => {
  const { gateway, clock, stopped } = await openWith({ players: 250, rate: 0 });
  void gateway.drain(10_000);
  assert.equal(stopped(), 100);
  for (let turn = 0; turn < 2; turn += 1) {
    clock.advance(1);
    await rest();
  }
  assert.equal(stopped(), 250);
});

for (const [rate, after300ms] of [
  [50, 20],
  [2, 1],
] as const) {
  test(`at ${rate} per second, players are sent away a few at a time`, async () => {
    const { gateway, clock, stopped } = await openWith({ players: 40, rate });
    void gateway.drain(10_000);
    for (let step = 0; step < 3; step += 1) {
      clock.advance(100);
      await rest();
    }
    assert.equal(stopped(), after300ms);
  });
}

test('when the time is over, the players who are left are cut off all the same', async () => {
  const { gateway, clock, stopped } = await openWith({ players: 20, rate: 1 });
  const drained = gateway.drain(500);
  clock.advance(500);
  await drained;
  assert.equal(stopped(), 20);
});

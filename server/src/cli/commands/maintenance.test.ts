import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type FakeReply, refusal, SILENCE, startFakeService } from '../../../test/support/fake-service.ts';

const ON = ['maintenance', 'on', '--game', 'Demo', '--stage', 'Dev'];
const CLOSED: FakeReply = { body: { Closure: { Reason: 'UPDATE' } } };

for (const [what, count, said] of [
  [
    'how many',
    { body: { Connections: 12, Nodes: [], Players: 9, Runtimes: [] } },
    '12 connections were there and are sent away',
  ],
  [
    'that the server could not say how many',
    refusal('AccessDeniedException', 'no', 403),
    'all who were there are sent away, and the server could not say how many that is',
  ],
] as const) {
  test(`whoever sends all away with a closure is told ${what} that are`, async (t) => {
    const { world, requests } = await startFakeService(t, ({ method }) => (method === 'GET' ? count : CLOSED));
    assert.equal(await world.run(...ON, '--send-away'), 0, world.err());
    assert.equal(world.out(), `stage Dev is closed to newcomers; ${said}\n`);
    assert.deepEqual(JSON.parse(requests.at(-1)?.body ?? ''), { SendAway: true });
  });
}

test('a stage is closed soon, also when nobody says how many that sends away', async (t) => {
  const { world } = await startFakeService(t, ({ method }) => (method === 'GET' ? SILENCE : CLOSED));
  const begun = performance.now();
  assert.equal(await world.run(...ON, '--send-away'), 0, world.err());
  assert.match(world.out(), /closed to newcomers; all who were there are sent away, and the server could not say/);
  assert.ok(performance.now() - begun < 15_000);
});

test('nobody is counted where nobody is sent away', async (t) => {
  const { world, requests } = await startFakeService(t, () => CLOSED);
  assert.equal(await world.run(...ON), 0, world.err());
  assert.equal(world.out(), 'stage Dev is closed to newcomers\n');
  assert.equal(requests.length, 1);
});

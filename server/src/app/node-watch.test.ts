import assert from 'node:assert/strict';
import { test } from 'node:test';
import { recordedLog } from '../../test/support/domain.ts';
import { rest } from '../../test/support/gateway.ts';
import { ManualClock } from '../../test/support/manual-clock.ts';
import type { NodeRecord } from '../cluster/cluster.ts';
import { watchNodes } from './node-watch.ts';

test('nodes that take calls are counted, and one with other settings or another database is warned of once', async (t) => {
  const clock = new ManualClock();
  const { log, lines } = recordedLog();
  const own = { version: '1', role: 'both', settings: 'same', database: 'one' } as const;
  const known: NodeRecord[] = [
    { node: 'own', facts: own },
    { node: 'gateway', facts: { ...own, role: 'gateway' } },
    { node: 'management', facts: { ...own, role: 'management' } },
    { node: 'strange', facts: { ...own, settings: 'others' } },
    { node: 'elsewhere', facts: { ...own, database: 'two' } },
    { node: 'of an earlier version', facts: { version: '0', role: 'both', settings: 'same' } },
  ];
  let isAway = false;
  const nodes = async () => {
    if (isAway) throw new Error('the directory is away');
    return known;
  };
  const watch = watchNodes({ cluster: { node: 'own', joinedNodes: nodes }, own, clock, log });
  t.after(() => watch.close());
  assert.equal(watch.managementNodes, 1);
  for (let time = 0; time < 3; time += 1) {
    clock.advance(5_000);
    await rest();
  }
  assert.equal(watch.managementNodes, 5);
  assert.deepEqual(
    lines.map(({ level, node }) => [level, node]),
    [
      [40, 'strange'],
      [50, 'elsewhere'],
    ],
  );
  isAway = true;
  clock.advance(5_000);
  await rest();
  assert.equal(watch.managementNodes, 5);
});

test('a server that uses the database and stays away from the directory is an error in the log, once', async (t) => {
  const clock = new ManualClock();
  const { log, lines } = recordedLog();
  const own = { version: '1', role: 'both', settings: 'same', database: 'one' } as const;
  const nodes = async () => ['own', 'other'].map((node) => ({ node, facts: own }));
  let servers = 2;
  const watch = watchNodes({
    cluster: { node: 'own', joinedNodes: nodes },
    own,
    countServers: async () => servers,
    clock,
    log,
  });
  t.after(() => watch.close());
  const pass = async (looks: number) => {
    for (let look = 0; look < looks; look += 1) {
      clock.advance(5_000);
      await rest();
    }
  };
  await pass(20);
  servers = 3;
  await pass(11);
  servers = 2;
  await pass(1);
  assert.deepEqual(lines, [], 'a server that starts or stops is there for less than a minute');
  servers = 3;
  await pass(30);
  assert.deepEqual(
    lines.map(({ level, servers, nodes }) => [level, servers, nodes]),
    [[50, 3, 2]],
  );
});

test('a clock that is not that of the database is an error in the log, once until it is in time again', async (t) => {
  const clock = new ManualClock();
  const { log, lines } = recordedLog();
  const own = { version: '1', role: 'both', settings: 'same', database: 'one' } as const;
  // The directory may be away meanwhile.
  const nodes = () => Promise.reject(new Error('the directory is away'));
  let behindMs = 59_000;
  let takesMs = 0;
  const databaseTime = async () => {
    const said = clock.now() - behindMs;
    if (takesMs > 0) clock.holdUp(takesMs);
    return said;
  };
  const watch = watchNodes({ cluster: { node: 'own', joinedNodes: nodes }, own, databaseTime, clock, log });
  t.after(() => watch.close());
  const pass = async () => {
    for (let look = 0; look < 3; look += 1) {
      clock.advance(5_000);
      await rest();
    }
  };
  await pass();
  assert.deepEqual(lines, []);
  for (behindMs of [7_200_000, 0, -61_000]) await pass();
  [behindMs, takesMs] = [57_000, 5_000];
  await pass();
  assert.deepEqual(
    lines.map(({ level, aheadMs }) => [level, aheadMs]),
    [
      [50, 7_200_000],
      [50, -61_000],
    ],
  );
});

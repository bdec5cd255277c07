import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ROOT, startTestServer } from '../support/server.ts';
import { createTestWorld } from '../support/world.ts';

test('a single server is a cluster of one node, which lists itself and can be asked to drain', async (t) => {
  const server = await startTestServer(t);
  await server.connect();
  const world = createTestWorld({ local: { root: ROOT, url: server.url } });
  assert.equal(await world.run('nodes', '--json'), 0, world.err());
  const [node, ...others] = JSON.parse(world.out()).Nodes as Record<string, string>[];
  const { Id = '', Started = '', Machine, Version, ...rest } = node ?? {};
  assert.deepEqual(rest, { Role: 'both', State: 'SERVING', Url: server.url, Connections: 1 });
  assert.deepEqual([others, Number.isNaN(Date.parse(Started))], [[], false]);
  assert(Machine && Version);

  const table = createTestWorld({ local: { root: ROOT, url: server.url } });
  assert.equal(await table.run('nodes'), 0);
  const row = new RegExp(`^ID +ROLE +STATE .*\n${Id} +both +SERVING +1 +\\S+ +${server.url} +${Started} +\\S+\n$`);
  assert.match(table.out(), row);

  const wrong = createTestWorld({ local: { root: ROOT, url: server.url } });
  assert.equal(await wrong.run('drain', 'another'), 1);
  assert.match(wrong.err(), /ResourceNotFoundException.*there is no node "another": ListNodes shows/);
  const drain = createTestWorld({ local: { root: ROOT, url: server.url } });
  assert.equal(await drain.run('drain', Id), 0, drain.err());
  assert.match(drain.out(), /drains; "respark nodes" lists it until it has ended\n$/);
  await server.drainAsked;

  const audit = createTestWorld({ local: { root: ROOT, url: server.url } });
  assert.equal(await audit.run('audit', '--operation', 'DrainNode', '--json'), 0);
  const records: { resource: string; status: number }[] = JSON.parse(audit.out());
  assert.deepEqual(
    records.map(({ resource }) => resource),
    ['node/another', `node/${Id}`],
  );
});

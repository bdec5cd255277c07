import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { test } from 'node:test';
import { DisconnectPlayerCommand } from '@aws-sdk/client-gamesparks';
import { CLOSE_CODES, SUBPROTOCOL } from '@respark/protocol';
import { WebSocket } from 'ws';
import { CLUSTER_SCRIPT, processesIn, startClusterScript, whyNoClusterScript } from '../support/cluster-script.ts';
import { createWorkplace } from '../support/process.ts';
import { sayHello } from '../support/server.ts';

test('[haproxy] npm run cluster: a player on two nodes is disconnected by one call at a third, and nothing is left at the end', {
  skip: whyNoClusterScript,
}, async (t) => {
  const cluster = await startClusterScript(t);
  const connect = async (token?: string) => {
    const ws = new WebSocket(`${cluster.url.replace('http', 'ws')}/connect`, SUBPROTOCOL);
    t.after(() => ws.terminate());
    await once(ws, 'open');
    return await sayHello(ws, { gameKey: cluster.gameKey, ...(token === undefined ? {} : { token }) });
  };
  const alice = await connect();
  const elsewhere = await connect(await alice.token());
  assert.equal(alice.playerId, elsewhere.playerId);

  const [asked] = cluster.nodes;
  assert(asked !== undefined);
  const listed = await cluster.list(asked);
  assert.deepEqual(listed.map(({ Connections }) => Connections).sort(), [0, 1, 1]);
  const third = listed.find(({ Connections }) => Connections === 0)?.Url;
  const named = { GameName: 'Demo', StageName: 'Dev', PlayerId: alice.playerId };
  const { DisconnectSuccesses, DisconnectFailures } = await cluster.sdk(third).send(new DisconnectPlayerCommand(named));
  assert.deepEqual(DisconnectSuccesses?.sort(), [alice.connectionId, elsewhere.connectionId].sort());
  assert.deepEqual(DisconnectFailures, []);
  for (const { closed } of [alice, elsewhere]) assert.equal((await closed).code, CLOSE_CODES.disconnected.code);

  assert(processesIn(cluster.directory).length >= 6, 'three nodes, PostgreSQL, Redis and HAProxy are found');
  assert.equal((await cluster.stop()).exitCode, 0);
  assert.deepEqual(processesIn(cluster.directory), []);
  assert(!existsSync(cluster.directory));
});

test('npm run cluster says what it takes, and which packages are missing', async (t) => {
  const place = createWorkplace(t);
  const run = async (args: readonly string[], env = {}) =>
    await place.start([process.execPath, CLUSTER_SCRIPT, ...args], { env }).ended();
  const help = await run(['--help']);
  assert.equal(help.exitCode, 0);
  assert.match(help.stdout, /--nodes N/);
  const wrong = await run(['--nodes', '0']);
  assert.equal(wrong.exitCode, 2);
  assert.match(wrong.stderr, /^--nodes must be a number from 1 to 16, got "0"$/m);
  if (whyNoClusterScript === false) return;
  const { exitCode, stderr } = await run([], { PATH: '/nowhere' });
  assert.equal(exitCode, 1);
  assert.match(stderr, /^There is no .* On Debian: apt-get install \w+/m);
});

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { startCluster, until, whyNoCluster } from '../support/cluster.ts';
import { usePostgres } from '../support/postgres.ts';
import type { RunningServer } from '../support/process.ts';
import { rawCall } from '../support/raw-call.ts';

const postgres = usePostgres();

const PLACE = ['--game', 'Demo', '--stage', 'Dev'];
const JOBS = '/respark/game/Demo/stage/Dev/disconnect-job';

type Job = Readonly<Record<string, number | string>> & { readonly JobId: string };

describe('jobs on servers that share a Redis', { skip: whyNoCluster }, () => {
  test('a job ends those whom it means on every node, and goes on when the node that does the work is killed', async (t) => {
    const cluster = await startCluster(t, postgres, 3, { RESPARK_MAX_CONNECTIONS_PER_PLAYER: '50' });
    const [driver, other, third] = cluster.nodes as [RunningServer, RunningServer, RunningServer];
    await cluster.untilReady();
    const [here, there] = [await other.connect(), await third.connect()];
    const token = await here.token();
    const meant = await Promise.all(
      Array.from({ length: 24 }, async (_, number) => await (number % 2 === 0 ? other : third).connect({ token })),
    );
    const gone = await driver.connect({ token });
    void gone.closed;
    const call = async (node: RunningServer, method: string, path: string, body?: object) => {
      const { status, json, message } = await rawCall(node, method, `${JOBS}${path}`, {
        ...{ body, credentials: node.credentials },
      });
      assert.equal(status, 200, message);
      return json;
    };
    const Selector = { PlayerIds: [here.playerId] };
    const counted = await call(third, 'POST', '', { Selector, DryRun: true });
    assert.deepEqual([counted.Connections, counted.Players], [26, 3]);

    const begun = (await call(driver, 'POST', '', { Selector, RatePerSecond: 4, ReturnWithinSeconds: 60 })).Job as Job;
    const show = async () => (await call(third, 'GET', `/${begun.JobId}`)).Job as Job;
    await until(async () => Number((await show()).Closed) >= 4);
    driver.child.kill('SIGKILL');
    await driver.ended();
    await until(async () => (await show()).State !== 'IN_PROGRESS');
    const ended = await show();
    assert.equal(ended.State, 'COMPLETED', JSON.stringify(ended));
    // The connection of the node that was killed has ended with it, unless the job had come to it before.
    const total = Number(ended.Closed) + Number(ended.GoneAlready);
    assert.ok(total === 25 || total === 26, JSON.stringify(ended));
    for (const { closed } of [here, ...meant]) assert.equal((await closed).code, 4000);
    there.ws.send(JSON.stringify({ kind: 'heartbeat' }));
    await there.next(({ kind }) => kind === 'heartbeat');

    const listed = await cluster.run(other, 'jobs', 'list', ...PLACE);
    assert.match(listed.stdout, new RegExp(`${begun.JobId}\\s+COMPLETED`));
    const another = await cluster.run(other, 'jobs', 'start', ...PLACE, '--node', 'no-such-node');
    assert.match(another.stdout, /COMPLETED/, another.stderr);
    const all = await cluster.run(third, 'jobs', 'start', ...PLACE, '--everybody', '--json');
    assert.equal(all.exitCode, 0, all.stderr);
    const { State, Closed } = JSON.parse(all.stdout).Job;
    assert.deepEqual([State, Closed], ['COMPLETED', 1]);
    assert.equal((await there.closed).code, 4500);
  });

  test('a job leaves nobody out whose node has not come back to a Redis that has lost its memory', async (t) => {
    const times = { RESPARK_LEASE_MS: '20000', RESPARK_RECOVERY_MS: '20000' };
    const cluster = await startCluster(t, postgres, 2, times);
    const { redis } = cluster;
    const [one, other] = cluster.nodes as [RunningServer, RunningServer];
    await cluster.untilReady();
    const player = await other.connect();
    const start = async (more: object = {}) =>
      await rawCall(one, 'POST', JOBS, {
        ...{ body: { Selector: { Everybody: true }, ...more }, credentials: one.credentials },
      });
    assert.equal((await start({ DryRun: true })).json.Connections, 1);
    // It is held up for less than its lease, and its players stay connected.
    other.child.kill('SIGSTOP');
    t.after(() => other.child.kill('SIGCONT'));
    redis.command('FLUSHALL');
    await until(() => redis.command('--scan', '--pattern', '*:nodes') !== '');
    for (const more of [{ DryRun: true }, {}]) {
      const { status, message } = await start(more);
      assert.equal(status, 500, message);
    }
    other.child.kill('SIGCONT');
    await cluster.untilReady();
    player.ws.send(JSON.stringify({ kind: 'heartbeat' }));
    await player.next(({ kind }) => kind === 'heartbeat');
    const { status, json, message } = await start();
    assert.equal(status, 200, message);
    const { JobId } = json.Job as Job;
    const show = async () =>
      (await rawCall(one, 'GET', `${JOBS}/${JobId}`, { credentials: one.credentials })).json.Job as Job;
    await until(async () => (await show()).State === 'COMPLETED');
    assert.equal((await show()).Closed, 1);
    assert.equal((await player.closed).code, 4500);
  });
});

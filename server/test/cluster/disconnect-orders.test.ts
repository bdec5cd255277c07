import assert from 'node:assert/strict';
import { describe, type TestContext, test } from 'node:test';
import { CLOSE_CODES, FAREWELL } from '@respark/protocol';
import { startCluster, whyNoCluster } from '../support/cluster.ts';
import { usePostgres } from '../support/postgres.ts';
import type { RunningServer } from '../support/process.ts';

const postgres = usePostgres();

type Outcome = Readonly<Record<'Id' | 'Outcome' | 'Proof' | 'Node' | 'ClosedAt', string | undefined>>;

/** Three nodes, a player who is connected to each of the first two, and a kick by the third. */
async function open(t: TestContext) {
  const cluster = await startCluster(t, postgres, 3);
  const [one, other, third] = cluster.nodes as [RunningServer, RunningServer, RunningServer];
  await cluster.untilReady();
  const here = await one.connect();
  const there = await other.connect({ token: await here.token() });
  const who = ['--game', 'Demo', '--stage', 'Dev', '--player', here.playerId];
  return {
    ...{ one, other, here, there },
    status: () => cluster.status(other, here.playerId),
    async kick(...options: readonly string[]) {
      const { exitCode, stdout } = await cluster.run(third, 'kick', ...who, '--json', ...options);
      const reply = JSON.parse(stdout) as { OperationId: string; Connections: readonly Outcome[] };
      const outcomes = new Map(reply.Connections.map((outcome) => [outcome.Id, outcome]));
      return { exitCode, operationId: reply.OperationId, outcomes };
    },
  };
}

describe('an order to servers that share a Redis', { skip: whyNoCluster }, () => {
  test('reaches each owner, which tells its player why, and tells the caller how it knows', async (t) => {
    const { here, there, kick, status } = await open(t);
    const dry = await kick('--dry-run', '--reason', 'AFK');
    assert.deepEqual(
      [...dry.outcomes.values()].map(({ Id, Outcome }) => [Id, Outcome]),
      [here, there].map(({ connectionId }) => [connectionId, 'WOULD_CLOSE']),
    );
    assert.equal((await status()).length, 2);

    const one = await kick('--reason', 'AFK', '--message', 'Bye', '--connection', there.connectionId);
    assert.deepEqual([...one.outcomes.keys()], [there.connectionId]);
    assert.equal((await there.closed).code, CLOSE_CODES.disconnected.code);
    const payload = { reason: 'AFK', message: 'Bye', requestId: one.operationId };
    assert.deepEqual(there.frames.at(-1), { kind: 'notification', type: FAREWELL, payload });
    assert.deepEqual(await status(), [here.connectionId]);

    const rest = await kick();
    const { Outcome, Proof, Node, ClosedAt } = rest.outcomes.get(here.connectionId) ?? assert.fail('it has an outcome');
    assert.deepEqual([rest.exitCode, Outcome, Proof], [0, 'CLOSED', 'CLOSE_FRAME_ACCEPTED']);
    assert.notEqual(Node, one.outcomes.get(there.connectionId)?.Node);
    assert.ok(!Number.isNaN(Date.parse(ClosedAt ?? '')));
    assert.equal((await here.closed).code, CLOSE_CODES.disconnected.code);
    assert.ok(!here.frames.some(({ kind }) => kind === 'notification'));
  });

  test('is unproven for the connections of a killed node, and says so with its exit code', async (t) => {
    const { one, here, there, kick } = await open(t);
    one.child.kill('SIGKILL');
    await one.ended();
    const { exitCode, outcomes } = await kick('--reason', 'AFK');
    const found = [here, there].map(({ connectionId }) => {
      const { Outcome, Proof } = outcomes.get(connectionId) ?? assert.fail('it has an outcome');
      return [Outcome, Proof];
    });
    assert.deepEqual(found, [
      ['UNPROVEN', undefined],
      ['CLOSED', 'CLOSE_FRAME_ACCEPTED'],
    ]);
    assert.equal(exitCode, 1);
  });
});

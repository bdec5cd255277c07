import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  DisconnectPlayerCommand,
  type GameSparksClient,
  GetPlayerConnectionStatusCommand,
  ListGamesCommand,
} from '@aws-sdk/client-gamesparks';
import { ResparkClient } from '@respark/client';
import { until } from '../support/cluster.ts';
import { type ScriptedCluster, startClusterScript, whyNoClusterScript } from '../support/cluster-script.ts';

const PLAYERS = 30;
const CALL_EVERY_MS = 50;
const STAGE = { GameName: 'Demo', StageName: 'Dev' };

interface Tally {
  calls: number;
  readonly failures: { readonly name: string; readonly status: number | undefined }[];
}

/** Calls that read, change nothing, and disconnect nobody, at a steady rate until `stop` is called. */
function callSteadily(sdk: GameSparksClient, players: readonly ResparkClient[]) {
  const tally: Tally = { calls: 0, failures: [] };
  const running = new Set<Promise<void>>();
  const makers = [
    () => sdk.send(new ListGamesCommand({})),
    () => sdk.send(new DisconnectPlayerCommand({ ...STAGE, PlayerId: 'nobody' })),
    () => sdk.send(new GetPlayerConnectionStatusCommand({ ...STAGE, PlayerId: playerOf(players, tally.calls) })),
  ];
  const timer = setInterval(() => {
    const make = makers[tally.calls % makers.length];
    tally.calls += 1;
    const call = (async () => {
      try {
        await make?.();
      } catch (error) {
        const { name, $metadata } = error as { name: string; $metadata?: { httpStatusCode?: number } };
        tally.failures.push({ name, status: $metadata?.httpStatusCode });
      }
    })().finally(() => running.delete(call));
    running.add(call);
  }, CALL_EVERY_MS);
  return {
    tally,
    async stop() {
      clearInterval(timer);
      await Promise.all(running);
    },
  };
}

function playerOf(players: readonly ResparkClient[], index: number): string {
  return players[index % players.length]?.playerId ?? '';
}

/** Has a node drain as an operator does, and waits until what was started in its place serves. */
async function restart(cluster: ScriptedCluster, index: number): Promise<void> {
  const [node, other] = [cluster.nodes[index], cluster.nodes[(index + 1) % cluster.nodes.length]];
  assert(node !== undefined && other !== undefined);
  const before = (await cluster.list(other)).find(({ Url }) => Url === node.url)?.Id ?? '';
  const { exitCode, stderr } = await cluster.respark(other, 'drain', before);
  assert.equal(exitCode, 0, stderr);
  await until(async () => {
    const listed = await cluster.list(other);
    const isBack = listed.some(({ Id, Url, State }) => Url === node.url && Id !== before && State === 'SERVING');
    return isBack && !listed.some(({ Id }) => Id === before);
  });
}

test('[haproxy] a rolling restart: every player comes back, and no call fails but with an error that may be retried', {
  skip: whyNoClusterScript,
}, async (t) => {
  const cluster = await startClusterScript(t);
  const url = cluster.url.replace('http', 'ws');
  const players = Array.from({ length: PLAYERS }, () => new ResparkClient({ url, gameKey: cluster.gameKey }));
  t.after(() => Promise.all(players.map((player) => player.close())));
  const ends: string[] = [];
  await Promise.all(
    players.map(async (player) => {
      await player.connect();
      player.on('disconnect', ({ name, verdict }) => ends.push(`${name} ${verdict}`));
    }),
  );
  const [first] = cluster.nodes;
  assert(first !== undefined);
  const counts = (await cluster.list(first)).map(({ Connections }) => Connections);
  assert.deepEqual(counts, Array(3).fill(PLAYERS / 3), 'the players are spread over all nodes');

  const calls = callSteadily(cluster.sdk(), players);
  for (const index of cluster.nodes.keys()) await restart(cluster, index);
  await until(() => players.every(({ state }) => state === 'connected'));
  await calls.stop();

  assert(ends.length >= PLAYERS, `each player was moved at least once: ${ends.length}`);
  assert(ends.filter((end) => end === 'draining reconnect').length >= PLAYERS);
  // An attempt to come back may meet a node that is just stopping.
  for (const end of ends) assert.match(end, / reconnect$/);
  const { tally } = calls;
  assert(tally.calls > 100);
  t.diagnostic(`${tally.calls} calls, of which ${tally.failures.length} failed`);
  for (const { name, status } of tally.failures)
    assert([500, 502, 503, 504].includes(status ?? 0), `${name} ${status}`);
  for (const player of players) {
    const { Connections } = await cluster
      .sdk()
      .send(new GetPlayerConnectionStatusCommand({ ...STAGE, PlayerId: player.playerId ?? '' }));
    assert.deepEqual(
      Connections?.map(({ Id }) => Id),
      [player.connectionId],
    );
  }
});

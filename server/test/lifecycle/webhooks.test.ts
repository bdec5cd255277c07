import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DisconnectPlayerCommand } from '@aws-sdk/client-gamesparks';
import { EVERY_OPERATION } from '../../src/api/every-operation.ts';
import { ManagementClient } from '../../src/cli/management-client.ts';
import { createWorkplace, type RunningServer } from '../support/process.ts';
import type { TestPlayer } from '../support/server.ts';
import { type ReceivedEvent, startReceiver } from '../support/webhook-receiver.ts';

const ENV = {
  RESPARK_WEBHOOK_PRIVATE_HOSTS: '127.0.0.1',
  RESPARK_MAX_CONNECTIONS_PER_ADDRESS: '1000',
  RESPARK_HANDSHAKES_PER_SECOND: '10000',
  RESPARK_HANDSHAKES_PER_SECOND_PER_ADDRESS: '10000',
  RESPARK_DISCONNECT_CALLS_PER_SECOND: '10000',
  RESPARK_DISCONNECT_CALLS_BURST: '10000',
};

async function call(
  { url, credentials }: RunningServer,
  name: string,
  input: object,
): Promise<Record<string, unknown>> {
  const operation = EVERY_OPERATION.find((row) => row.name === name);
  assert(operation);
  const client = new ManagementClient({ endpoint: url, credentials, region: 'us-east-1' });
  return (await client.call(operation, { GameName: 'Demo', ...input })) as Record<string, unknown>;
}

const disconnect = (server: RunningServer, player: TestPlayer) =>
  server.sdk().send(new DisconnectPlayerCommand({ GameName: 'Demo', StageName: 'Dev', PlayerId: player.playerId }));

/** The events of each player, as `type connection`, in the order in which they came. */
function byPlayer(events: readonly ReceivedEvent[]): Map<string, string[]> {
  const found = new Map<string, string[]>();
  for (const { player, type, data } of events) {
    if (player === undefined || !type.startsWith('connection.')) continue;
    const known = found.get(player) ?? [];
    known.push(`${type} ${data.connectionId}`);
    found.set(player, known);
  }
  return found;
}

test('a receiver that is away while players come and go, and the server is killed, gets everything once it is back', async (t) => {
  const receiver = await startReceiver(t);
  const workplace = createWorkplace(t);
  const serve = () => workplace.serve(['--demo', '--data-dir', 'data'], { env: ENV });
  const first = await serve();
  const { Secret } = await call(first, 'CreateWebhook', { Url: receiver.url });
  receiver.trust(Secret as string);
  const early = await first.connect();
  await receiver.until((events) => events.length === 1);

  receiver.answer(503);
  const expected = new Map<string, string[]>([[early.playerId, [`connection.opened ${early.connectionId}`]]]);
  const note = ({ playerId, connectionId }: TestPlayer, type: string) =>
    expected.set(playerId, [...(expected.get(playerId) ?? []), `${type} ${connectionId}`]);
  /** A player who comes twice and is disconnected once. */
  async function play(server: RunningServer): Promise<void> {
    const player = await server.connect();
    note(player, 'connection.opened');
    const token = await player.token();
    await disconnect(server, player);
    note(player, 'connection.closed');
    await player.closed;
    note(await server.connect({ token }), 'connection.opened');
  }
  const playMany = async (server: RunningServer) => {
    for (let round = 0; round < 10; round += 1) await Promise.all(Array.from({ length: 10 }, () => play(server)));
  };
  await playMany(first);
  first.child.kill('SIGKILL');
  await first.ended();
  // All who were connected then have ended with the process.
  for (const [player, events] of expected) {
    const connection = String(events.at(-1)).split(' ')[1];
    expected.set(player, [...events, `connection.closed ${connection}`]);
  }
  const second = await serve();
  await playMany(second);
  receiver.answer(204);
  const total = [...expected.values()].flat().length;
  await receiver.until((events) => [...byPlayer(events).values()].flat().length >= total);
  assert.deepEqual(new Map([...byPlayer(receiver.events)].sort()), new Map([...expected].sort()));
  assert.deepEqual(receiver.forged, []);
  const ends = receiver.events.filter(({ type }) => type === 'connection.closed');
  const { code, close, reason } = ends.find(({ data }) => data.connectionId === early.connectionId)?.data ?? {};
  assert.deepEqual({ code, close, reason }, { code: 1006, close: 'node_ended', reason: 'node ended' });
  assert.equal(receiver.events.filter(({ type }) => type === 'player.disconnect_called').length, 200);
  second.child.kill('SIGTERM');
  assert.equal((await second.ended()).exitCode, 0);
});

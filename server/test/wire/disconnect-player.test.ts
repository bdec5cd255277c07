import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { Agent, type IncomingMessage, request } from 'node:http';
import { text } from 'node:stream/consumers';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import {
  DeleteStageCommand,
  DisconnectPlayerCommand,
  type GameSparksClient,
  GetPlayerConnectionStatusCommand,
} from '@aws-sdk/client-gamesparks';
import { parseCloseReason } from '@respark/protocol';
import { signRequest } from '../../src/api/signature/sigv4.ts';
import type { Settings } from '../../src/config/config.ts';
import { connectRawPlayer } from '../support/raw-player.ts';
import {
  assertNothingLeft,
  GAME,
  NO_SEND_LIMITS,
  ROOT,
  STAGE,
  startTestServer,
  type TestPlayer,
  type TestServer,
  until,
} from '../support/server.ts';
import { tlsFiles } from '../support/tls-files.ts';

/** A client's frame (RFC 6455, 5.2), masked with zeros. */
const CLOSE_4500 = Buffer.from([0x88, 0x82, 0, 0, 0, 0, 4500 >> 8, 4500 & 0xff]);

async function disconnect(sdk: GameSparksClient, playerId: string) {
  const { $metadata, ...answer } = await sdk.send(
    new DisconnectPlayerCommand({ GameName: GAME, StageName: STAGE, PlayerId: playerId }),
  );
  return { ...answer, requestId: $metadata.requestId };
}

async function statusOf(sdk: GameSparksClient, playerId: string): Promise<string[]> {
  const { Connections = [] } = await sdk.send(
    new GetPlayerConnectionStatusCommand({ GameName: GAME, StageName: STAGE, PlayerId: playerId }),
  );
  return Connections.map(({ Id }) => String(Id));
}

/** The same player again, on `count` more sockets. */
async function connectAgain(server: TestServer, first: TestPlayer, count: number): Promise<TestPlayer[]> {
  const token = await first.token();
  return await Promise.all(Array.from({ length: count }, () => server.connect({ token })));
}

/** Players on a TLS listener of their own; the management API stays where the AWS client trusts it. */
function tlsForPlayers(): Partial<Settings> {
  const { certFile, keyFile } = tlsFiles('first');
  return { playerPort: 0, playerTlsCertFile: certFile, playerTlsKeyFile: keyFile };
}

for (const transport of ['TCP', 'TLS'] as const) {
  const start = async (t: TestContext, settings: Partial<Settings> = {}) =>
    await startTestServer(t, { settings: { ...(transport === 'TLS' ? tlsForPlayers() : {}), ...settings } });

  test(`[ws] over ${transport}: every connection of the player ends with the reason, and nobody else's`, async (t) => {
    const server = await start(t);
    const first = await server.connect();
    const others = await connectAgain(server, first, 2);
    const bystander = await server.connect();
    const mine = [first, ...others];
    const ids = mine.map(({ connectionId }) => connectionId).sort();
    assert.deepEqual((await statusOf(server.sdk(), first.playerId)).sort(), ids);

    const answer = await disconnect(server.sdk(), first.playerId);
    assert.deepEqual([...(answer.DisconnectSuccesses ?? [])].sort(), ids);
    assert.deepEqual(answer.DisconnectFailures, []);
    assert.deepEqual(await statusOf(server.sdk(), first.playerId), []);
    for (const { code, reason } of await Promise.all(mine.map(({ closed }) => closed))) {
      assert.equal(code, 4500);
      assert.deepEqual(parseCloseReason(reason), {
        text: 'The operator disconnected this player.',
        requestId: answer.requestId,
      });
    }
    assert.deepEqual(await statusOf(server.sdk(), bystander.playerId), [bystander.connectionId]);
    await bystander.token();

    bystander.ws.close();
    await assertNothingLeft(server);
  });

  test(`[ws] over ${transport}: a player who stops reading behind a full buffer is a success, and cut off`, async (t) => {
    const server = await start(t, {
      ...NO_SEND_LIMITS,
      maxRequestsInFlight: 10_000,
      maxOutboxBytes: 64 * 1_048_576,
    });
    const player = await server.connect();
    player.ws.pause();
    // Each is answered with its type escaped twice: more than the kernel's buffers hold.
    const type = '\u0001'.repeat(128);
    for (let sent = 0; sent < 12_000; sent += 1) player.request(String(sent), type);
    await until(() => player.ws.bufferedAmount === 0 && (server.counts().outboxBytes ?? 0) > 1_048_576);

    const answer = await disconnect(server.sdk(), player.playerId);
    assert.deepEqual(answer.DisconnectSuccesses, [player.connectionId]);
    assert.deepEqual(answer.DisconnectFailures, []);
    assert.deepEqual(await statusOf(server.sdk(), player.playerId), []);
    await assertNothingLeft(server);
    player.ws.resume();
    assert.equal((await player.closed).code, 1006, 'the reason was lost with what was unsent');
  });

  test(`[ws] over ${transport}: a player who never answers the close frame is cut off after the grace`, async (t) => {
    const server = await start(t, { closeGraceMs: 100 });
    const silent = await connectRawPlayer(t, server);
    const answer = await disconnect(server.sdk(), silent.playerId);
    assert.deepEqual(answer.DisconnectFailures, []);
    assert.equal(answer.DisconnectSuccesses?.length, 1);
    await silent.gone;
    await assertNothingLeft(server);
  });
}

test('[ws] a player who has answered the close frame is gone, whether it ends its side or not', async (t) => {
  const server = await startTestServer(t, { settings: { closeGraceMs: 60_000 } });
  const player = await connectRawPlayer(t, server);
  let fault: Error | undefined;
  player.socket.on('error', (error) => {
    fault = error;
  });
  await disconnect(server.sdk(), player.playerId);
  await until(() => player.frames.at(-1) === undefined);
  player.socket.write(CLOSE_4500);
  await player.gone;
  assert.equal(fault, undefined, 'an end in order, not a reset');
  // Its socket is still half open here.
  await assertNothingLeft(server);
});

test('[ws] two calls at once both report the success', async (t) => {
  const server = await startTestServer(t);
  const first = await server.connect();
  await connectAgain(server, first, 2);
  const sdk = server.sdk();
  const answers = await Promise.all([disconnect(sdk, first.playerId), disconnect(sdk, first.playerId)]);
  const found = answers.map(({ DisconnectSuccesses = [] }) => DisconnectSuccesses.length);
  // The second may also come when everything is over: then it finds nothing.
  assert(found.includes(3) && found.every((count) => count === 3 || count === 0), String(found));
  for (const { DisconnectFailures } of answers) assert.deepEqual(DisconnectFailures, []);
  await assertNothingLeft(server);
});

test('[ws] a player who closes at the same moment is a success or gone, never a failure', async (t) => {
  const server = await startTestServer(t);
  const sdk = server.sdk();
  for (let round = 0; round < 50; round += 1) {
    const player = await server.connect();
    player.ws.close();
    const { DisconnectSuccesses = [], DisconnectFailures } = await disconnect(sdk, player.playerId);
    assert(DisconnectSuccesses.every((id) => id === player.connectionId));
    assert.deepEqual(DisconnectFailures, []);
    assert.deepEqual(await statusOf(sdk, player.playerId), []);
  }
  await assertNothingLeft(server);
});

test('[ws] what a player goes on sending after the call is neither handled nor answered', async (t) => {
  const server = await startTestServer(t, {
    settings: { ...NO_SEND_LIMITS },
  });
  const player = await connectRawPlayer(t, server);
  const send = () => player.send({ kind: 'request', id: '1', type: 'any', payload: {} });
  const sending = setInterval(send, 1);
  t.after(() => clearInterval(sending));
  await until(() => player.frames.length > 5);
  const { DisconnectSuccesses } = await disconnect(server.sdk(), player.playerId);
  assert.deepEqual(DisconnectSuccesses, [player.connectionId]);
  for (let late = 0; late < 100; late += 1) send();
  await player.gone;
  assert.equal(player.frames.at(-1), undefined, 'the close frame is the last thing that arrives');
  assert.equal(player.frames.filter((frame) => frame === undefined).length, 1);
  await assertNothingLeft(server);
});

test('[ws] a stopped client process is a success at once, and its socket goes with the grace', async (t) => {
  const server = await startTestServer(t, { settings: { closeGraceMs: 100 } });
  const player = await server.connect();
  const token = await player.token();
  const child = spawn(process.execPath, [fileURLToPath(new URL('../support/player-process.js', import.meta.url))], {
    env: { URL: server.playerUrl, GAME_KEY: server.gameKey, TOKEN: token },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  t.after(() => child.kill('SIGKILL'));
  await once(child.stdout, 'data');
  child.kill('SIGSTOP');
  const { DisconnectSuccesses, DisconnectFailures } = await disconnect(server.sdk(), player.playerId);
  assert.equal(DisconnectSuccesses?.length, 2);
  assert.deepEqual(DisconnectFailures, []);
  await assertNothingLeft(server);
});

test('[ws] deleting the stage closes its players, and the same name again inherits nobody', async (t) => {
  const server = await startTestServer(t);
  const sdk = server.sdk();
  const player = await server.connect();
  const token = await player.token();
  const [, answer] = await Promise.all([
    sdk.send(new DeleteStageCommand({ GameName: GAME, StageName: STAGE })),
    disconnect(sdk, player.playerId).catch((error: Error) => error),
  ]);
  assert([4500, 4507].includes((await player.closed).code));
  if (answer instanceof Error) assert.equal(answer.name, 'ResourceNotFoundException');
  await assert.rejects(server.connect({ token }), /closed with 450[27]/);
  await assertNothingLeft(server);
});

test('[ws] a disconnect that was under way when the drain began is answered truthfully', async (t) => {
  const server = await startTestServer(t);
  const player = await server.connect();
  // Its body is held back, so that it is in flight for as long as the test wants.
  const path = `/runtime/game/${GAME}/stage/${STAGE}/player/${player.playerId}/disconnect`;
  const headers = { ...signed(server, path, '{}'), expect: '100-continue' };
  const call = request(new URL(path, server.url), { method: 'POST', headers });
  call.flushHeaders();
  await once(call, 'continue');
  const drained = server.drain();
  assert.equal((await player.closed).code, 4000);
  call.end('{}');
  const [response] = (await once(call, 'response')) as [IncomingMessage];
  assert.equal(response.statusCode, 200);
  assert.deepEqual(JSON.parse(await text(response)), { DisconnectSuccesses: [], DisconnectFailures: [] });
  await drained;
  await assertNothingLeft(server);
});

function signed(server: TestServer, path: string, body: string): Record<string, string> {
  const url = new URL(path, server.url);
  const signature = signRequest({
    method: 'POST',
    url,
    body: Buffer.from(body),
    ...ROOT,
    region: 'us-east-1',
    nowMs: Date.now(),
  });
  return { ...signature, 'content-length': String(body.length) };
}

test('[ws] two thousand disconnects in a row, with players coming back all the time, leave nothing behind', async (t) => {
  const server = await startTestServer(t, {
    settings: {
      disconnectCallsPerSecond: 100_000,
      disconnectCallsBurst: 100_000,
      handshakesPerSecond: 100_000,
      handshakesPerSecondPerAddress: 100_000,
    },
  });
  const agent = new Agent({ keepAlive: true });
  t.after(() => agent.destroy());
  let closed = 0;
  const playOn = async () => {
    for (let round = 0; round < 250; round += 1) {
      const player = await server.connect();
      const path = `/runtime/game/${GAME}/stage/${STAGE}/player/${player.playerId}/disconnect`;
      const call = request(new URL(path, server.url), { method: 'POST', agent, headers: signed(server, path, '') });
      call.end();
      const [response] = (await once(call, 'response')) as [IncomingMessage];
      const answer = { DisconnectSuccesses: [player.connectionId], DisconnectFailures: [] };
      assert.deepEqual(JSON.parse(await text(response)), answer);
      assert.equal((await player.closed).code, 4500);
      closed += 1;
    }
  };
  await Promise.all(Array.from({ length: 8 }, playOn));
  assert.equal(closed, 2_000);
  await assertNothingLeft(server);
});

import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { createInterface } from 'node:readline';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { DisconnectPlayerCommand } from '@aws-sdk/client-gamesparks';
import { CLOSE_CODES, encode, SUBPROTOCOL } from '@respark/protocol';
import { firstPiece, frame, openPlayer, PING, piece } from '../fire/raw-websocket.ts';
import { assertNothingLeft, GAME, STAGE, startTestServer, type TestServer } from '../support/server.ts';

const TOKEN = 'GameSparks.Identity.GetPlayerToken';
const KICK = `${CLOSE_CODES.disconnected.code} ${CLOSE_CODES.disconnected.meaning}`;

/** A request that is long enough for several fragments. */
const REQUEST = encode({ kind: 'request', id: 'long', type: TOKEN, payload: {} }).padEnd(10_000);

/** Debian's Python, which has the library of Debian, or another that has it. */
const python = ['/usr/bin/python3', 'python3'].find(
  (program) => spawnSync(program, ['-c', 'import websockets'], { stdio: 'ignore' }).status === 0,
);
const skip = python === undefined ? 'there is no python3-websockets here' : false;

/** Node.js 20 has a WebSocket, but hides it. */
const nodeFlags = 'WebSocket' in globalThis ? [] : ['--experimental-websocket'];

// Seen from dist/test/wire.
const program = (name: string) =>
  fileURLToPath(new URL(`../../../test/support/websocket-clients/${name}`, import.meta.url));

/** The lines that a program prints, one by one. The program is killed when the test ends. */
function start(t: TestContext, server: TestServer, command: string, args: readonly string[]): AsyncIterator<string> {
  const hello = encode({ kind: 'hello', gameKey: server.gameKey });
  const child = spawn(command, [...args, server.playerUrl, SUBPROTOCOL, hello, REQUEST], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  t.after(() => child.kill('SIGKILL'));
  return createInterface({ input: child.stdout })[Symbol.asyncIterator]();
}

async function disconnect(server: TestServer, playerId: string, connectionId: string): Promise<void> {
  const { $metadata, ...answer } = await server
    .sdk()
    .send(new DisconnectPlayerCommand({ GameName: GAME, StageName: STAGE, PlayerId: playerId }));
  assert.deepEqual(answer, { DisconnectSuccesses: [connectionId], DisconnectFailures: [] });
}

/** Plays with a program: it is welcomed, gets an answer, and is disconnected by an operator. */
async function play(t: TestContext, command: string, args: readonly string[]): Promise<void> {
  const server = await startTestServer(t);
  const lines = start(t, server, command, args);
  const next = async () => (await lines.next()).value ?? 'nothing';
  const welcome = JSON.parse(await next());
  assert.equal(welcome.kind, 'welcome');
  const response = JSON.parse(await next());
  assert.deepEqual(
    [response.kind, response.id, Object.keys(response.payload)],
    ['response', 'long', ['AuthenticationToken']],
  );
  await disconnect(server, welcome.playerId, welcome.connectionId);
  assert.match(await next(), new RegExp(`^${KICK}`));
  assert.equal(await next(), 'nothing');
  await assertNothingLeft(server);
}

test('[websockets] a player in Python sends a message in fragments, and learns why it is disconnected', {
  skip,
}, async (t) => {
  await play(t, python ?? '', [program('player.py')]);
});

test("[undici] a player with Node.js's own WebSocket plays, and learns why it is disconnected", async (t) => {
  await play(t, process.execPath, [...nodeFlags, '--no-warnings', program('player.mjs')]);
});

test('a player in Unity sends fragments of 1,016 bytes, each in two parts, with pings in between', async (t) => {
  const server = await startTestServer(t);
  const player = await openPlayer(server);
  player.socket.setNoDelay();
  const welcome = JSON.parse(player.texts[0] ?? '');
  for (let at = 0; at < REQUEST.length; at += 1_016) {
    const part = REQUEST.slice(at, at + 1_016);
    const bytes = at === 0 ? firstPiece(part) : piece(part, at + 1_016 >= REQUEST.length);
    // The head and the payload of a frame are written one after the other.
    for (const half of [bytes.subarray(0, bytes.length - part.length), bytes.subarray(bytes.length - part.length)]) {
      await new Promise((resolve) => player.socket.write(half, resolve));
    }
    player.socket.write(frame({ opcode: PING, payload: `${at}` }));
  }
  await player.received(/"kind":"response","id":"long"/);
  await disconnect(server, welcome.playerId, welcome.connectionId);
  const { end, reason } = await player.ending;
  assert.match(`${end} ${reason}`, new RegExp(`^${KICK}`));
  await assertNothingLeft(server);
});

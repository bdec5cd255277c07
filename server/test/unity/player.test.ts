import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CSHARP_GAME, compileCSharpPlayer, placeOf, startCSharpPlayer } from '../support/csharp-player.ts';
import { fileOf } from '../support/game-document.ts';
import { createWorkplace } from '../support/process.ts';
import { createSnapshot, deploy, type Place } from '../support/publishing.ts';
import { REHEARSAL_SETTINGS, rehearse } from '../support/rehearsal.ts';
import { GAME, STAGE, startTestServer, until } from '../support/server.ts';
import { tlsFiles } from '../support/tls-files.ts';
import { findUnityTools, MISSING_UNITY_TOOLS } from '../support/unity.ts';

const tools = findUnityTools();
const skip = tools === undefined ? MISSING_UNITY_TOOLS : false;

const GAME_OPTIONS = ['--game', GAME, '--stage', STAGE] as const;

async function deployGame(place: Place): Promise<void> {
  await deploy(place, await createSnapshot(place, fileOf(CSHARP_GAME)));
}

test('[mono] a game in C# plays, comes back after a restart as the same player, and stays away when it is kicked', {
  skip,
}, async (t) => {
  const program = await compileCSharpPlayer(t);
  const workplace = createWorkplace(t);
  const server = await workplace.serve(['--demo']);
  await deployGame(server);
  const player = startCSharpPlayer(workplace, program, placeOf(server));
  const [, playerId = ''] = await player.next(/welcome (\S+)/);
  await player.next(/saved/);
  await player.do('add', /sum 5 in the game's thread/);
  await player.do('await', /awaited 7/);
  await player.do('shout', /heard HÉ 👋 in the game's thread/);

  const { port } = new URL(server.url);
  server.child.kill('SIGTERM');
  await player.next(/disconnect 4000 draining, .*, request , comes back/);
  assert.equal((await server.ended()).exitCode, 0);
  const restarted = await workplace.serve(['--demo', '--port', port, '--data-dir', server.dataDir]);
  assert.equal(restarted.url, server.url);
  assert.equal((await player.next(/welcome (\S+)/))[1], playerId);
  await player.do('add', /sum 5 in the game's thread/);

  const kick = ['--player', playerId, '--reason', 'AFK', '--message', 'Bis bald.', '--json'];
  const kicked = await workplace.respark(['kick', ...GAME_OPTIONS, ...kick, '--data-dir', server.dataDir]);
  assert.deepEqual([kicked.exitCode, kicked.stderr], [0, '']);
  const [, requestId = ''] = await player.next(
    /disconnect 4500 disconnected, .*, request ([\w-]+), AFK, "Bis bald\.", stays away/,
  );
  assert.ok(kicked.stdout.includes(requestId), kicked.stdout);
  await player.do('add', /error disconnected: connection closed: .* \(4500\)/);
  assert.equal(player.err(), '');
});

test('[mono] the rehearsal finds no fault with a game in C#, whatever ends its connection', { skip }, async (t) => {
  const program = await compileCSharpPlayer(t);
  const server = await startTestServer(t, { settings: REHEARSAL_SETTINGS });
  // The command plays each end at once here, so the waits would become long.
  const player = startCSharpPlayer(createWorkplace(t), program, placeOf(server), { longestWaitMs: 500 });
  const [, playerId = ''] = await player.next(/welcome (\S+)/);
  await player.next(/saved/);
  const reconnect = () => void player.child.stdin.write('connect\n');
  const { exitCode, results, err } = await rehearse(server, playerId, { reconnect });
  assert.deepEqual(
    results.filter(({ Outcome }) => Outcome !== 'PASSED'),
    [],
    err,
  );
  assert.deepEqual([exitCode, results.length], [0, 10]);
  const welcomed = [...player.out().matchAll(/^welcome (\S+)$/gm)].map(([, id]) => id);
  assert.deepEqual(new Set(welcomed), new Set([playerId]), 'it never became another player');
  for (const end of [
    /^disconnect 4000 draining, .*, comes back$/m,
    /^disconnect 1006 abnormal, nothing received for 2000 ms, request , comes back$/m,
    /^disconnect 4500 disconnected, .*, request [\w-]+, REHEARSAL, ".*", stays away$/m,
    /^disconnect 4503 token_refused, .*, stays away$/m,
    /^disconnect 4510 blocked, .*, stays away$/m,
  ]) {
    assert.match(player.out(), end);
  }
  assert.doesNotMatch(player.out(), /^failed/m);
});

test('[mono] a game in C# renews its token, and does not become a guest when it has come too late for that', {
  skip,
}, async (t) => {
  const program = await compileCSharpPlayer(t);
  const lifetimeMs = 3_000;
  const server = await startTestServer(t, { settings: { playerTokenLifetimeMs: lifetimeMs } });
  const workplace = createWorkplace(t);
  const first = startCSharpPlayer(workplace, program, placeOf(server));
  const [, playerId = ''] = await first.next(/welcome (\S+)/);
  for (let renewals = 0; renewals < 3; renewals += 1) await first.next(/saved/);
  first.child.stdin.end();
  assert.equal((await first.ended()).exitCode, 0);
  const second = startCSharpPlayer(workplace, program, placeOf(server));
  assert.equal((await second.next(/welcome (\S+)/))[1], playerId);
  await second.next(/saved/);
  second.child.stdin.end();
  assert.equal((await second.ended()).exitCode, 0);
  const endedAtMs = performance.now();
  await until(() => performance.now() - endedAtMs > lifetimeMs + 1_000);
  const third = startCSharpPlayer(workplace, program, placeOf(server));
  await third.next(/disconnect 4503 token_refused, .*, stays away/);
  await third.do('state', /state Closed/);
  assert.doesNotMatch(third.out(), /welcome/);
});

test('[mono] a game in C# plays over TLS with a private authority that it trusts, and with no other', {
  skip,
}, async (t) => {
  const program = await compileCSharpPlayer(t);
  const workplace = createWorkplace(t);
  const { certFile, keyFile } = tlsFiles('first');
  const server = await workplace.serve(['--demo', '--tls-cert-file', certFile, '--tls-key-file', keyFile]);
  assert.match(server.playerUrl, /^wss:/);
  // Mono finds no addresses in a certificate.
  const place = { url: server.playerUrl.replace('127.0.0.1', 'localhost'), gameKey: server.gameKey };
  const stranger = startCSharpPlayer(workplace, program, place);
  const [said] = await stranger.next(/disconnect 1006 abnormal, .*, comes back/);
  assert.match(said, /CERTIFICATE_VERIFY_FAILED/);
  stranger.child.stdin.end();
  assert.equal((await stranger.ended()).exitCode, 0);
  // The store of this user, in the home directory of the test.
  const trusted = await workplace.start(['cert-sync', '--quiet', '--user', certFile]).ended();
  assert.equal(trusted.exitCode, 0, trusted.stdout + trusted.stderr);
  const player = startCSharpPlayer(workplace, program, place);
  await player.next(/welcome \S+/);
  await player.next(/saved/);
});

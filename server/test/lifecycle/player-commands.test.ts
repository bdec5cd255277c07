import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { createWorkplace, RESPARK } from '../support/process.ts';
import { GAME, STAGE, until } from '../support/server.ts';

const DEMO_STAGE = ['--game', GAME, '--stage', STAGE];
const UUID = /[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}/;

describe('a player in the terminal', () => {
  it('sees who they are, the command that disconnects them, and after it why they were closed', async (t) => {
    const place = createWorkplace(t);
    await place.serve(['--demo']);
    const player = place.startRespark(['connect']);
    const [, connectionId = ''] = await player.printed(
      new RegExp(`^connected as demo-player, connection (${UUID.source})$`, 'm'),
    );
    const [, command = ''] = await player.printed(/^ {2}to disconnect it: npx --no respark (.*)$/m);
    player.child.stdin.write('request Shop.Buy {"item": 7}\n');
    await player.printed(/^error no_handler: .*Shop\.Buy/m);
    player.child.stdin.write('request GameSparks.Identity.GetPlayerToken\n');
    await player.printed(/^response GameSparks\.Identity\.GetPlayerToken \{"AuthenticationToken":"\S+"\}$/m);

    const answer = await place.start(['sh', '-c', `${RESPARK.join(' ')} ${command}`]).ended();
    assert.deepEqual([answer.exitCode, answer.stderr], [0, '']);
    assert.equal(answer.stdout, `closed 1 of 1 connection of player demo-player\n  closed  ${connectionId}\n`);
    const { exitCode, stdout, stderr } = await player.ended();
    assert.equal(exitCode, 1);
    assert.match(stdout, /^closed: 4500 disconnected: The operator disconnected this player\.$/m);
    assert.match(stdout, new RegExp(`^ {2}by the call with the request id ${UUID.source}$`, 'm'));
    assert.doesNotMatch(stdout, /reconnecting/);
    assert.equal(stderr, 'the connection was closed for good (4500)\n');
  });

  it('comes back as the same player when the server does, and leaves by Ctrl-C with 0', async (t) => {
    const place = createWorkplace(t);
    const first = await place.serve(['--demo']);
    const tokenFile = ['--token-file', 'me'];
    const player = place.startRespark(['connect', ...tokenFile]);
    const [, playerId] = await player.printed(/^connected as (\w{27}), /m);
    await until(() => existsSync(join(place.directory, 'me')));
    first.child.kill('SIGTERM');
    await player.printed(/^closed: 4000 draining: .*\n {2}reconnecting in \d+ ms$/m);
    await first.ended();
    player.child.kill('SIGINT');
    assert.equal((await player.ended()).exitCode, 0);

    await place.serve(['--demo']);
    const again = place.startRespark(['connect', ...tokenFile]);
    assert.equal((await again.printed(/^connected as (\w{27}), /m))[1], playerId);
  });

  it('is told what is missing without a server', async (t) => {
    const { exitCode, stderr } = await createWorkplace(t).respark(['connect']);
    assert.equal(exitCode, 1);
    assert.match(stderr, /^there is no demo game in the data directory \S+; start a server there .*\n$/);
  });
});

describe('a disconnect by the command', () => {
  it('says in words and in JSON what was closed, after "connections" has listed it', async (t) => {
    const place = createWorkplace(t);
    const server = await place.serve(['--demo']);
    const first = await server.connect();
    const token = await first.token();
    const ids = [first, await server.connect({ token }), await server.connect({ token })].map(
      (player) => player.connectionId,
    );
    const who = [...DEMO_STAGE, '--player', first.playerId];

    const table = await place.respark(['connections', ...who]);
    assert.equal(table.exitCode, 0);
    const [head = '', ...rows] = table.stdout.trimEnd().split('\n');
    assert.match(head, /^ID +CREATED$/);
    assert.deepEqual(
      rows.map((row) => row.split(/ +/)[0]),
      ids,
    );
    const json = JSON.parse((await place.respark(['connections', ...who, '--json'])).stdout);
    assert.deepEqual(
      json.Connections.map(({ Id }: { Id: string }) => Id),
      ids,
    );

    const words = await place.respark(['disconnect', ...who]);
    assert.deepEqual([words.exitCode, words.stderr], [0, '']);
    const [summary, ...lines] = words.stdout.trimEnd().split('\n');
    assert.equal(summary, `closed 3 of 3 connections of player ${first.playerId}`);
    assert.deepEqual(
      lines.sort(),
      ids.map((id) => `  closed  ${id}`),
    );

    const back = await server.connect({ token });
    const answer = await place.respark(['disconnect', ...who, '--json']);
    assert.equal(answer.exitCode, 0);
    assert.deepEqual(JSON.parse(answer.stdout), { DisconnectSuccesses: [back.connectionId], DisconnectFailures: [] });
    const none = await place.respark(['disconnect', ...who]);
    assert.deepEqual([none.exitCode, none.stdout], [0, `player ${first.playerId} has no connections\n`]);
  });

  it('exits with 1 when the call fails, and says why in one line', async (t) => {
    const place = createWorkplace(t);
    const server = await place.serve();
    const call = ['disconnect', ...DEMO_STAGE, '--player', 'p'];
    const unknown = await place.respark(call);
    assert.deepEqual([unknown.exitCode, unknown.stdout], [1, '']);
    assert.match(unknown.stderr, /^ResourceNotFoundException: .* \(status 404, request id \S+\)\n$/);

    const wrongKey = { AWS_ACCESS_KEY_ID: server.credentials.accessKeyId, AWS_SECRET_ACCESS_KEY: 'wrong' };
    const refused = await place.respark(call, { env: wrongKey });
    assert.equal(refused.exitCode, 1);
    assert.match(refused.stderr, /^InvalidSignatureException: .* \(status 403, request id \S+\)\n$/);

    server.child.kill('SIGKILL');
    await server.ended();
    const gone = await place.respark([...call, '--endpoint-url', server.url]);
    assert.equal(gone.exitCode, 1);
    assert.match(
      gone.stderr,
      /^cannot reach http:\S+: connection refused; is the server running \("respark serve"\)\?\n$/,
    );
  });

  it('tells whoever listens in the place of a server that was killed nothing, and believes them nothing', async (t) => {
    const place = createWorkplace(t);
    const server = await place.serve(['--demo']);
    server.child.kill('SIGKILL');
    await server.ended();
    let asked = 0;
    const other = createServer((_, reply) => {
      asked += 1;
      reply.end('{"DisconnectSuccesses":["made up"],"DisconnectFailures":[]}');
    });
    other.on('upgrade', (_, socket) => {
      asked += 1;
      socket.destroy();
    });
    other.listen(Number(new URL(server.url).port), '127.0.0.1');
    await once(other, 'listening');
    t.after(() => other.close());
    for (const args of [
      ['disconnect', ...DEMO_STAGE, '--player', 'demo-player'],
      ['kick', ...DEMO_STAGE, '--player', 'demo-player'],
      ['send', 'Custom.Game.Any', '{}', ...DEMO_STAGE],
      ['connect', '--once'],
      ['connect', '--once', '--game-key', 'any', '--token-file', 'token', '--data-dir', 'without-a-server'],
    ]) {
      const { exitCode, stdout, stderr } = await place.respark(args);
      assert.deepEqual([exitCode, stdout], [1, ''], args.join(' '));
      assert.match(stderr, /^no server is running on the data directory \S+: start one with "respark serve"/);
    }
    assert.equal(asked, 0);
  });
});

describe('a kick by the command', () => {
  it('says what became of each connection, and the player in the terminal hears why', async (t) => {
    const place = createWorkplace(t);
    const server = await place.serve(['--demo']);
    const player = place.startRespark(['connect']);
    const [, connectionId = ''] = await player.printed(/^connected as demo-player, connection (\S+)$/m);
    const bystander = await server.connect();
    const who = [...DEMO_STAGE, '--player', 'demo-player'];
    const why = ['--reason', 'AFK', '--message', 'You were away.', '--evidence', 'seen by 7'];

    const dry = await place.respark(['kick', ...who, ...why, '--dry-run']);
    assert.deepEqual([dry.exitCode, dry.stderr], [0, '']);
    assert.match(dry.stdout, new RegExp(`^  would close  ${connectionId}  since 2\\S+Z$`, 'm'));
    const none = await place.respark(['kick', ...who, '--except', connectionId]);
    assert.match(
      none.stdout,
      new RegExp(`^player demo-player has no such connections \\(on record as ${UUID.source}\\)\n$`),
    );

    const kicked = await place.respark(['kick', ...who, ...why, '--connection', connectionId]);
    assert.deepEqual([kicked.exitCode, kicked.stderr], [0, '']);
    const words = `closed  ${connectionId}  since \\S+  its close frame is on its way`;
    assert.match(
      kicked.stdout,
      new RegExp(`^player demo-player: 1 connection \\(on record as ${UUID.source}\\)\n  ${words}\n$`),
    );
    const { stdout } = await player.ended();
    assert.match(stdout, /^notification Respark\.Farewell \{"reason":"AFK","message":"You were away\."/m);
    assert.match(stdout, /^closed: 4500 disconnected/m);
    const audit = await place.respark(['audit', '--player', 'demo-player']);
    assert.match(audit.stdout, /evidence: seen by 7/);
    assert.match((await place.respark(['kick', ...who])).stdout, /^player demo-player has no connections \(on record/);

    const json = await place.respark(['kick', ...DEMO_STAGE, '--player', bystander.playerId, '--json']);
    const { Connections: connections, OperationId: operation, Receipt: receipt } = JSON.parse(json.stdout);
    assert.match(receipt, /^ey[\w.-]+$/);
    assert.match(operation, UUID);
    assert.deepEqual([connections[0].Id, connections[0].Outcome], [bystander.connectionId, 'CLOSED']);
    assert.equal((await bystander.closed).code, 4500);

    const blocked = await place.respark(['kick', ...who, '--block', '2h', '--receipt', 'receipt.jws']);
    assert.match(blocked.stdout, /\n? {2}blocked until 2\S+Z\n$/);
    const { stdout: key } = await place.respark(['receipt', 'key', '--pem']);
    writeFileSync(join(place.directory, 'receipts.pem'), key);
    const verified = await place.respark(['receipt', 'verify', 'receipt.jws', '--key', 'receipts.pem']);
    assert.deepEqual([verified.exitCode, verified.stderr], [0, '']);
    assert.match(verified.stdout, /^ {2}block {4}true$/m);
    assert.match((await place.respark(['blocks', ...DEMO_STAGE])).stdout, /demo-player/);
  });
});

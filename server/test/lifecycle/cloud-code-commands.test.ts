import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { fileOf } from '../support/game-document.ts';
import { createSnapshot, deploy, endOfDeployment } from '../support/publishing.ts';
import { scriptedGame } from '../support/scripted-game.ts';
import { GAME, ROOT, STAGE, startTestServer, temporaryDirectory } from '../support/server.ts';
import { createTestWorld } from '../support/world.ts';

const NAMED = ['--game', GAME, '--stage', STAGE];
const ENV = { AWS_ACCESS_KEY_ID: ROOT.accessKeyId, AWS_SECRET_ACCESS_KEY: ROOT.secretAccessKey };

/** Runs commands against a server with a game that has something of everything. */
async function openGame(t: TestContext) {
  const server = await startTestServer(t);
  const game = scriptedGame({
    requests: {
      Greet: {
        request: { Name: 'String' },
        response: { Greeting: 'String' },
        script: "return GameSparks().Messaging().Response({ Greeting: 'Hello ' + message.Name });",
      },
      Fail: { script: "throw new Error('the cause of it');" },
    },
    events: {
      Track: { event: { Id: 'Integer' }, script: "GameSparks().Messaging().SendNotification('Told', {});" },
      Break: { script: 'null.x;' },
    },
    notifications: { Told: {} },
  });
  await deploy(server, await createSnapshot(server, fileOf(game)));
  return async (args: readonly string[], stdin?: string) => {
    const world = createTestWorld({ env: ENV, local: { url: server.url, playerUrl: server.playerUrl } });
    if (stdin !== undefined) world.stdin.end(stdin);
    const exitCode = await world.run(...args, ...NAMED);
    return { exitCode, out: world.out(), err: world.err() };
  };
}

test('send --event says that the event was sent, and fails when it is refused or its handler fails', async (t) => {
  const run = await openGame(t);
  const sent = await run(['send', 'Custom.Game.Track', '{"Id":1}', '--event']);
  assert.deepEqual(sent, { exitCode: 0, out: 'notification Custom.Game.Told {}\nsent\n', err: '' });
  const refused = await run(['send', 'Custom.Game.Track', '{"Id":"x"}', '--event']);
  assert.deepEqual([refused.exitCode, refused.out], [1, '']);
  assert.match(refused.err, /^bad_request: payload\.Id /);
  const unknown = await run(['send', 'Custom.Game.Nothing', '--event']);
  assert.deepEqual([unknown.exitCode, unknown.out], [1, '']);
  assert.match(unknown.err, /^no_handler: /);
  const failed = await run(['send', 'Custom.Game.Break', '--event']);
  assert.deepEqual([failed.exitCode, failed.out], [1, '']);
  assert.match(failed.err, /^script_error: /);
});

test('send takes the token of a server that it names to that server, and to no other on this machine', async (t) => {
  const server = await startTestServer(t);
  const local = createServer(() => assert.fail('it was connected to')).listen(0, '127.0.0.1');
  await once(local, 'listening');
  t.after(() => local.close());
  const { port } = local.address() as AddressInfo;
  for (const env of [ENV, { ...ENV, AWS_ENDPOINT_URL: server.url }]) {
    const named = env === ENV ? ['--endpoint-url', `${server.url}/`] : [];
    const elsewhere = { url: `http://127.0.0.1:${port}`, playerUrl: `ws://127.0.0.1:${port}/connect` };
    const world = createTestWorld({ env, local: elsewhere });
    assert.equal(await world.run('send', 'GameSparks.Identity.GetPlayerToken', ...NAMED, ...named), 0, world.err());
  }
});

test('a snapshot is deleted by an operation, unless a stage runs it, and that is on record', async (t) => {
  const server = await startTestServer(t);
  const world = () => createTestWorld({ env: ENV, local: { url: server.url } });
  const spare = await createSnapshot(server);
  const running = await createSnapshot(server);
  await createSnapshot(server);
  const deploymentId = await deploy(server, running);
  const remove = async (SnapshotId: string) => {
    const here = world();
    const exitCode = await here.run('api', 'delete-snapshot', '--json', JSON.stringify({ GameName: GAME, SnapshotId }));
    return { exitCode, err: here.err() };
  };
  assert.deepEqual(await remove(spare), { exitCode: 0, err: '' });
  assert.match((await remove(running)).err, /^ConflictException: .*stage "Dev" runs it/);
  assert.match((await remove(spare)).err, /^ResourceNotFoundException: /);
  const audit = world();
  assert.equal(await audit.run('audit', '--operation', 'DeleteSnapshot'), 0, audit.err());
  assert.equal(audit.out().match(/DeleteSnapshot/g)?.length, 3, audit.out());
  assert.equal((await endOfDeployment(server))?.DeploymentId, deploymentId);
});

test('send shows what the log says of a failure, and what it was given', async (t) => {
  const run = await openGame(t);
  await run(['send', 'Custom.Game.Fail', '--player', 'bert']);
  const failed = await run(['send', 'Custom.Game.Fail', '--player', 'anna']);
  assert.equal(failed.exitCode, 1);
  assert.match(failed.err, /^script_error: .*\n\S+ ERROR Fail anna .*the cause of it.*\n$/);
  const piped = await run(['send', 'Custom.Game.Greet', '-'], '{"Name":"Anna"}');
  assert.deepEqual(piped, { exitCode: 0, out: 'response Custom.Game.Greet {"Greeting":"Hello Anna"}\n', err: '' });
  const file = join(temporaryDirectory(t), 'payload.json');
  writeFileSync(file, '{"Name":"Bert"}');
  assert.match((await run(['send', 'Custom.Game.Greet', `@${file}`])).out, /Hello Bert/);
  const quoteless = await run(['send', 'Custom.Game.Greet', '{Name:Anna}']);
  assert.equal(quoteless.exitCode, 2);
  assert.match(quoteless.err, /^the payload must be a JSON object, .* what arrived is "\{Name:Anna\}" \(/);
  assert.match((await run(['send', 'Greet'])).err, /^no_handler: .*; did you mean Custom\.Game\.Greet\?\n$/);
  const asEvent = await run(['send', 'Custom.Game.Greet', '--event']);
  assert.match(asEvent.err, /^no_handler: .*; if it is a request, leave --event out\n$/);
  const slip = await run(['send', 'Custom.Game.Great']);
  assert.match(slip.err, /^no_handler: .*; did you mean Custom\.Game\.Greet\?\n$/);
  assert.match((await run(['send', 'Custom.Game.Nope'])).err, /^no_handler: .*; if it is an event, add --event\n$/);
  assert.doesNotMatch((await run(['send', 'Other.Nope'])).err, /; /);
});

test('send --json prints an answer without characters that a terminal would act on', async (t) => {
  const run = await openGame(t);
  const { out, err } = await run(['send', 'Custom.Game.Greet', '{"Name":"\u009b2J\u202e"}', '--json']);
  assert.equal(
    out,
    '{"event":"response","type":"Custom.Game.Greet","payload":{"Greeting":"Hello \\u009b2J\\u202e"}}\n',
    err,
  );
});

test('logs takes the name of a message with or without its prefix, and a level in any case', async (t) => {
  const run = await openGame(t);
  await run(['send', 'Custom.Game.Fail']);
  const short = await run(['logs', '--message', 'Fail', '--level', 'error']);
  assert.match(short.out, /the cause of it/);
  assert.deepEqual(await run(['logs', '--message', 'Custom.Game.Fail', '--level', 'ERROR']), short);
});

test('unpack makes the folder a project for editors, and leaves a project that is there alone', async (t) => {
  const directory = temporaryDirectory(t);
  const [document, folder] = [join(directory, 'game.json'), join(directory, 'game')];
  writeFileSync(document, fileOf({}));
  const world = createTestWorld();
  assert.equal(await world.run('unpack', document, folder), 0, world.err());
  const project = join(folder, 'jsconfig.json');
  assert.equal(readFileSync(project, 'utf8'), '{}\n');
  writeFileSync(project, '{"exclude":[]}');
  assert.equal(await world.run('unpack', document, folder, '--force'), 0, world.err());
  assert.equal(readFileSync(project, 'utf8'), '{"exclude":[]}');
  assert.equal(await world.run('pack', folder), 0, world.err());
});

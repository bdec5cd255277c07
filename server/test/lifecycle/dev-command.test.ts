import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { writeFolder } from '../../src/cli/folders.ts';
import { toFolder } from '../../src/domain/configuration/folder.ts';
import { scriptedGame } from '../support/scripted-game.ts';
import { GAME, ROOT, STAGE, startTestServer, temporaryDirectory } from '../support/server.ts';
import { createTestWorld, type TestWorld } from '../support/world.ts';

const NAMED = ['--game', GAME, '--stage', STAGE];
const ENV = { AWS_ACCESS_KEY_ID: ROOT.accessKeyId, AWS_SECRET_ACCESS_KEY: ROOT.secretAccessKey };
const GREETS = 'return GameSparks().Messaging().Response({});';

/** A folder with a request Greet, whose handler it has too. */
async function greetingFolder(t: TestContext): Promise<string> {
  const folder = join(temporaryDirectory(t), 'game');
  await writeFolder(folder, toFolder(scriptedGame({ requests: { Greet: { script: GREETS } } })));
  return folder;
}

/** Runs `respark dev`, which is ended when the test ends at the latest. */
function runDev(t: TestContext, folder: string, local: { url?: string; playerUrl?: string }) {
  const world = createTestWorld({ env: ENV, local });
  const ended = world.run('dev', folder, ...NAMED);
  t.after(async () => {
    world.signal('SIGINT');
    await ended;
  });
  return { world, ended };
}

/** Resolves when stdout has told of this many deployments. */
async function deployments(world: TestWorld, count: number): Promise<void> {
  const deadline = performance.now() + 60_000;
  while (performance.now() < deadline && world.out().split('deployed to ').length <= count) {
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  assert.equal(world.out().split('deployed to ').length - 1, count, world.err());
}

test('dev waits for a server that was restarted, and deploys there again', async (t) => {
  const dataDir = temporaryDirectory(t);
  const before = await startTestServer(t, { dataDir });
  const local = { url: before.url };
  const { world, ended } = runDev(t, await greetingFolder(t), local);
  await deployments(world, 1);
  await before.close();
  await world.printed('waiting for it');
  const after = await startTestServer(t, { dataDir });
  local.url = after.url;
  await deployments(world, 2);
  assert.equal(world.err(), 'the server is gone, waiting for it…\nthe server is back\n');
  world.signal('SIGINT');
  assert.equal(await ended, 0);
});

test('dev deploys a folder without scripts, goes on without the types, and deploys what is saved', async (t) => {
  const server = await startTestServer(t);
  const folder = await greetingFolder(t);
  rmSync(join(folder, 'handlers'), { recursive: true });
  rmSync(join(folder, 'messages/Greet.json'));
  const { world } = runDev(t, folder, { url: server.url });
  await deployments(world, 1);
  const types = join(folder, 'handlers/cloud-code.d.ts');
  assert.ok(existsSync(types));
  rmSync(types);
  mkdirSync(types);
  writeFileSync(join(folder, 'messages/Hi.json'), '{}');
  await deployments(world, 2);
  assert.match(world.err(), /^editors cannot complete scripts: /);
});

test('dev names the folder that was meant, and places where the editor finds them', async (t) => {
  const folder = await greetingFolder(t);
  const world = createTestWorld({ env: ENV });
  assert.equal(await world.run('dev', dirname(folder), ...NAMED), 1);
  assert.match(world.err(), new RegExp(`has no configuration: .*; did you mean "${folder}"\\?\n$`));

  const server = await startTestServer(t);
  const greet = join(folder, 'messages/Greet.json');
  const text = readFileSync(greet, 'utf8');
  const { world: running } = runDev(t, folder, { url: server.url });
  await deployments(running, 1);
  assert.ok(existsSync(join(folder, 'jsconfig.json')));
  writeFileSync(greet, '{\n  "Request": oops\n}');
  await running.printed(`${greet}:2:14: it is not JSON: `);
  rmSync(join(folder, 'handlers/Greet.js'));
  writeFileSync(greet, text);
  await running.printed(': has no script: write handlers/Greet.js\n');
  writeFileSync(greet, text.replace('"GreetResponse"', '"Nope"'));
  await running.printed('there is no shape "Nope": add it to model.json, or use ');
  const { Request } = JSON.parse(text);
  writeFileSync(greet, JSON.stringify({ Request }));
  await running.printed(`${greet}: warning: players may send it, but it has no RequestHandler`);
  await deployments(running, 2);
});

test('dev reads, writes and deploys nothing through a link in the folder', async (t) => {
  const server = await startTestServer(t);
  const folder = await greetingFolder(t);
  const [victim, fish] = [join(dirname(folder), 'victim'), join(folder, 'handlers/Fish.js')];
  const types = join(folder, 'handlers/cloud-code.d.ts');
  writeFileSync(victim, 'precious');
  symlinkSync(victim, types);
  const { world } = runDev(t, folder, { url: server.url });
  await deployments(world, 1);
  assert.match(
    world.err(),
    new RegExp(`^editors cannot complete scripts: cannot use "${types}": it is a symbolic link`),
  );
  symlinkSync(victim, fish);
  await world.printed(`not deployed: cannot use "${fish}": it is a symbolic link`);
  rmSync(fish);
  await deployments(world, 2);
  rmSync(types);
  writeFileSync(join(folder, 'messages/Hi.json'), '{}');
  await deployments(world, 3);
  assert.ok(existsSync(types));
  assert.equal(readFileSync(victim, 'utf8'), 'precious');
});

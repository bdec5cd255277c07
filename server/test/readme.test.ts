import assert from 'node:assert/strict';
import { once } from 'node:events';
import {
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { basename, join } from 'node:path';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { OPERATIONS } from '../src/api/operations/index.ts';
import { createProgram } from '../src/cli/program.ts';
import { SETTING_GROUPS } from '../src/config/config.ts';
import { findAws } from './support/aws-cli.ts';
import { createWorkplace } from './support/process.ts';
import { until } from './support/server.ts';
import { createTestWorld } from './support/world.ts';

/** Seen from server/dist/test. */
const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const README = readFileSync(join(ROOT, 'README.md'), 'utf8');

/** The shell commands under a heading, a block each. */
function shellBlocks(heading: string): string[] {
  const section = README.split(/^## /m).find((part) => part.startsWith(`${heading}\n`)) ?? '';
  return [...section.matchAll(/^```sh\n(.*?)^```$/gms)].map(([, block = '']) => block.trim());
}

/** A clone in which `npm ci` and a build have been done: what they make is copied, packages of others are linked. */
function copyRepository(to: string): void {
  const isOurs = (path: string) => !['node_modules', 'respark-data', '.git'].includes(basename(path));
  cpSync(ROOT, to, { recursive: true, filter: isOurs, preserveTimestamps: true });
  linkPackages(join(ROOT, 'node_modules'), join(to, 'node_modules'));
}

function linkPackages(from: string, to: string): void {
  mkdirSync(to);
  for (const name of readdirSync(from)) {
    const [source, target] = [join(from, name), join(to, name)];
    // Links are those of `npm ci` to the workspaces and commands, relative, so that they lead into the copy.
    if (lstatSync(source).isSymbolicLink()) symlinkSync(readlinkSync(source), target);
    else if (name === '.bin' || name.startsWith('@')) linkPackages(source, target);
    else symlinkSync(source, target);
  }
}

/** The command that the README mentions in a sentence, as it stands there. */
function inlineCommand(start: string): string {
  const [, command] = new RegExp(`\`npx (${start}[^\`]*)\``).exec(README) ?? [];
  assert(command !== undefined, `the README mentions no ${start}`);
  return command;
}

/** Of the metrics at the address that the README names; undefined when there is none of this name and labels. */
async function sample(name: string): Promise<number | undefined> {
  const [url = ''] = /http:\S+\/metrics/.exec(README) ?? [];
  const text = await (await fetch(url)).text();
  const line = text.split('\n').find((candidate) => candidate.startsWith(`${name} `));
  return line === undefined ? undefined : Number(line.slice(name.length + 1));
}

/** Fails with more than "did not print" when somebody else is served by the README's commands. */
async function assertFree(port: number): Promise<void> {
  const server = createServer().listen(port, '127.0.0.1');
  await once(server, 'listening').catch((cause: Error) => {
    throw new Error(`the README's commands need port ${port}, which is taken: stop what listens there`, { cause });
  });
  await once(server.close(), 'close');
}

const aws = await findAws();

describe('the README', () => {
  const skip = aws === undefined && 'no AWS CLI that knows gamesparks';
  it('[aws-cli] shows the main job with commands that are typed as they stand, in three terminals', {
    skip,
  }, async (t) => {
    await assertFree(8080);
    const [start = ''] = shellBlocks('Start');
    const [second = '', third = ''] = shellBlocks('Disconnect a player');
    assert.equal(start, 'npm ci && npm start');
    const place = createWorkplace(t);
    const cwd = join(place.directory, 'respark');
    copyRepository(cwd);
    const env = { PATH: place.pathWith(aws ?? '') };
    const type = (command: string) => place.start(['sh', '-c', command], { cwd, env });

    const server = type('npm start');
    await server.printed(/^Respark is serving\.$/m);
    const player = type(second);
    const [, playerId, connectionId] = await player.printed(/^connected as (\S+), connection (\S+)$/m);
    assert.equal(playerId, 'demo-player');
    const connections = 'respark_connections{game="Demo",stage="Dev"}';
    assert.equal(await sample(connections), 1);
    const { exitCode, stdout, stderr } = await type(third).ended();
    assert.equal(exitCode, 0, stderr);
    assert.deepEqual(JSON.parse(stdout), { DisconnectSuccesses: [connectionId], DisconnectFailures: [] });
    await player.printed(/^closed: 4500 disconnected: The operator disconnected this player\.$/m);
    await player.ended();

    assert.equal(await sample(connections), 0);
    assert.equal(await sample('respark_disconnect_calls_total{result="complete"}'), 1);
    assert.equal(await sample('respark_disconnected_connections_total{outcome="success"}'), 1);
    const { accessKeyId } = JSON.parse(readFileSync(join(cwd, 'respark-data', 'root-credentials'), 'utf8'));
    const audit = await type(`npx ${inlineCommand('respark audit')} --json`).ended();
    const [record, ...others] = JSON.parse(audit.stdout);
    assert.deepEqual(
      [record.operation, record.actor, record.sourceAddress, record.playerId, record.outcome.successes, others],
      ['DisconnectPlayer', accessKeyId, '127.0.0.1', 'demo-player', [connectionId], []],
    );

    const [develop = '', ask = ''] = shellBlocks('Change a handler');
    const development = type(develop);
    await development.printed(/^deployed /m);
    assert.match((await type(ask).ended()).stdout, /"Hello Anna/);
    const handler = join(cwd, 'examples', 'hello-cloud-code', 'game', 'handlers', 'Greet.js');
    writeFileSync(handler, readFileSync(handler, 'utf8').replace("'Hello '", "'Good morning '"));
    await development.printed(/^deployed .*^deployed /ms);
    assert.match((await type(ask).ended()).stdout, /"Good morning Anna/);
    process.kill(-Number(development.child.pid), 'SIGINT');

    const [configure = ''] = shellBlocks('Make your own game');
    const configured = await type(`set -e; ${configure}`).ended();
    assert.equal(configured.exitCode, 0, configured.stderr);
    const [, gameKey = ''] = /"GameKey": "(\w+)"/.exec(configured.stdout) ?? [];
    const own = type(`npx ${inlineCommand('respark connect --game-key').replace('KEY', gameKey)}`);
    await own.printed(/^connected as \S+, connection \S+$/m);
    process.kill(-Number(own.child.pid), 'SIGINT');
    assert(existsSync(join(cwd, 'unity.zip')));

    const running = join(cwd, 'respark-data', 'running.json');
    assert(existsSync(running));
    // Ctrl-C reaches every process of the terminal.
    process.kill(-Number(server.child.pid), 'SIGINT');
    await server.printed(/^SIGINT: draining/m);
    await server.ended();
    await until(() => !existsSync(running));
  });

  it('names what to read before anything depends on a server', () => {
    assert.match(
      README.split('## Run it for real\n')[1] ?? '',
      /^\n\*\*\[docs\/deploying\.md\]\(docs\/deploying\.md\)\*\*/,
    );
  });

  it('is short', () => {
    assert(README.trimEnd().split('\n').length <= 120);
  });

  it('names only commands and settings that there are, and counts the operations', () => {
    const commands = createProgram(createTestWorld()).commands.map((command) => command.name());
    for (const [command, name = ''] of README.matchAll(/npx (?:--no )?respark ([\w-]+)/g))
      assert(commands.includes(name), command);
    const settings = SETTING_GROUPS.flatMap(({ settings }) => settings.flatMap(({ env }) => [env, `${env}_FILE`]));
    for (const [name] of README.matchAll(/RESPARK_\w+/g)) assert(settings.includes(name), name);
    assert(README.includes(`| Operations | all ${OPERATIONS.length} `));
  });
});

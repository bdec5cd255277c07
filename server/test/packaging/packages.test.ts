import assert from 'node:assert/strict';
import { execFile, execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it, type TestContext } from 'node:test';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { WebSocket } from 'ws';
import { findAwsCli } from '../support/aws-cli.ts';
import { createWorkplace } from '../support/process.ts';

/** Seen from server/dist/test/packaging. */
const ROOT = fileURLToPath(new URL('../../../../', import.meta.url));
const COMPILER = join(ROOT, 'node_modules', 'typescript', 'bin', 'tsc');
const MAX_TARBALL_BYTES = 1_000_000;
/** Ten of them are the build of libsql for another C library, which npm cannot leave out. */
const MAX_INSTALLED_BYTES = 41_000_000;
const NPM_TIMEOUT_MS = 120_000;
const CANNOT_REACH = /\b(ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ENETUNREACH|ETIMEDOUT)\b/;

/** Compiles only with the client's types, strictly, and without those of Node.js. */
const GAME_SOURCE = `import { ResparkClient } from '@respark/client';

export async function play(url: string, gameKey: string, socket: ConstructorParameters<typeof ResparkClient>[0]['WebSocket']) {
  const client = new ResparkClient({ url, gameKey, ...(socket && { WebSocket: socket }) });
  const { playerId } = await client.connect();
  const id: string = playerId;
  await client.close();
  return id;
}
`;

const aws = await findAwsCli();
const cache = execFileSync('npm', ['config', 'get', 'cache'], { encoding: 'utf8' }).trim();
const scratch = mkdtempSync(join(tmpdir(), 'respark-packages-'));

function npm(
  args: readonly string[],
  cwd: string,
): Promise<{ exitCode: number | string; stdout: string; stderr: string }> {
  return new Promise((resolve) => {
    execFile('npm', [...args], { cwd, timeout: NPM_TIMEOUT_MS }, (error, stdout, stderr) =>
      resolve({ exitCode: error === null ? 0 : (error.code ?? 'killed'), stdout, stderr }),
    );
  });
}

const tarball = (name: string) => join(scratch, `respark-${name}-0.1.0.tgz`);

/** Makes a project in an empty folder and installs into it. False when the registry is out of reach, except in CI. */
async function install(t: TestContext, directory: string, packages: readonly string[]): Promise<boolean> {
  mkdirSync(directory, { recursive: true });
  writeFileSync(join(directory, 'package.json'), '{ "private": true, "type": "module" }\n');
  const { exitCode, stderr } = await npm(
    ['install', '--prefer-offline', '--no-audit', '--no-fund', ...packages],
    directory,
  );
  if (exitCode !== 0 && process.env.CI !== 'true' && CANNOT_REACH.test(stderr)) {
    t.skip('the registry of npm cannot be reached');
    return false;
  }
  assert.equal(exitCode, 0, stderr);
  return true;
}

function installedBytes(directory: string): number {
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .reduce((sum, entry) => sum + statSync(join(entry.parentPath, entry.name)).size, 0);
}

describe('the packages that npm pack makes', () => {
  before(async () => {
    const workspaces = ['protocol', 'client', 'server'].flatMap((name) => ['--workspace', name]);
    const { exitCode, stderr } = await npm(['pack', '--pack-destination', scratch, ...workspaces], ROOT);
    assert.equal(exitCode, 0, stderr);
  });
  after(() => rmSync(scratch, { recursive: true, force: true }));

  it('are small, and the server has neither tests nor what only tests need', async (t) => {
    for (const name of ['protocol', 'client', 'server']) assert(statSync(tarball(name)).size < MAX_TARBALL_BYTES, name);
    const place = createWorkplace(t);
    const { stdout } = await place.start(['tar', 'tzf', tarball('server')]).ended();
    const files = stdout.trimEnd().split('\n');
    const named = ['README.md', 'docs/deploying.md', 'docs/policies.md', 'examples/game.json'];
    for (const file of [
      'package.json',
      'LICENSE',
      'bin/respark.js',
      'dist/bundle/main.js',
      'dist/bundle/program.js',
      'dist/console/index.html',
      ...named,
    ])
      assert(files.includes(`package/${file}`), file);
    assert.deepEqual(
      files.filter((file) => /test|contract|sample|\.map$/.test(file)),
      [],
    );
    for (const name of ['protocol', 'client', 'server']) {
      const { stdout: manifest } = await place.start(['tar', 'xzOf', tarball(name), 'package/package.json']).ended();
      // Newer versions of npm warn of a package that has one of these, and run it only when they are told to.
      const run = Object.keys(JSON.parse(manifest).scripts).filter((script) => /install|prepare/.test(script));
      assert.deepEqual(run, [], name);
    }
  });

  it('ask the registry for no package of this repository, whose names anybody may take there', async (t) => {
    const place = createWorkplace(t);
    const textOf = async (name: string, file: string) =>
      (await place.start(['tar', 'xzOf', tarball(name), `package/${file}`]).ended()).stdout;
    for (const name of ['protocol', 'client', 'server']) {
      const { dependencies = {}, bundleDependencies = [] } = JSON.parse(await textOf(name, 'package.json'));
      const asked = Object.keys(dependencies).filter((each) => !bundleDependencies.includes(each));
      assert.deepEqual(
        asked.filter((each) => each.startsWith('@respark/')),
        [],
        name,
      );
    }
    for (const file of ['main.js', 'program.js'])
      assert.doesNotMatch(await textOf('server', `dist/bundle/${file}`), /\b(from|import) ?\(?["']@respark\//, file);
  });

  it('[aws-cli] install together without a compiler, serve the demo, and disconnect a player', {
    skip: aws === undefined && 'no AWS CLI that knows gamesparks',
  }, async (t) => {
    const place = createWorkplace(t);
    const cwd = join(place.directory, 'studio');
    if (!(await install(t, cwd, ['protocol', 'client', 'server'].map(tarball)))) return;
    const lock = readFileSync(join(cwd, 'package-lock.json'), 'utf8');
    assert(!/hasInstallScript|typescript|"dev": true/.test(lock), 'nothing runs or compiles when it is installed');
    const bytes = installedBytes(join(cwd, 'node_modules'));
    assert(bytes <= MAX_INSTALLED_BYTES, `${bytes} bytes are installed`);
    t.diagnostic(`${(bytes / 1e6).toFixed(1)} MB installed`);

    const respark = (...args: string[]) => place.start(['npx', '--no-install', 'respark', ...args], { cwd });
    const server = respark('serve', '--demo', '--port', '0');
    const [, endpoint = ''] = await server.printed(/Management API +(\S+)/);
    await server.printed(/Demo +game Demo/);
    const player = respark('connect');
    const [, connectionId] = await player.printed(/^connected as demo-player, connection (\S+)$/m);
    const credentials = JSON.parse(readFileSync(join(cwd, 'respark-data', 'root-credentials'), 'utf8'));
    const input = { GameName: 'Demo', StageName: 'Dev', PlayerId: 'demo-player' };
    assert.deepEqual(await aws?.({ endpoint, operation: 'DisconnectPlayer', input, credentials }), {
      DisconnectSuccesses: [connectionId],
      DisconnectFailures: [],
    });
    await player.printed(/^closed: 4500 disconnected/m);

    const game = join(ROOT, 'examples', 'game.json');
    for (const args of [
      ['import', game, '--game', 'Demo'],
      ['deploy', '--game', 'Demo', '--stage', 'Dev'],
    ]) {
      const { exitCode, stderr } = await respark(...args).ended();
      assert.equal(exitCode, 0, stderr);
    }
  });

  it('are made, installed in an empty folder and served by the commands of the README', async (t) => {
    const [, block = ''] = /^```sh\n(mkdir .*?)^```$/ms.exec(readFileSync(join(ROOT, 'README.md'), 'utf8')) ?? [];
    const [make = '', installAndServe = ''] = block.trim().split('\n');
    const [enter = '', init = '', install = '', serve = ''] = installAndServe.split(' && ');
    assert.equal(serve, 'npx respark serve --demo');
    const place = createWorkplace(t);
    const env = { npm_config_prefer_offline: 'true', npm_config_cache: cache, RESPARK_PORT: '0' };
    const type = (command: string, cwd: string) => place.start(['sh', '-c', command], { cwd, env });
    const made = await type(make, ROOT).ended();
    assert.equal(made.exitCode, 0, made.stderr);
    const installed = await type([enter, init, install].join(' && '), place.directory).ended();
    if (installed.exitCode !== 0 && process.env.CI !== 'true' && CANNOT_REACH.test(installed.stderr))
      return t.skip('the registry of npm cannot be reached');
    assert.equal(installed.exitCode, 0, installed.stderr);
    const server = type([enter, serve].join(' && '), place.directory);
    await server.printed(/Demo +game Demo/);
  });

  it('give a game in TypeScript a client that compiles strictly and connects, and is bundled for browsers in CI', async (t) => {
    const place = createWorkplace(t);
    const cwd = join(place.directory, 'game');
    // The bundler is large, and a game may have another.
    const bundlers = process.env.CI === 'true' ? ['esbuild@0.28'] : [];
    if (!(await install(t, cwd, [...['protocol', 'client'].map(tarball), ...bundlers]))) return;
    writeFileSync(join(cwd, 'game.ts'), GAME_SOURCE);
    const strictly = ['--strict', '--exactOptionalPropertyTypes', '--target', 'es2023', '--lib', 'es2023,dom'];
    for (const [module, resolution] of [
      ['esnext', 'bundler'],
      ['nodenext', 'nodenext'],
    ] as const) {
      const words = [...strictly, '--module', module, '--moduleResolution', resolution, '--types', '', 'game.ts'];
      const { exitCode, stdout } = await place.start([process.execPath, COMPILER, ...words], { cwd }).ended();
      assert.equal(exitCode, 0, stdout);
    }
    const files = ['game.js'];
    if (bundlers.length > 0) {
      const words = ['game.ts', '--bundle', '--format=esm', '--outfile=bundle.js'];
      const { exitCode, stderr } = await place.start(['npx', '--no-install', 'esbuild', ...words], { cwd }).ended();
      assert.equal(exitCode, 0, stderr);
      files.push('bundle.js');
    }
    const server = await place.serve(['--demo']);
    for (const file of files) {
      const { play } = await import(pathToFileURL(join(cwd, file)).href);
      assert.match(await play(server.playerUrl, server.gameKey, WebSocket), /^\w+$/);
    }
  });
});

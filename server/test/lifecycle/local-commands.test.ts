import assert from 'node:assert/strict';
import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import Libsql from 'libsql';
import { createProgram } from '../../src/cli/program.ts';
import { findAws } from '../support/aws-cli.ts';
import { createWorkplace, type Workplace } from '../support/process.ts';
import { createTestWorld } from '../support/world.ts';

const aws = await findAws();
const DEMO_PLAYER = ['--game', 'Demo', '--stage', 'Dev', '--player', 'demo-player'];

describe('"respark doctor"', () => {
  const findings = async (place: Workplace) => {
    const { exitCode, stdout } = await place.respark(['doctor', '--json']);
    const list: { check: string; state: string; detail: string }[] = JSON.parse(stdout);
    return { exitCode, failed: list.filter(({ state }) => state === 'fail').map(({ check }) => check), list };
  };

  it('finds nothing wrong with a running server, and says so line by line', async (t) => {
    const place = createWorkplace(t);
    const server = await place.serve(['--demo']);
    const { exitCode, stdout } = await place.respark(['doctor']);
    assert.equal(exitCode, 0, stdout);
    for (const line of [
      `server: ${server.url} answers`,
      'secret key: decrypts the stored secrets',
      'settings: valid',
    ]) {
      assert(stdout.includes(`ok    ${line}\n`), stdout);
    }
    assert.match(stdout, /^ok {4}clock: \d+ s off the server's/m);
  });

  it('fails for an open data directory, a server that is gone and a setting that is wrong', async (t) => {
    const place = createWorkplace(t);
    assert.deepEqual((await findings(place)).failed, [], 'nothing is there yet');
    const server = await place.serve();
    server.child.kill('SIGKILL');
    await server.ended();
    chmodSync(join(server.dataDir, 'secret.key'), 0o644);
    const { exitCode, failed } = await findings(place);
    assert.deepEqual([exitCode, failed], [1, ['data directory', 'secret key', 'server']]);
    const wrong = await place.respark(['doctor'], { env: { RESPARK_PORT: '80a' } });
    assert.equal(wrong.exitCode, 1);
    assert.match(wrong.stdout, /^fail {2}settings: RESPARK_PORT must be 0-65535, got "80a"/m);
  });

  it('names a database that is damaged where the start of a server, or a call, would meet it', async (t) => {
    const place = createWorkplace(t);
    const server = await place.serve();
    server.child.kill('SIGTERM');
    await server.ended();
    assert.deepEqual((await findings(place)).failed, []);
    const file = join(server.dataDir, 'respark.sqlite');
    const database = new Libsql(file);
    database.exec('PRAGMA wal_checkpoint(TRUNCATE)');
    database.close();
    const pages = readFileSync(file);
    writeFileSync(file, pages.fill(0xa5, 4 * 4_096, 8 * 4_096));
    const { failed, list } = await findings(place);
    assert.deepEqual(failed, ['databases']);
    const { detail = '' } = list.find(({ check }) => check === 'databases') ?? {};
    assert.match(detail, /^cannot use \S+\/respark\.sqlite: it is damaged: .*: restore a backup$/);
  });
});

describe('a shell with a proxy that cannot reach the server', () => {
  const env = { HTTP_PROXY: 'http://127.0.0.1:9', http_proxy: 'http://127.0.0.1:9' };
  const skip = aws === undefined && 'no AWS CLI that knows gamesparks';

  it('[aws-cli] calls the server after "respark env", which excludes it from the proxy', { skip }, async (t) => {
    const place = createWorkplace(t);
    const { url, dataDir } = await place.serve(['--demo']);
    const variables = (await place.respark(['env', '--data-dir', dataDir])).stdout;
    const withProxy = (await place.respark(['env', '--data-dir', dataDir], { env })).stdout;
    const list = async (commands: string) => {
      const words = `${commands}\naws gamesparks list-games --endpoint-url ${url}`;
      const AWS_MAX_ATTEMPTS = '1';
      const PATH = pathOfAws;
      return await place.start(['sh', '-c', words], { env: { ...env, AWS_MAX_ATTEMPTS, PATH } }).ended();
    };
    const pathOfAws = place.pathWith(aws ?? '');
    const lost = await list(variables);
    assert.match(lost.stderr, /proxy/i, 'the proxy takes the calls');
    const { exitCode, stdout, stderr } = await list(withProxy);
    assert.equal(exitCode, 0, stderr);
    assert.equal(JSON.parse(stdout).Games.length, 1);
  });

  it('does not lead our own commands astray', async (t) => {
    const place = createWorkplace(t);
    await place.serve(['--demo']);
    for (const words of [['health'], ['api', 'ListGames'], ['disconnect', ...DEMO_PLAYER]]) {
      const { exitCode, stderr } = await place.respark(words, { env });
      assert.equal(exitCode, 0, `${words.join(' ')}: ${stderr}`);
    }
    const player = place.startRespark(['connect'], { env });
    await player.printed(/^connected as demo-player/m);
  });
});

describe('"respark config"', () => {
  it('prints what a server would run with and checks it, without making anything', async (t) => {
    const place = createWorkplace(t);
    const env = { RESPARK_PORT: '9000', RESPARK_SECRET_KEY: Buffer.alloc(32, 7).toString('base64') };
    const printed = await place.respark(['config', 'print', '--max-games', '7'], { env });
    assert.equal(printed.exitCode, 0);
    assert.match(printed.stdout, /^RESPARK_PORT +9000 +the environment$/m);
    assert.match(printed.stdout, /^RESPARK_MAX_GAMES +7 +the command line$/m);
    assert.match(printed.stdout, /^RESPARK_SECRET_KEY +set +the environment$/m);
    assert(!printed.stdout.includes(env.RESPARK_SECRET_KEY));
    const checked = await place.respark(['config', 'check'], { env });
    assert.deepEqual([checked.exitCode, checked.stdout], [0, 'the settings are valid\n']);
    const bad = await place.respark(['config', 'check', '--max-games', '0'], { env: { RESPARK_PROT: '1' } });
    assert.deepEqual([bad.exitCode, bad.stdout, bad.stderr.trimEnd().split('\n').length], [2, '', 2]);
  });
});

describe('the command line', () => {
  it('has help for every command, on stdout and with 0', async (t) => {
    const place = createWorkplace(t);
    const commands = createProgram(createTestWorld()).commands.flatMap((command) => [
      [command.name()],
      ...command.commands.map((child) => [command.name(), child.name()]),
    ]);
    assert(commands.length >= 14);
    const inAProcess = async (words: readonly string[]) => await place.respark([...words, '--help']);
    const here = async (words: readonly string[]) => {
      const world = createTestWorld();
      return { exitCode: await world.run(...words, '--help'), stdout: world.out(), stderr: world.err() };
    };
    for (const [words, help] of [
      [[], inAProcess],
      [['keys', 'create'], inAProcess],
      ...commands.map((words) => [words, here] as const),
    ] as const) {
      const { exitCode, stdout, stderr } = await help(words);
      assert.deepEqual([exitCode, stderr], [0, ''], words.join(' '));
      assert(stdout.startsWith(`Usage: ${['respark', ...words].join(' ')} `), stdout);
    }
  });

  it('refuses a command that there is not with 2', async (t) => {
    const { exitCode, stdout, stderr } = await createWorkplace(t).respark(['conect']);
    assert.deepEqual([exitCode, stdout], [2, '']);
    assert.match(stderr, /^error: unknown command 'conect' \(Did you mean connect\?\) .*\n$/);
  });
});

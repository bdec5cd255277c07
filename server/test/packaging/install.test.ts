import assert from 'node:assert/strict';
import { chmodSync, cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { createWorkplace } from '../support/process.ts';

/** Seen from server/dist/test/packaging. */
const ROOT = fileURLToPath(new URL('../../../../', import.meta.url));

interface Lock {
  readonly packages: Readonly<Record<string, { readonly hasInstallScript?: boolean; readonly dev?: boolean }>>;
}

const readLock = (file: string) => JSON.parse(readFileSync(join(ROOT, file), 'utf8')) as Lock;

describe('npm ci', () => {
  it('brings no peer of the bench, and nothing that needs a script when it is installed', () => {
    const { packages } = readLock('package-lock.json');
    const names = Object.keys(packages);
    assert(names.some((name) => name.endsWith('/libsql')));
    // Its script looks whether the binary that the package brings fits this machine; the tests do well without.
    const unneeded = 'node_modules/classic-level';
    assert.equal(packages[unneeded]?.dev, true);
    assert.deepEqual(
      names.filter((name) => /colyseus|socket\.io|^bench/.test(name) || packages[name]?.hasInstallScript),
      [unneeded],
    );
  });
});

/** A clone in which the commands that `npm run bench` runs only say that they run. */
function createClone(directory: string): void {
  const write = (file: string, text: string) => {
    mkdirSync(dirname(join(directory, file)), { recursive: true });
    writeFileSync(join(directory, file), text);
  };
  for (const file of ['scripts/bench.js', 'bench/package-lock.json', 'package.json'])
    cpSync(join(ROOT, file), join(directory, file));
  write('node_modules/typescript/bin/tsc', 'console.log("build", ...process.argv.slice(2))');
  write('bench/dist/src/run.js', 'console.log("bench", ...process.argv.slice(2))');
  write('bin/npm', '#!/bin/sh\necho "npm $*, in $(basename "$PWD")"\n');
  chmodSync(join(directory, 'bin', 'npm'), 0o755);
}

describe('npm start', () => {
  it('says what to do where npm has left out the compiler, and starts what was built before', async (t) => {
    const place = createWorkplace(t);
    const scripts = ['scripts/build.js', 'scripts/console-build.js', 'scripts/server-bundle.js'];
    for (const file of ['package.json', ...scripts, 'server/bin/respark.js', 'server/package.json'])
      cpSync(join(ROOT, file), join(place.directory, file));
    const npm = async (...words: string[]) => {
      const env = { NODE_ENV: 'production', npm_config_update_notifier: 'false' };
      const running = place.start(['npm', ...words], { env });
      const { exitCode, stdout, stderr } = await running.ended();
      return { exitCode, stdout: stdout.replace(/^\n(> .*\n)+\n/, ''), stderr };
    };
    const advice = 'npm ci --include=dev && npm run build && npm prune --omit=dev';
    const stderr = `respark cannot be built, because npm has left out the compiler, as it does with NODE_ENV=production; run: ${advice}\n`;
    for (const words of [['start'], ['test'], ['run', 'build']])
      assert.deepEqual(await npm(...words), { exitCode: 1, stdout: '', stderr });

    const built = join(place.directory, 'server', 'dist', 'bundle');
    mkdirSync(built, { recursive: true });
    writeFileSync(join(built, 'program.js'), 'export const run = async (words) => console.log(words.join(" "));');
    writeFileSync(join(built, 'process-world.js'), 'export const createProcessWorld = () => undefined;');
    assert.deepEqual(await npm('start'), { exitCode: 0, stdout: 'serve --demo\n', stderr: '' });
    assert.deepEqual(await npm('run', 'build'), { exitCode: 1, stdout: '', stderr });
  });

  it('says that this Node.js is too old before it builds anything with it', async (t) => {
    const place = createWorkplace(t);
    const scripts = ['scripts/build.js', 'scripts/console-build.js', 'scripts/server-bundle.js'];
    for (const file of ['package.json', ...scripts]) cpSync(join(ROOT, file), join(place.directory, file));
    const compiler = join(place.directory, 'node_modules', 'typescript', 'bin');
    mkdirSync(compiler, { recursive: true });
    writeFileSync(join(compiler, 'tsc'), 'console.log("it compiles");');
    const pretend = 'Object.defineProperty(process, "versions", { value: { ...process.versions, node: "18.20.8" } });';
    const old = `data:text/javascript,${encodeURIComponent(pretend)}`;
    const running = place.start([process.execPath, '--import', old, 'scripts/build.js', '--unless-built']);
    const { exitCode, stdout, stderr } = await running.ended();
    const refusal = 'respark needs Node.js 20.19 or later, but this is 18.20.8: install Node.js 24\n';
    assert.deepEqual({ exitCode, stdout, stderr }, { exitCode: 1, stdout: '', stderr: refusal });
  });
});

describe('npm test', () => {
  it('has the tests of modules give way, and does not raise what was started lower, which only an administrator may', async (t) => {
    const place = createWorkplace(t);
    const write = (file: string, text: string) => {
      mkdirSync(dirname(join(place.directory, file)), { recursive: true });
      writeFileSync(join(place.directory, file), text);
    };
    const tell = 'console.log(require("node:os").getPriority())';
    for (const file of ['dist/src/some.test.js', 'dist/test/some.test.js']) write(file, tell);
    write('nice.cjs', 'require("node:os").setPriority(10)');
    const priorityOf = async (file: string, ...first: string[]) => {
      const loaded = [...first, join(ROOT, 'scripts/give-way.cjs')].flatMap((each) => ['--require', each]);
      const running = place.start([process.execPath, ...loaded, join(place.directory, file)]);
      return (await running.ended()).stdout;
    };
    const usual = await priorityOf('dist/test/some.test.js');
    // The run of this test may have been started lower.
    const lower = Number(usual) < 5 ? '5\n' : usual;
    if (process.platform !== 'win32') assert.equal(await priorityOf('dist/src/some.test.js'), lower);
    if (Number(usual) <= 10)
      assert.equal(await priorityOf('dist/src/some.test.js', join(place.directory, 'nice.cjs')), '10\n');
  });
});

describe('npm run bench', () => {
  const installing = 'Installing the peers of the bench, Socket.IO and Colyseus, into bench/node_modules …\n';
  const npm = 'npm ci --ignore-scripts --no-audit --no-fund, in bench\n';
  const bench = 'build --build bench/tsconfig.peers.json\nbench --quick\n';

  it('installs its peers first when they are not there, or are others', async (t) => {
    const place = createWorkplace(t);
    createClone(place.directory);
    const env = { PATH: `${join(place.directory, 'bin')}:${process.env.PATH}` };
    const run = async (...args: string[]) => {
      const { exitCode, stdout, stderr } = await place
        .start([process.execPath, 'scripts/bench.js', ...args], { env })
        .ended();
      return { exitCode, stdout, stderr };
    };
    assert.deepEqual(await run('--quick'), { exitCode: 0, stdout: `${npm}${bench}`, stderr: installing });

    const lock = readFileSync(join(ROOT, 'bench', 'package-lock.json'), 'utf8');
    const installed = join(place.directory, 'bench', 'node_modules', '.package-lock.json');
    mkdirSync(dirname(installed));
    writeFileSync(installed, lock.replace('"version": "4.8.4"', '"version": "4.8.3"'));
    assert.deepEqual(await run('--quick'), { exitCode: 0, stdout: `${npm}${bench}`, stderr: installing });
    writeFileSync(installed, lock);
    assert.deepEqual(await run('--quick'), { exitCode: 0, stdout: bench, stderr: '' });
  });

  it('explains itself without its peers', async (t) => {
    const place = createWorkplace(t);
    createClone(place.directory);
    const { stdout, stderr } = await place.start([process.execPath, 'scripts/bench.js', '--help']).ended();
    assert.deepEqual({ stdout, stderr }, { stdout: 'bench --help\n', stderr: '' });
  });
});

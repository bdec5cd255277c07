import assert from 'node:assert/strict';
import { execFile, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  closeSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { startFakeService } from './support/fake-service.ts';

const BIN = fileURLToPath(new URL('../../bin/respark.js', import.meta.url));

async function respark(args: string[], { bin = BIN, env = {}, nodeArgs = [] as string[] } = {}) {
  return await new Promise<{ exitCode: number | null; stdout: string; stderr: string }>((resolve) => {
    const options = { env: { PATH: process.env.PATH, ...env } };
    const child = execFile(process.execPath, [...nodeArgs, bin, ...args], options, (_, stdout, stderr) => {
      resolve({ exitCode: child.exitCode, stdout, stderr });
    });
  });
}

describe('the command respark', () => {
  it('runs, and tells the version of its package', async () => {
    assert.deepEqual(await respark(['--version']), { exitCode: 0, stdout: '0.1.0\n', stderr: '' });
  });

  it('runs through a link that leads to it, as an operator makes one in /usr/local/bin', async (t) => {
    const directory = mkdtempSync(join(tmpdir(), 'respark-bin-'));
    t.after(() => rmSync(directory, { recursive: true }));
    const bin = join(directory, 'respark');
    symlinkSync(BIN, bin);
    assert.deepEqual(await respark(['--version'], { bin }), { exitCode: 0, stdout: '0.1.0\n', stderr: '' });
  });

  it('writes all of its output to a pipe before it ends', async () => {
    const { exitCode, stdout } = await respark(['config', 'print', '--json']);
    assert.equal(exitCode, 0);
    assert.ok(JSON.parse(stdout).length > 30);
  });

  const noFull = existsSync('/dev/full') ? false : 'there is no /dev/full here';
  it('says why its output is missing, as where it goes to a file on a full disk', { skip: noFull }, () => {
    const full = openSync('/dev/full', 'w');
    const { status, stderr } = spawnSync(process.execPath, [BIN, '--version'], { stdio: ['ignore', full, 'pipe'] });
    closeSync(full);
    assert.equal(status, 1);
    assert.match(
      String(stderr),
      /^cannot write what this command prints: the disk is full \(ENOSPC\): make room on it; /,
    );
  });

  const skip = process.platform === 'win32' ? 'Windows has no such rights of files' : false;
  it('says by its exit code that it has failed, also when nobody reads what it prints', { skip }, async (t) => {
    const directory = mkdtempSync(join(tmpdir(), 'respark-bin-'));
    t.after(() => rmSync(directory, { recursive: true }));
    // Other users may read it, so the check of it fails.
    chmodSync(directory, 0o755);
    const env = { PATH: process.env.PATH };
    const child = spawn(process.execPath, [BIN, 'doctor', '--data-dir', directory], { env });
    child.stdout.destroy();
    assert.deepEqual(await once(child, 'exit'), [1, null]);
  });

  it('says so also when it takes long after nobody reads any more', async (t) => {
    // The player never comes, so each end of the rehearsal takes a second, and none can be played.
    const { url } = await startFakeService(t, () => ({ body: { Connections: [] } }));
    const env = { AWS_ENDPOINT_URL: url, AWS_ACCESS_KEY_ID: 'AKIAROOT', AWS_SECRET_ACCESS_KEY: 'secret' };
    const words = ['rehearse', '--game', 'Demo', '--stage', 'Dev', '--player', 'p1', '--settle', '0', '--wait', '1'];
    const child = spawn(process.execPath, [BIN, ...words], { env: { PATH: process.env.PATH, ...env } });
    t.after(() => child.kill('SIGKILL'));
    await once(child.stdout, 'data');
    child.stdout.destroy();
    assert.deepEqual(await once(child, 'exit'), [1, null]);
  });

  it('ends when nobody reads any more what it would print for ever', async (t) => {
    const line = { Time: '2030-01-02T03:04:05Z', Level: 'INFO', Text: 'again', Position: 1 };
    const { url } = await startFakeService(t, () => ({ body: { LogLines: [line], Cursor: 1, IsEnd: true } }));
    const env = { AWS_ENDPOINT_URL: url, AWS_ACCESS_KEY_ID: 'AKIAROOT', AWS_SECRET_ACCESS_KEY: 'secret' };
    const words = ['logs', '--game', 'Demo', '--stage', 'Dev', '--limit', '1', '--follow'];
    const child = spawn(process.execPath, [BIN, ...words], { env: { PATH: process.env.PATH, ...env } });
    t.after(() => child.kill('SIGKILL'));
    await once(child.stdout, 'data');
    child.stdout.destroy();
    assert.deepEqual(await once(child, 'exit'), [0, null]);
  });

  it('opens no debugger at a signal, which every user of the machine could use', { skip }, async (t) => {
    const line = { Time: '2030-01-02T03:04:05Z', Level: 'INFO', Text: 'once', Position: 1 };
    const { url } = await startFakeService(t, () => ({ body: { LogLines: [line], Cursor: 1, IsEnd: true } }));
    const env = { AWS_ENDPOINT_URL: url, AWS_ACCESS_KEY_ID: 'AKIAROOT', AWS_SECRET_ACCESS_KEY: 'secret' };
    const words = ['logs', '--game', 'Demo', '--stage', 'Dev', '--follow'];
    // The port is one that is free, so that another debugger does not count.
    const nodeArgs = ['--inspect-port=127.0.0.1:0', BIN, ...words];
    const child = spawn(process.execPath, nodeArgs, { env: { PATH: process.env.PATH, ...env } });
    t.after(() => child.kill('SIGKILL'));
    let told = '';
    child.stderr.on('data', (chunk) => {
      told += String(chunk);
    });
    await once(child.stdout, 'data');
    child.kill('SIGUSR1');
    await setTimeout(1_000);
    assert.doesNotMatch(told, /Debugger/);
    assert.equal(child.exitCode, null);
  });

  const namespace = ['--user', '--map-root-user', '--pid', '--fork', '--kill-child'];
  const noNamespace =
    spawnSync('unshare', [...namespace, 'true']).status === 0
      ? false
      : 'there is no unshare that makes a process 1 here';
  for (const [signal, exitCode] of [
    ['SIGTERM', 143],
    ['SIGINT', 130],
    ['SIGHUP', 129],
  ] as const) {
    it(`ends at a ${signal} during its start also as process 1, as in a container`, {
      skip: noNamespace,
    }, async (t) => {
      const directory = mkdtempSync(join(tmpdir(), 'respark-bin-'));
      t.after(() => rmSync(directory, { recursive: true }));
      for (const folder of ['bin', 'dist', 'dist/bundle']) mkdirSync(join(directory, folder));
      const bin = join(directory, 'bin', 'respark.js');
      copyFileSync(BIN, bin);
      writeFileSync(join(directory, 'package.json'), '{"type":"module"}');
      // Stands for a program that is not listening for signals yet. It says by which number others know the process.
      const program = `import { readlinkSync } from 'node:fs';
        process.stdout.write(readlinkSync('/proc/self'));
        await new Promise((resolve) => setTimeout(resolve, 60_000));`;
      writeFileSync(join(directory, 'dist', 'bundle', 'program.js'), program);
      const child = spawn('unshare', [...namespace, process.execPath, bin], { stdio: ['ignore', 'pipe', 'inherit'] });
      t.after(() => child.kill('SIGKILL'));
      const [pid] = await once(child.stdout, 'data');
      process.kill(Number(pid), signal);
      await once(child, 'exit');
      assert.equal(child.exitCode, exitCode);
    });
  }

  const noShell = process.platform === 'win32' ? 'Windows has no such limit' : false;
  it('says in one line that it may not open enough files to begin', { skip: noShell }, () => {
    const run = (files: number) =>
      spawnSync('sh', ['-c', `ulimit -n ${files} && exec "$0" "$1" --version`, process.execPath, BIN], {
        env: { ...process.env, NODE_EXTRA_CA_CERTS: '' },
      });
    // Each release of Node.js needs other numbers of files for itself.
    let files = 40;
    while (run(files).status === 0) files -= 1;
    const { status, stderr } = run(files);
    assert.equal(status, 1);
    assert.match(String(stderr), /^respark cannot open its own files, because too many files are open: [^\n]+\n$/);
  });

  it('ends with 2 and a line on stderr when a setting is wrong', async () => {
    assert.deepEqual(await respark(['config', 'check'], { env: { RESPARK_PORT: 'tcp://10.0.0.1:80' } }), {
      exitCode: 2,
      stdout: '',
      stderr:
        'RESPARK_PORT must be 0-65535, got "tcp://10.0.0.1:80" (from the environment): Kubernetes sets it for a Service named "respark"; rename the Service, set enableServiceLinks: false in the pod, or give --port\n',
    });
  });

  it('refuses a Node.js on which it cannot work', async () => {
    const pretend = 'Object.defineProperty(process, "versions", { value: { ...process.versions, node: "20.18.3" } });';
    const nodeArgs = ['--import', `data:text/javascript,${encodeURIComponent(pretend)}`];
    assert.deepEqual(await respark(['--version'], { nodeArgs }), {
      exitCode: 1,
      stdout: '',
      stderr: 'respark needs Node.js 20.19 or later, but this is 20.18.3: install Node.js 24\n',
    });
  });

  it('says what to run when nothing is built', async (t) => {
    const directory = mkdtempSync(join(tmpdir(), 'respark-bin-'));
    t.after(() => rmSync(directory, { recursive: true }));
    mkdirSync(join(directory, 'bin'));
    copyFileSync(BIN, join(directory, 'bin', 'respark.js'));
    writeFileSync(join(directory, 'package.json'), '{"type":"module"}');
    const bin = join(directory, 'bin', 'respark.js');
    const advice = 'respark is not built yet; run: npm ci --include=dev && npm run build';
    const refusal = { exitCode: 1, stdout: '', stderr: `${advice}\n` };
    assert.deepEqual(await respark(['serve'], { bin }), refusal);
    assert.deepEqual(await respark(['serve'], { bin, env: { NODE_ENV: 'production' } }), {
      ...refusal,
      stderr: `${advice} && npm prune --omit=dev\n`,
    });
  });
});

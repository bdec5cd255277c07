import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { temporaryDirectory } from '../store/test-store.ts';
import { openDataDirectory } from './data-directory.ts';

const secretKey = Buffer.alloc(32, 7).toString('base64');
const modeOf = (path: string) => (statSync(path).mode & 0o777).toString(8);

function open(t: TestContext, path: string, options: { secretKey?: string; isShared?: boolean } = {}) {
  const directory = openDataDirectory({ path, ...options });
  t.after(() => directory.close());
  return directory;
}

/** The one line that opening the directory fails with. */
function refusal(options: { path: string; secretKey?: string; isShared?: boolean }): string {
  try {
    openDataDirectory(options).close();
  } catch (error) {
    assert.ok(error instanceof Error && error.name === 'StartupError' && !error.message.includes('\n'));
    return error.message;
  }
  return assert.fail('it was not refused');
}

/**
 * This file is also the server that a test kills: it says when it has the directory, and lives as long as its parent.
 */
async function holdDirectory(path: string): Promise<void> {
  const directory = openDataDirectory({ path });
  process.stdout.write('open\n');
  await once(process.stdin.resume(), 'end');
  directory.close();
}

function testDirectory(): void {
  test('a missing directory is made for its owner alone, and every file in it too, whatever the umask', (t) => {
    const umask = process.umask(0);
    t.after(() => process.umask(umask));
    const path = join(temporaryDirectory(t), 'a', 'b');
    const directory = open(t, path);
    directory.writeSecretFile('note', 'text');
    assert.equal(modeOf(path), '700');
    const modes = readdirSync(path).map((name) => `${name} ${modeOf(join(path, name))}`);
    assert.deepEqual(modes.sort(), ['lock 600', 'note 600', 'secret.key 600']);
    assert.equal(directory.path, path);
    assert.equal(directory.file('note'), join(path, 'note'));
  });

  test('a directory is in its place until it is moved, and for as long as nobody can look', (t) => {
    const path = join(temporaryDirectory(t), 'data');
    const directory = open(t, path);
    assert.equal(directory.isInPlace(), true);
    renameSync(path, `${path}-moved`);
    assert.equal(directory.isInPlace(), false);
    symlinkSync(path, path);
    assert.equal(directory.isInPlace(), true, 'a path that leads nowhere is an error of the disk');
    rmSync(path);
    renameSync(`${path}-moved`, path);
    assert.equal(directory.isInPlace(), true);
  });

  test('a directory that others may enter is closed to them if it is empty or a server’s', (t) => {
    const path = temporaryDirectory(t);
    chmodSync(path, 0o755);
    open(t, path).close();
    assert.equal(modeOf(path), '700');
    chmodSync(path, 0o770);
    open(t, path);
    assert.equal(modeOf(path), '700');
  });

  test('a directory with other files that other users may enter is refused and left as it is', (t) => {
    const path = temporaryDirectory(t);
    writeFileSync(join(path, 'holiday.jpg'), '');
    chmodSync(path, 0o755);
    assert.equal(
      refusal({ path }),
      `the data directory ${path} contains files that are not Respark's, and other users may enter it (mode 755): set RESPARK_DATA_DIR to a new directory, or run "chmod 700 ${path}"`,
    );
    assert.equal(modeOf(path), '755');
    assert.deepEqual(readdirSync(path), ['holiday.jpg']);
  });

  test('a path that cannot be a directory is refused', (t) => {
    const path = join(temporaryDirectory(t), 'file');
    writeFileSync(path, '');
    assert.equal(refusal({ path }), `the data directory ${path} is not a directory: set RESPARK_DATA_DIR`);
    assert.match(
      refusal({ path: join(path, 'below') }),
      /^cannot use the data directory .*\/file\/below: a part of its path is not a directory \(ENOTDIR\): check the path, or/,
    );
  });

  test('a file is written whole or not at all', (t) => {
    const path = temporaryDirectory(t);
    const directory = open(t, path);
    assert.equal(directory.readFile('note'), undefined);
    directory.writeSecretFile('note', 'one');
    directory.writeSecretFile('note', 'two');
    assert.equal(directory.readFile('note'), 'two');
    mkdirSync(join(path, 'taken'));
    assert.throws(() => directory.writeSecretFile('taken', 'text'));
    directory.writeSecretFile('note', 'three');
    assert.equal(readFileSync(join(path, 'note'), 'utf8'), 'three');
  });
}

function testLock(): void {
  test('a second server on the directory is refused until the first closes it, even in the same process', (t) => {
    const path = temporaryDirectory(t);
    const first = open(t, path);
    const line = `a server is using the data directory ${path}: stop it, or set RESPARK_DATA_DIR`;
    assert.equal(refusal({ path }), line);
    assert.equal(refusal({ path }), line);
    for (const text of ['', 'null', '{"url":"nonsense"}']) {
      first.writeSecretFile('running.json', text);
      assert.equal(refusal({ path }), line);
    }
    first.writeSecretFile('running.json', '{"url":"http://127.0.0.1:8080"}');
    assert.equal(refusal({ path }), line.replace('stop it', 'stop it (http://127.0.0.1:8080)'));
    first.close();
    first.close();
    open(t, path);
  });

  test('the lock ends with its process, even by kill -9', async (t) => {
    const path = temporaryDirectory(t);
    const server = spawn(process.execPath, [fileURLToPath(import.meta.url), 'hold', path]);
    t.after(() => server.kill('SIGKILL'));
    await once(server.stdout, 'data');
    assert.match(refusal({ path }), /^a server is using/);
    server.kill('SIGKILL');
    assert.deepEqual(await once(server, 'exit'), [null, 'SIGKILL']);
    open(t, path);
  });

  test('a command shares the directory with a running server, and makes nothing', (t) => {
    const path = join(temporaryDirectory(t), 'data');
    assert.equal(
      refusal({ path, isShared: true }),
      `there is no data directory ${path}: start the server, or set RESPARK_DATA_DIR`,
    );
    mkdirSync(path, { mode: 0o700 });
    const noDatabase = `there is no database in ${path}: start the server, or set RESPARK_DATA_DIR`;
    assert.equal(refusal({ path, isShared: true }), noDatabase);
    assert.equal(refusal({ path, isShared: true, secretKey }), noDatabase);
    assert.deepEqual(readdirSync(path), []);
    const server = open(t, path);
    writeFileSync(server.file('respark.sqlite'), '');
    const command = open(t, path, { isShared: true });
    assert.equal(command.keyring.keyId, server.keyring.keyId);
    command.close();
    assert.match(refusal({ path }), /^a server is using/);
  });
}

function testSecretKey(): void {
  test('the secret key is made once and kept', (t) => {
    const path = temporaryDirectory(t);
    const first = open(t, path);
    const text = first.readFile('secret.key') ?? '';
    assert.match(text, /^[A-Za-z0-9+/]{43}=\n$/);
    first.close();
    const second = open(t, path);
    assert.equal(second.keyring.keyId, first.keyring.keyId);
    assert.notEqual(open(t, temporaryDirectory(t)).keyring.keyId, first.keyring.keyId);
  });

  test('the secret key of the settings wins, and no file is made', (t) => {
    const path = temporaryDirectory(t);
    const first = open(t, path, { secretKey: `${secretKey}\n` });
    assert.equal(first.readFile('secret.key'), undefined);
    const urlSafe = Buffer.alloc(32, 0xff).toString('base64url');
    const [a, b] = [temporaryDirectory(t), temporaryDirectory(t)];
    const other = open(t, a, { secretKey: urlSafe });
    assert.equal(
      open(t, b, { secretKey: Buffer.alloc(32, 0xff).toString('base64') }).keyring.keyId,
      other.keyring.keyId,
    );
    assert.notEqual(other.keyring.keyId, first.keyring.keyId);
  });

  test('a secret key that a database was made with is not replaced by a new one', (t) => {
    const path = temporaryDirectory(t);
    writeFileSync(join(path, 'respark.sqlite'), '');
    const line = `the database in ${path} was made with a secret key, but secret.key is missing: put it back, or set RESPARK_SECRET_KEY`;
    assert.equal(refusal({ path }), line);
    assert.equal(refusal({ path, isShared: true }), line);
    assert.deepEqual(readdirSync(path).sort(), ['lock', 'respark.sqlite']);
    open(t, path, { secretKey });
  });

  test('a malformed secret key is refused without being shown, and the lock is released', (t) => {
    const path = temporaryDirectory(t);
    const advice = 'must be 32 random bytes in base64, as "openssl rand -base64 32" prints them; got';
    assert.equal(refusal({ path, secretKey: 'open sesame' }), `RESPARK_SECRET_KEY ${advice} 11 characters`);
    assert.equal(refusal({ path, secretKey: '' }), `RESPARK_SECRET_KEY ${advice} 0 characters`);
    writeFileSync(join(path, 'secret.key'), 'short\n', { mode: 0o600 });
    assert.equal(refusal({ path }), `${join(path, 'secret.key')} ${advice} 5 characters`);
    open(t, path, { secretKey });
  });
}

const [, , mode, path = ''] = process.argv;
if (mode === 'hold') {
  await holdDirectory(path);
} else {
  testDirectory();
  testLock();
  testSecretKey();
}

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { gunzipSync, gzipSync } from 'node:zlib';
import { temporaryDirectory } from '../store/test-store.ts';
import { readArchive, writeArchive } from './archive.ts';

const FILES = { 'a.sqlite': Buffer.alloc(100_000, 'SQLite'), empty: Buffer.alloc(0), block: Buffer.alloc(512, 1) };
const NAMES = Object.keys(FILES);

async function pack(t: TestContext): Promise<string> {
  const directory = temporaryDirectory(t);
  for (const [name, content] of Object.entries(FILES)) writeFileSync(join(directory, name), content);
  const file = join(temporaryDirectory(t), 'archive');
  const madeAt = '2026-01-02T03:04:05.000Z';
  await writeArchive({ file, directory, names: NAMES, version: '1.2.3', madeAt, progress: () => {} });
  return file;
}

async function unpack(t: TestContext, file: string, names = NAMES): Promise<string> {
  const directory = temporaryDirectory(t);
  await read({ file, directory, names, begin: () => {}, progress: () => {} });
  return directory;
}

async function read(options: Omit<Parameters<typeof readArchive>[0], 'source'>) {
  const source = await open(options.file, 'r');
  try {
    return await readArchive({ ...options, source });
  } finally {
    await source.close();
  }
}

/** Packs, changes the tar file, and compresses it again. */
async function changed(t: TestContext, change: (tar: Buffer) => Buffer): Promise<string> {
  const file = await pack(t);
  writeFileSync(file, gzipSync(change(gunzipSync(readFileSync(file)))));
  return file;
}

function replaced(tar: Buffer, from: string, to: string): Buffer {
  const at = tar.indexOf(from);
  assert(at >= 0 && from.length === to.length);
  return Buffer.concat([tar.subarray(0, at), Buffer.from(to), tar.subarray(at + from.length)]);
}

/** The tar file with this in the place of the length of its first member, and the checksum of the header that it has then. */
function withLength(tar: Buffer, length: string): Buffer {
  const header = Buffer.from(tar.subarray(0, 512));
  header.write(length, 124, 'latin1');
  header.fill(' ', 148, 156);
  const sum = header.reduce((all, byte) => all + byte, 0);
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return Buffer.concat([header, tar.subarray(512)]);
}

test('what was packed comes out again, private', async (t) => {
  const file = await pack(t);
  assert.equal(statSync(file).mode & 0o777, 0o600);
  const directory = await unpack(t, file);
  for (const [name, content] of Object.entries(FILES)) {
    assert.deepEqual(readFileSync(join(directory, name)), content);
    assert.equal(statSync(join(directory, name)).mode & 0o777, 0o600);
  }
});

const hasTar = spawnSync('tar', ['--version']).error === undefined;
test('any tar can open it', { skip: !hasTar && 'there is no tar' }, async (t) => {
  const directory = temporaryDirectory(t);
  const { status, stderr } = spawnSync('tar', ['-xzf', await pack(t), '-C', directory], { encoding: 'utf8' });
  assert.deepEqual([status, stderr], [0, '']);
  assert.deepEqual(readdirSync(directory).sort(), ['a.sqlite', 'block', 'empty', 'respark-backup.json']);
  assert.deepEqual(readFileSync(join(directory, 'a.sqlite')), FILES['a.sqlite']);
});

test('a file that ends too early, wherever, is damaged', async (t) => {
  const whole = readFileSync(await pack(t));
  for (let length = 30; length < whole.length; length += 1 + Math.floor(whole.length / 40)) {
    const file = join(temporaryDirectory(t), 'short');
    writeFileSync(file, whole.subarray(0, length));
    await assert.rejects(unpack(t, file), { name: 'StartupError', message: /is damaged|is not a backup of Respark/ });
  }
});

test('what follows the last part has a bound, for a few kilobytes may decompress to all that a disk holds', async (t) => {
  const long = await changed(t, (tar) => Buffer.concat([tar, Buffer.alloc(1_000_000)]));
  await assert.rejects(unpack(t, long), { name: 'StartupError', message: /is damaged \(more follows its last part\)/ });
  await unpack(t, await changed(t, (tar) => Buffer.concat([tar, Buffer.alloc(20 * 512)])));
});

test('any changed byte is noticed, unless it means nothing', async (t) => {
  const whole = readFileSync(await pack(t));
  let refused = 0;
  // The first bytes of gzip's header say nothing about what is in it.
  for (let at = 10; at < whole.length; at += 7) {
    const file = join(temporaryDirectory(t), 'changed');
    const bytes = Buffer.from(whole);
    bytes[at] = (bytes[at] ?? 0) ^ 0x20;
    writeFileSync(file, bytes);
    const directory = await unpack(t, file).catch((error: unknown) => {
      assert(error instanceof Error && error.name === 'StartupError', `byte ${at}: ${error}`);
      return undefined;
    });
    if (directory === undefined) refused += 1;
    else for (const name of NAMES) assert.deepEqual(readFileSync(join(directory, name)), FILES[name as 'empty']);
  }
  assert(refused > ((whole.length - 10) / 7) * 0.95, String(refused));
});

test('what is not a backup, or one of a later form, or has a file that none has, is refused before anything is written', async (t) => {
  const text = join(temporaryDirectory(t), 'text');
  writeFileSync(text, 'This is a letter.'.repeat(1_000));
  const cases = [
    [text, /text is not a backup of Respark: give a file that "respark backup" has made$/],
    [await changed(t, () => Buffer.alloc(10_000)), /is not a backup of Respark/],
    [await changed(t, (tar) => withLength(tar, 'zzzzzzzzzzz')), /is not a backup of Respark/],
    [await changed(t, (tar) => withLength(tar, '-0000000005')), /is not a backup of Respark/],
    [await changed(t, (tar) => replaced(tar, '"respark"', '"another"')), /damaged \(its table of contents/],
    [await changed(t, (tar) => replaced(tar, '"format": 1', '"format": 2')), /made by respark 1\.2\.3 in a form/],
    [await changed(t, (tar) => replaced(tar, '"block"', '"empty"')), /damaged \(it has empty twice\)/],
    [
      await changed(t, (tar) => replaced(tar, '"a.sqlite"', '"../../xx"')),
      /it has a file "..\/..\/xx" that no backup has/,
    ],
  ] as const;
  for (const [file, message] of cases) {
    const directory = temporaryDirectory(t);
    const begin = () => assert.fail('begun');
    await assert.rejects(read({ file, directory, names: NAMES, begin, progress: () => {} }), {
      name: 'StartupError',
      message,
    });
    assert.deepEqual(readdirSync(directory), []);
  }
  const content = await changed(t, (tar) => replaced(tar, 'SQLiteSQLite', 'SQLiteSQLitE'));
  await assert.rejects(unpack(t, content), /damaged \(the checksum of a\.sqlite is wrong\)/);
});

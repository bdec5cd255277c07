import assert from 'node:assert/strict';
import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import * as main from '../../src/main.ts';
import { createWorkplace } from '../support/process.ts';
import { serveHere } from '../support/serve-here.ts';
import { mountSmallDisk, whyNoSmallDisk } from '../support/small-disk.ts';
import { createTestWorld } from '../support/world.ts';

const skip = whyNoSmallDisk();
/** With a reserve a server would start on a full disk. */
const NO_RESERVE = ['--reserve-bytes', '0'];
const POLICY = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"gamesparks:Get*","Resource":"*"}]}';

async function run(...args: string[]): Promise<{ exitCode: number; err: string }> {
  const world = createTestWorld({ main });
  world.stdin.end(POLICY);
  const exitCode = await world.run(...args);
  return { exitCode, err: world.err() };
}

/** A small disk with the data of an earlier run and a backup of it, and nothing yet in `fresh`. */
async function openDisk(t: TestContext) {
  const disk = mountSmallDisk(t, 4);
  const place = createWorkplace(t);
  const names = { data: join(disk.path, 'data'), fresh: join(disk.path, 'fresh'), backup: join(disk.path, 'backup') };
  // A process of its own leaves nothing open when it has ended.
  const first = await place.serve([...NO_RESERVE, '--data-dir', names.data]);
  first.child.kill('SIGTERM');
  await first.ended();
  const { exitCode, stderr } = await place.respark(['backup', names.backup, '--data-dir', names.data]);
  assert.equal(exitCode, 0, stderr);
  return { above: place.directory, disk, ...names };
}

/** All but what SQLite keeps beside a database: a process removes it only when its statements have been collected. */
function filesOf(directory: string): string[] {
  return readdirSync(directory)
    .filter((name) => !/-(?:wal|shm)$/.test(name))
    .sort();
}

/** What only reads may get by with what SQLite has left beside a database. */
function isReading(words: readonly string[]): boolean {
  return words[0] === 'audit' || words[1] === 'list';
}

/** Every command that needs the disk, with words that name what it needs. */
function commandsOn({ disk, data, fresh, backup }: Awaited<ReturnType<typeof openDisk>>): string[][] {
  return [
    ['serve', '--port', '0', ...NO_RESERVE, '--data-dir', fresh],
    ['serve', '--port', '0', ...NO_RESERVE, '--data-dir', data],
    ['backup', join(disk.path, 'another'), '--data-dir', data],
    ['restore', backup, '--data-dir', fresh],
    ['restore', backup, '--force', '--data-dir', data],
    ['restore', backup, '--data-dir', join(disk.path, 'deep', 'below')],
    ['keys', 'create', '--policy', '-', '--data-dir', data],
    ['keys', 'rotate-root', '--data-dir', data],
    ['keys', 'list', '--data-dir', data],
    ['audit', '--data-dir', data],
  ];
}

test('on a read-only disk everything says so in one line, and a backup to another disk is possible', {
  skip,
}, async (t) => {
  const place = await openDisk(t);
  place.disk.setReadOnly(true);
  for (const words of commandsOn(place)) {
    const { exitCode, err } = await run(...words);
    if (isReading(words) && exitCode === 0) continue;
    assert.equal(exitCode, 1, words.join(' '));
    assert.match(
      err,
      /^cannot [^\n]*: the file system is read-only \(\w+\): mount it so that it can be written[^\n]*\n$/,
    );
  }
  const file = join(place.above, 'elsewhere');
  assert.equal((await run('backup', file, '--data-dir', place.data)).exitCode, 0);
  const restored = join(place.above, 'restored');
  assert.equal((await run('restore', file, '--data-dir', restored)).exitCode, 0);
  assert.equal((await serveHere(place.above, ['--port', '0', '--data-dir', restored])).exitCode, 0);
});

test('on a full disk everything says so in one line, and nothing is half done when there is room again', {
  skip,
}, async (t) => {
  const place = await openDisk(t);
  place.disk.fill();
  const before = filesOf(place.data);
  for (const words of commandsOn(place)) {
    const { exitCode, err } = await run(...words);
    if (isReading(words) && exitCode === 0) continue;
    assert.equal(exitCode, 1, words.join(' '));
    assert.match(err, /^[^\n]*(?:the disk is full|not enough room|(?:ENOSPC|SQLITE_FULL))[^\n]*\n$/, words.join(' '));
    const [, needed, free] = /it needs (\d+) \w+, and (\d+) \w+ are free/.exec(err) ?? [];
    assert(free === undefined || Number(needed) > Number(free), err);
    assert.doesNotMatch(err, /unexpected|report/);
  }
  assert.deepEqual(filesOf(place.data), before);
  place.disk.empty();
  assert(!existsSync(join(place.disk.path, 'another')));
  for (const dataDir of [place.data, place.fresh]) {
    const served = await serveHere(place.above, ['--port', '0', '--data-dir', dataDir]);
    assert.equal(served.exitCode, 0, served.stderr);
  }
});

test('a file that a command writes is whole or as it was, and the message says what is wrong', { skip }, async (t) => {
  const disk = mountSmallDisk(t, 1);
  const file = join(disk.path, 'model.json');
  writeFileSync(file, 'before');
  disk.fill();
  const { writeOutputFile } = await import('../../src/cli/files.ts');
  const full = { name: 'CommandError', message: `cannot write "${file}": the disk is full (ENOSPC): make room on it` };
  await assert.rejects(writeOutputFile(file, 'x'.repeat(100_000)), full);
  disk.setReadOnly(true);
  await assert.rejects(writeOutputFile(file, 'x'), /: the file system is read-only \(EROFS\): /);
  disk.setReadOnly(false);
  disk.empty();
  assert.deepEqual(readdirSync(disk.path), ['model.json']);
  await writeOutputFile(file, 'after');
  await assert.rejects(writeOutputFile(disk.path, 'x'), /: it is a directory \(EISDIR\): name a file/);
});

import assert from 'node:assert/strict';
import fs, { existsSync, lstatSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { recordedLog } from '../../test/support/domain.ts';
import { ManualClock } from '../../test/support/manual-clock.ts';
import { temporaryDirectory } from '../store/test-store.ts';
import { openRoom } from './reserve.ts';

const MEBIBYTE = 1_048_576;

/** Room on a disk of which the test says how much is free. */
function open(t: TestContext, { free = 100 * MEBIBYTE, reserveBytes = 2 * MEBIBYTE } = {}) {
  const disk = { free };
  const { statfsSync } = fs;
  const use = (replacement: unknown) => {
    fs.statfsSync = replacement as typeof statfsSync;
    syncBuiltinESMExports();
  };
  use(() => ({ bsize: 1, bavail: disk.free, blocks: 100 * MEBIBYTE }));
  t.after(() => use(statfsSync));
  const path = temporaryDirectory(t);
  const clock = new ManualClock();
  const { log, lines } = recordedLog();
  const room = openRoom({ path, clock, log, settings: { reserveBytes, lowSpaceBytes: 10 * MEBIBYTE } });
  t.after(() => room.close());
  return { ...{ disk, clock, lines, room }, reserve: join(path, 'reserve') };
}

test('the reserve is given up when the disk is full, and made again once there is room for two', (t) => {
  const { disk, clock, lines, room, reserve } = open(t);
  assert.equal(statSync(reserve).size, 2 * MEBIBYTE);
  assert.equal(statSync(reserve).mode & 0o777, 0o600);
  assert.equal(room.isShort(), false);
  disk.free = 0;
  assert.equal(room.release(), true);
  assert.deepEqual([existsSync(reserve), room.isShort()], [false, true]);
  assert.equal(room.release(), false, 'there is nothing more to give up');

  disk.free = 4 * MEBIBYTE - 1;
  clock.advance(1_000);
  assert.equal(room.isShort(), true);
  disk.free = 4 * MEBIBYTE;
  assert.equal(room.isShort(), true, 'it looks once a second');
  clock.advance(1_000);
  assert.deepEqual([room.isShort(), existsSync(reserve)], [false, true]);
  assert.deepEqual(
    lines.map(({ level, msg }) => [level, msg]),
    [
      [50, 'the disk is full: until there is room, only changes that end something are made'],
      [30, 'the disk has room again: all changes are made'],
    ],
  );
});

test('a link in the place of the reserve is replaced, and nothing is written where it leads', (t) => {
  const { disk, clock, room, reserve } = open(t);
  disk.free = 0;
  room.release();
  const letter = `${reserve}.letter`;
  writeFileSync(letter, 'dear');
  rmSync(reserve, { force: true });
  symlinkSync(letter, reserve);
  disk.free = 4 * MEBIBYTE;
  clock.advance(1_000);
  assert.equal(room.isShort(), false);
  assert.deepEqual([lstatSync(reserve).isFile(), statSync(reserve).size], [true, 2 * MEBIBYTE]);
  assert.equal(readFileSync(letter, 'utf8'), 'dear');
});

test('a server that is not called finds out by itself, and one without a reserve too', (t) => {
  const { clock, room, reserve, lines } = open(t, { reserveBytes: 0 });
  assert.equal(room.release(), false);
  assert.equal(room.isShort(), true);
  clock.advance(30_000);
  assert.equal(lines.at(-1)?.msg, 'the disk has room again: all changes are made');
  assert.deepEqual([room.isShort(), existsSync(reserve)], [false, false]);
});

test('the reserve is at most a twentieth of the disk, and waits for room when there is none', (t) => {
  const large = open(t, { reserveBytes: 50 * MEBIBYTE });
  assert.equal(statSync(large.reserve).size, 5 * MEBIBYTE);
  const { disk, clock, room, reserve } = open(t, { free: 3 * MEBIBYTE });
  assert.deepEqual([existsSync(reserve), room.isShort()], [false, false]);
  disk.free = 5 * MEBIBYTE;
  clock.advance(30_000);
  assert(existsSync(reserve));
});

test('the log warns once when the disk is running full, and again after there was room', (t) => {
  const { disk, clock, lines } = open(t);
  const warnings = () => lines.filter(({ level }) => level === 40).length;
  for (const [free, expected] of [
    [11, 0],
    [9, 1],
    [8, 1],
    [11, 1],
    [9, 2],
  ] as const) {
    disk.free = free * MEBIBYTE;
    clock.advance(30_000);
    assert.equal(warnings(), expected);
  }
});

test('it is said once when the data directory is not where it was, and nothing is made in its place', (t) => {
  const clock = new ManualClock();
  const { log, lines } = recordedLog();
  const path = temporaryDirectory(t);
  const place = { isThere: true };
  const settings = { reserveBytes: 4_096, lowSpaceBytes: 0 };
  const room = openRoom({ path, clock, log, settings, isInPlace: () => place.isThere });
  t.after(() => room.close());
  rmSync(join(path, 'reserve'));
  for (const isThere of [false, false, true, false]) {
    place.isThere = isThere;
    clock.advance(30_000);
    assert.equal(existsSync(join(path, 'reserve')), lines.length === 1 && isThere);
    if (isThere) rmSync(join(path, 'reserve'));
  }
  const said = /^the data directory is not where it was: what is changed is lost when this server ends$/;
  assert.deepEqual(
    lines.map(({ level, msg }) => [level, said.test(String(msg))]),
    [
      [50, true],
      [50, true],
    ],
  );
});

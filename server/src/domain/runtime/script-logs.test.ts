import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { recordedLog } from '../../../test/support/domain.ts';
import { ManualClock } from '../../../test/support/manual-clock.ts';
import type { NewLogLine } from '../../store/stage-logs/stage-logs.ts';
import { createLineWriter } from './script-logs.ts';

const lineOf = (text: string): NewLogLine => ({
  ...{ at: 1, level: 'info', text },
  ...{ playerId: undefined, handler: undefined, requestId: undefined },
});

/** A writer to logs that keep lines only when they are told to. */
function createWriter({ isFailing = (): boolean => false, isThere = (_: string): boolean => true } = {}) {
  const clock = new ManualClock();
  const { log, lines: logged } = recordedLog();
  const kept: { readonly stageId: string; readonly lines: readonly NewLogLine[] }[] = [];
  let waiting: (() => void)[] = [];
  let isOpen = true;
  const writer = createLineWriter({
    stageLogs: {
      async append(stageId, lines) {
        if (isFailing()) throw new Error('the disk is full');
        if (!isOpen) await new Promise<void>((resolve) => waiting.push(resolve));
        kept.push({ stageId, lines });
      },
    },
    ...{ isThere, clock, log },
  });
  const write = (stageId: string, count: number, text = '') => {
    for (let index = 0; index < count; index += 1) writer.write(stageId, lineOf(text));
  };
  const textsOf = (stageId: string) =>
    kept.filter((append) => append.stageId === stageId).flatMap(({ lines }) => lines.map(({ text }) => text));
  /** Keeps the lines that were handed over. */
  const keep = () => {
    const now = waiting;
    waiting = [];
    for (const resolve of now) resolve();
  };
  return {
    ...{ clock, logged, kept, writer, write, textsOf, keep },
    close: () => {
      isOpen = false;
    },
    openAgain: () => {
      isOpen = true;
      keep();
    },
  };
}

/** Lets time pass, and keeps everything that waits. */
async function pass(clock: ManualClock, ms: number): Promise<void> {
  for (let passed = 0; passed < ms; passed += 20) {
    clock.advance(20);
    await setImmediate();
  }
}

test('lines of a stage are kept in their order, some at a time', async () => {
  const { writer, kept, textsOf } = createWriter();
  const texts = Array.from({ length: 1_000 }, (_, index) => String(index));
  for (const text of texts) writer.write('dev', lineOf(text));
  await writer.flush();
  assert.deepEqual(textsOf('dev'), texts);
  assert.ok(kept.every(({ lines }) => lines.length <= 128));
});

test('lines of a stage that was deleted are dropped, and those of another stage are kept', async () => {
  const { writer, kept, logged, textsOf } = createWriter({ isThere: (stageId) => stageId !== 'deleted' });
  for (const stageId of ['deleted', 'dev']) writer.write(stageId, lineOf(`of ${stageId}`));
  await writer.flush();
  assert.deepEqual(textsOf('dev'), ['of dev']);
  assert.equal(kept.length, 1);
  assert.deepEqual(logged, []);
});

test('a stage holds a quarter at most, lines that are being kept included, and there is room for another', async () => {
  const { clock, write, textsOf, close, openAgain, writer } = createWriter();
  close();
  for (let round = 0; round < 100; round += 1) {
    write('flood', 1_000, 'x');
    await pass(clock, 20);
  }
  write('other', 1, 'seen');
  openAgain();
  await writer.flush();
  assert.equal(textsOf('flood').filter((text) => text === 'x').length, 10_000);
  assert.deepEqual(textsOf('other'), ['seen']);
});

test('however many stages flood, and however long their lines are, there is room for another', async () => {
  const { write, textsOf, close, openAgain, writer } = createWriter();
  close();
  for (let stage = 0; stage < 50; stage += 1) write(`flood ${stage}`, 10_000);
  for (let stage = 0; stage < 50; stage += 1) write(`long flood ${stage}`, 100, 'x'.repeat(65_536));
  write('other', 1, 'seen');
  openAgain();
  await writer.flush();
  assert.deepEqual(textsOf('other'), ['seen']);
});

test('stages take turns, so a line does not wait for all those of another stage', async () => {
  const { clock, write, kept, close, keep, openAgain } = createWriter();
  close();
  write('flood', 5_000);
  await pass(clock, 20);
  write('other', 1);
  keep();
  await setImmediate();
  keep();
  await setImmediate();
  assert.deepEqual(
    kept.map(({ stageId, lines }) => [stageId, lines.length]),
    [
      ['flood', 128],
      ['flood', 128],
      ['other', 1],
    ],
  );
  openAgain();
});

test('a stage keeps 5,000 lines a second on average, long ones less, and another is not counted with it', async () => {
  const { clock, write, textsOf } = createWriter();
  const keptIn = async (seconds: number, stageId: string, text: string) => {
    const before = textsOf(stageId).length;
    for (let round = 0; round < 50 * seconds; round += 1) {
      write(stageId, 1_000, text);
      await pass(clock, 20);
    }
    return textsOf(stageId)
      .slice(before)
      .filter((kept) => kept === text).length;
  };
  const first = await keptIn(2, 'flood', 'x');
  assert.ok(first >= 19_000 && first <= 20_000, `${first} in the first two seconds`);
  const later = await keptIn(2, 'flood', 'x');
  assert.ok(later >= 9_900 && later <= 10_000, `${later} later`);
  const long = await keptIn(1, 'long', 'x'.repeat(10_240));
  assert.ok(long > 0 && long < 15_000 / 10, `${long} long ones`);
});

test('the log of a stage says how many lines were left out, once a second at most, and that of the server once', async () => {
  const { clock, write, kept, textsOf, logged } = createWriter();
  for (let round = 0; round < 150; round += 1) {
    write('flood', 1_000, 'x');
    write('other', 1, 'x');
    await pass(clock, 20);
  }
  await pass(clock, 2_000);
  const notes = kept.flatMap(({ lines }) => lines).filter(({ level }) => level === 'warn');
  assert.ok(notes.length >= 2 && notes.length <= 3, `${notes.length} notes`);
  const counts = notes.map(({ text }) => Number(/^(\d+) lines were left out: /.exec(text)?.[1]));
  const keptLines = textsOf('flood').filter((text) => text === 'x').length;
  assert.equal(keptLines + counts.reduce((sum, count) => sum + count, 0), 150_000);
  assert.deepEqual(textsOf('other'), Array(150).fill('x'));
  assert.deepEqual(
    logged.map(({ level, msg, stageId }) => [level, msg, stageId]),
    [[40, 'lines of scripts were left out', 'flood']],
  );
});

test('lines that the logs refuse are counted until the logs take that again', async () => {
  let isFailing = true;
  const { clock, write, textsOf, logged } = createWriter({ isFailing: () => isFailing });
  write('dev', 300);
  await pass(clock, 5_000);
  assert.deepEqual(textsOf('dev'), []);
  isFailing = false;
  await pass(clock, 2_000);
  assert.deepEqual(textsOf('dev'), ['300 lines were left out: there were more than could be kept']);
  assert.deepEqual(
    logged.map(({ msg }) => msg),
    ['lines of scripts could not be kept', 'lines of scripts were left out'],
  );
  assert.equal(clock.pending, 0);
});

test('while nothing is kept, there is one line about those that were left out, and it tells of all that were by then', async () => {
  const { clock, write, textsOf, close, openAgain } = createWriter();
  close();
  write('dev', 300);
  await pass(clock, 20);
  for (let second = 0; second < 60; second += 1) {
    write('dev', 10_000);
    await pass(clock, 1_000);
  }
  openAgain();
  await pass(clock, 5_000);
  const notes = textsOf('dev').filter((text) => text !== '');
  assert.equal(notes.length, 2);
  const counts = notes.map((text) => Number.parseInt(text, 10));
  const keptLines = textsOf('dev').length - notes.length;
  assert.equal(keptLines + counts.reduce((sum, count) => sum + count, 0), 600_300);
});

test('a flush ends while others go on writing', async () => {
  const { write, textsOf, close, keep, writer } = createWriter();
  close();
  write('dev', 300, 'before');
  let isOver = false;
  const flushed = writer.flush().then(() => {
    isOver = true;
  });
  for (let round = 0; round < 10 && !isOver; round += 1) {
    write('dev', 200, 'meanwhile');
    keep();
    await setImmediate();
  }
  assert.ok(isOver, 'the flush has ended');
  await flushed;
  assert.equal(textsOf('dev').filter((text) => text === 'before').length, 300);
  keep();
});

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { type TestContext, test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import Libsql from 'libsql';
import { recordedLog } from '../../test/support/domain.ts';
import { systemClock } from '../clock.ts';
import { createLog } from '../log.ts';
import { examineDatabase, PLAYER_DATA_FORM, STAGE_LOGS_FORM } from './database-copy.ts';
import { openSqlitePlayerData } from './player-data/sqlite.ts';
import { openSqliteStageLogs } from './stage-logs/sqlite.ts';
import { temporaryDirectory } from './test-store.ts';

const KILLS = 10;
const WRITERS = 5;
const KEPT_LINES = 1_000_000;

const filesIn = (directory: string) => ({
  playerData: join(directory, 'player-data.sqlite'),
  stageLogs: join(directory, 'stage-logs.sqlite'),
});

async function open(directory: string, log = createLog({ level: 'error' })) {
  const { playerData, stageLogs } = filesIn(directory);
  const parts = { clock: systemClock, log };
  return {
    data: await openSqlitePlayerData({
      ...{ ...parts, file: playerData },
      limits: { maxKeysPerPlayer: 10, maxBytesPerPlayer: 1_000_000, maxBytesPerStage: 100_000_000 },
    }),
    logs: await openSqliteStageLogs({
      ...{ ...parts, file: stageLogs, limits: { maxLinesPerStage: KEPT_LINES, maxBytesPerStage: 1_000_000_000 } },
    }),
  };
}

const player = (writer: number) => ({ stageId: 'dev', playerId: `p${writer}` });

/**
 * This file is also the process that is killed. Each writer sets two keys of its player to a number, prints what it has
 * set, and does the same with a line of the log. Values are long, so that the WAL is moved into the file now and then.
 */
async function writeUntilKilled(directory: string): Promise<never> {
  const { data, logs } = await open(directory);
  const filling = 'x'.repeat(5_000);
  const write = async (writer: number) => {
    const { values } = await data.get(player(writer));
    for (let number = Number(values.get('a') ?? 0) + 1; ; number += 1) {
      const set = { a: String(number), b: String(number), filling };
      await data.set(player(writer), new Map(Object.entries(set)));
      say(`data ${writer} ${number}\n`);
      const facts = { playerId: String(writer), handler: undefined, requestId: undefined };
      await logs.append('dev', [{ at: number, level: 'info', text: `${number} ${filling}`, ...facts }]);
      say(`line ${writer} ${number}\n`);
    }
  };
  await Promise.all(Array.from({ length: WRITERS }, (_, writer) => write(writer)));
  throw new Error('the writers never end');
}

/** A pipe is full while the one who reads it is busy; what is said must be out before the next write begins. */
function say(text: string): void {
  for (let left = Buffer.from(text); left.length > 0; ) {
    try {
      left = left.subarray(writeSync(1, left));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
    }
  }
}

/** Kills the writers at some moment; adds the last number of each kind and writer that was acknowledged to `last`. */
async function killWriters(directory: string, last: Map<string, number>): Promise<void> {
  const child = spawn(process.execPath, [fileURLToPath(import.meta.url), 'write', directory], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const closed = once(child, 'close');
  let left = 20 + Math.floor(Math.random() * 200);
  for await (const line of createInterface({ input: child.stdout })) {
    const [kind, writer, number] = line.split(' ');
    last.set(`${kind} ${writer}`, Number(number));
    left -= 1;
    if (left !== 0) continue;
    await setTimeout(Math.random() * 3);
    child.kill('SIGKILL');
  }
  const [, signal] = await closed;
  assert.equal(signal, 'SIGKILL');
}

/** Also puts what has turned out to be there into `last`, because the next writers begin after it. */
async function assertNothingLost(directory: string, last: Map<string, number>): Promise<void> {
  const { log, lines } = recordedLog();
  const { data, logs } = await open(directory, log);
  try {
    const page = await logs.read('dev', { order: 'oldest_first', limit: KEPT_LINES });
    assert.deepEqual(
      page.lines.map(({ position }) => position),
      page.lines.map((_, index) => index + 1),
    );
    for (let writer = 0; writer < WRITERS; writer += 1) {
      const { values } = await data.get(player(writer));
      const set = Number(values.get('a') ?? 0);
      assert.equal(Number(values.get('b') ?? 0), set, 'no half of a write');
      // One more may be there: the kill came before it could be acknowledged.
      const acknowledged = last.get(`data ${writer}`) ?? 0;
      assert.ok(set === acknowledged || set === acknowledged + 1, `${set}, but ${acknowledged} was acknowledged`);
      last.set(`data ${writer}`, set);
      const logged = new Set(page.lines.filter(({ playerId }) => playerId === String(writer)).map(({ at }) => at));
      const lastLogged = last.get(`line ${writer}`) ?? 0;
      assert.ok(logged.has(lastLogged) || lastLogged === 0, `line ${lastLogged} of ${writer}`);
    }
    assert.deepEqual(lines, []);
  } finally {
    await data.close();
    await logs.close();
  }
}

async function killAgainAndAgain(t: TestContext): Promise<void> {
  const directory = temporaryDirectory(t);
  const last = new Map<string, number>();
  for (let kill = 0; kill < KILLS; kill += 1) {
    await killWriters(directory, last);
    await assertNothingLost(directory, last);
  }
  const { playerData, stageLogs } = filesIn(directory);
  examineDatabase({ form: PLAYER_DATA_FORM, file: playerData });
  examineDatabase({ form: STAGE_LOGS_FORM, file: stageLogs });
  const database = new Libsql(playerData);
  const counted = database.prepare('SELECT stage_id, bytes FROM stage_bytes').all();
  const there = database.prepare('SELECT stage_id, sum(bytes + 128 * keys) AS bytes FROM players GROUP BY 1').all();
  database.close();
  assert.deepEqual(counted, there);
}

const [, , mode, target = ''] = process.argv;
if (mode === 'write') {
  await writeUntilKilled(target);
} else {
  test(
    `${KILLS} times kill -9 while many write loses no write that was acknowledged, and leaves no half of one`,
    killAgainAndAgain,
  );
}

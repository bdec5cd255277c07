import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { sql } from 'kysely';
import { createStore } from './sql-store.ts';
import { openSqlite } from './sqlite.ts';
import { sampleGame, sampleStage } from './store-samples.ts';
import { temporaryDirectory } from './test-store.ts';

const KILLS = 20;

/** This file is also the process that is killed: it prints each number once its game and stage are on disk. */
async function writeUntilKilled(file: string, first: number): Promise<never> {
  const database = openSqlite({ file });
  await database.migrate();
  const store = createStore(database);
  for (let number = first; ; number++) {
    await store.transaction(async ({ games, stages }) => {
      const game = sampleGame(`game-${number}`);
      await games.insert(game);
      await stages.insert(sampleStage(game, 'Dev'));
    });
    writeSync(1, `${number}\n`);
  }
}

/** Kills a writer at some moment after its first acknowledgements; resolves with the last number it acknowledged. */
async function killWriter(file: string, first: number): Promise<number> {
  const child = spawn(process.execPath, [fileURLToPath(import.meta.url), 'write', file, String(first)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const closed = once(child, 'close');
  const killAt = first + Math.floor(Math.random() * 40);
  let last = first - 1;
  for await (const line of createInterface({ input: child.stdout })) {
    last = Number(line);
    if (last !== killAt) continue;
    await setTimeout(Math.random() * 3);
    child.kill('SIGKILL');
  }
  const [, signal] = await closed;
  assert.equal(signal, 'SIGKILL');
  return last;
}

async function assertNothingLost(file: string, acknowledged: number): Promise<number> {
  const database = openSqlite({ file });
  try {
    const { query } = database;
    const integrity = await sql<{ integrity_check: string }>`pragma integrity_check`.execute(query);
    assert.deepEqual(integrity.rows, [{ integrity_check: 'ok' }]);
    const durability = await sql`select * from pragma_journal_mode, pragma_synchronous`.execute(query);
    assert.deepEqual(durability.rows, [{ journal_mode: 'wal', synchronous: 2 }]);
    const names = async (table: 'games' | 'stages') =>
      (await query.selectFrom(table).select('id').execute()).map(({ id }) => id.replace('/Dev', '')).sort();
    const games = await names('games');
    assert.deepEqual(games, await names('stages'));
    // One more may be on disk: the kill came before it could be acknowledged.
    assert.ok(games.length === acknowledged || games.length === acknowledged + 1, `${games.length} of ${acknowledged}`);
    for (let number = 1; number <= acknowledged; number++) assert.ok(games.includes(`id of game-${number}`));
    return games.length;
  } finally {
    await database.close();
  }
}

const [, , mode, file = '', first] = process.argv;
if (mode === 'write') {
  await writeUntilKilled(file, Number(first));
} else {
  test(`${KILLS} times kill -9 in a write loop loses no acknowledged write and leaves no half of one`, async (t) => {
    const database = join(temporaryDirectory(t), 'respark.db');
    let written = 0;
    for (let kill = 0; kill < KILLS; kill++) {
      written = await assertNothingLost(database, await killWriter(database, written + 1));
    }
    assert.ok(written >= KILLS);
  });
}

import assert from 'node:assert/strict';
import { readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { sql } from 'kysely';
import Libsql from 'libsql';
import { ServiceError } from '../errors.ts';
import { StartupError } from '../startup-error.ts';
import { createGamesAndKeys } from './migrations/0001-games-and-keys.ts';
import { createStore } from './sql-store.ts';
import { openSqlite } from './sqlite.ts';
import { testStore } from './store.contract.ts';
import { sampleDeployment, sampleGame, sampleJob, sampleKey, sampleSnapshot, sampleStage } from './store-samples.ts';
import { openTestStore, temporaryDirectory } from './test-store.ts';

const temporaryFile = (t: TestContext) => join(temporaryDirectory(t), 'respark.db');

async function open(t: TestContext, file: string, options: { maxWriteWaitMs?: number } = {}) {
  const database = openSqlite({ file, ...options });
  t.after(() => database.close());
  await database.migrate();
  return { database, store: createStore(database) };
}

describe('the store in SQLite', () => {
  testStore((t) => openTestStore(t));
});

test('every file of the database is readable by its owner only, whatever the umask', async (t) => {
  const file = temporaryFile(t);
  const umask = process.umask(0);
  t.after(() => process.umask(umask));
  const { store } = await open(t, file);
  await store.games.insert(sampleGame('Zoo'));
  const modes = readdirSync(join(file, '..')).map((name) => {
    const { mode } = statSync(join(file, '..', name));
    return `${name} ${(mode & 0o777).toString(8)}`;
  });
  assert.deepEqual(modes.sort(), ['respark.db 600', 'respark.db-shm 600', 'respark.db-wal 600']);
});

test('commits are synchronised in full, in WAL mode', async (t) => {
  const { database } = await open(t, temporaryFile(t));
  const pragmas = await sql`select journal_mode, synchronous from pragma_journal_mode, pragma_synchronous`.execute(
    database.query,
  );
  assert.deepEqual(pragmas.rows, [{ journal_mode: 'wal', synchronous: 2 }]);
});

test('a step of a job that ends connections writes little, however many players the job names', async (t) => {
  const file = temporaryFile(t);
  const { store } = await open(t, file);
  const { disconnectJobs } = store;
  const [game, steps] = [sampleGame('Zoo'), 20];
  const stage = sampleStage(game, 'Live');
  await store.games.insert(game);
  await store.stages.insert(stage);
  const playerIds = Array.from({ length: 10_000 }, (_, number) => `player-${number}`.padEnd(44, '_'));
  await disconnectJobs.insert({
    ...{ id: 'J1', stageId: stage.id, state: 'PENDING', request: '{}', playerIds, actor: 'AKID', requestId: 'request' },
    ...{ connections: 7, players: 6, createdAt: 1, updatedAt: 1 },
  });
  await disconnectJobs.claim('J1', 'node', 2);
  const bytes = () => statSync(`${file}-wal`).size;
  const before = bytes();
  for (let closed = 1; closed <= steps; closed += 1) {
    // A row of another length is written anew as a whole.
    const inFlight = Array.from({ length: closed }, () => ({ node: 'node', playerId: 'alice', connectionId: 'c-1' }));
    const progress = { closed, gone: 0, unproven: 0, inFlight, failures: [], silentNodes: [] };
    assert.equal(await disconnectJobs.advance('J1', 'node', progress, closed + 2), 'RUN');
  }
  const each = (bytes() - before) / steps;
  assert.ok(each > 0 && each < 50_000, `a step writes ${each} bytes`);
  assert.deepEqual(await disconnectJobs.playerIds('J1'), playerIds);
});

test('a file that cannot keep the promises, or is not a database, is refused with one line', (t) => {
  assert.throws(() => openSqlite({ file: '/dev/null/respark.db' }), StartupError);
  const file = temporaryFile(t);
  writeFileSync(file, 'this is no database '.repeat(100));
  assert.throws(() => openSqlite({ file }), {
    name: 'StartupError',
    message: `cannot use the database ${file}: file is not a database (SQLITE_NOTADB): put the right file there`,
  });
});

for (const [version, problem] of [
  [1, 'duplicate column name: runtime_id'],
  [-5, 'table "games" already exists'],
] as const) {
  test(`a database whose tables are newer than its version ${version} is refused and left alone`, async (t) => {
    const { database } = await open(t, temporaryFile(t));
    await database.query.deleteFrom('schema_version').execute();
    await database.query.insertInto('schema_version').values({ version }).execute();
    await assert.rejects(database.migrate(), {
      name: 'StartupError',
      message: `the database says that it has schema version ${version}, but its tables are not those of that version (${problem}): restore a backup`,
    });
    assert.deepEqual(await database.query.selectFrom('schema_version').selectAll().execute(), [{ version }]);
  });
}

test('a database of a newer program is refused and left alone', async (t) => {
  const file = temporaryFile(t);
  const { database } = await open(t, file);
  await database.query.insertInto('schema_version').values({ version: 99 }).execute();
  const again = openSqlite({ file });
  t.after(() => again.close());
  await assert.rejects(again.migrate(), (error: Error) => {
    assert.ok(error instanceof StartupError);
    assert.match(
      error.message,
      /^the database has schema version 99, but this program only knows versions up to \d+: /,
    );
    return true;
  });
});

test('a database that is not migrated is refused, and not changed, by a process that may not migrate it', async (t) => {
  const database = openSqlite({ file: temporaryFile(t) });
  t.after(() => database.close());
  const refused = { name: 'StartupError', message: /^the database has schema version 0, but this program needs \d+: / };
  await assert.rejects(database.assertMigrated(), refused);
  assert.deepEqual(await database.query.introspection.getTables(), []);
  await database.migrate();
  await database.assertMigrated();
  await database.query.deleteFrom('schema_version').execute();
  await assert.rejects(database.assertMigrated(), refused);
  await database.query.insertInto('schema_version').values({ version: 99 }).execute();
  await assert.rejects(database.assertMigrated(), /schema version 99.*start a newer respark/);
});

test('several processes may migrate an empty database at once', async (t) => {
  const file = temporaryFile(t);
  const [a, b] = await Promise.all([open(t, file), open(t, file), open(t, file)]);
  await a.store.games.insert(sampleGame('Zoo'));
  assert.equal((await b.store.games.find('Zoo'))?.name, 'Zoo');
});

test('a database of the first version is brought up to this one, with everything in it', async (t) => {
  const database = openSqlite({ file: temporaryFile(t) });
  t.after(() => database.close());
  const game = sampleGame('Zoo', { tags: { a: 'b' } });
  const stage = sampleStage(game, 'Dev', { tags: { c: 'd' } });
  await database.transaction(async (query) => {
    await createGamesAndKeys(query);
    await sql`create table schema_version (version integer primary key)`.execute(query);
    await sql`insert into schema_version values (1)`.execute(query);
    await sql`insert into games values (${game.id}, 'Zoo', 'a game', 'ACTIVE', 0, '{"a":"b"}',
      ${game.createdAt}, ${game.updatedAt})`.execute(query);
    await sql`insert into stages values (${stage.id}, ${game.id}, 'Dev', 'a stage', ${stage.role}, ${stage.gameKey},
      ${stage.logGroup}, 'ACTIVE', '{"c":"d"}', ${stage.createdAt}, ${stage.updatedAt})`.execute(query);
    await sql`insert into meta values ('fact', 'kept')`.execute(query);
  });
  await assert.rejects(
    database.assertMigrated(),
    /schema version 1, but this program needs \d+: start the server once/,
  );

  await database.migrate();
  await database.assertMigrated();
  const store = createStore(database);
  const migrated = { ...stage, gameName: 'Zoo', gameState: 'ACTIVE', runtimeId: undefined, identity: undefined };
  assert.deepEqual(await store.games.find('Zoo'), game);
  assert.deepEqual(await store.stages.find('Zoo', 'Dev'), migrated);
  assert.equal(await store.meta.get('fact'), 'kept');
  await store.snapshots.insert(sampleSnapshot(game, 'S1'));
  await store.deployments.insert(sampleDeployment(stage, 'D1'));
  await store.stages.update(stage.id, { runtimeId: 'D1', updatedAt: 7 });
  await database.migrate();
  assert.deepEqual(await store.stages.find('Zoo', 'Dev'), { ...migrated, runtimeId: 'D1', updatedAt: 7 });
  await store.games.remove(game.id);
  assert.deepEqual(await store.deployments.listUnfinished(), []);
});

test('a runtime that another process puts on a stage is seen at the next look-up', async (t) => {
  const file = temporaryFile(t);
  const [{ store: a }, { store: b }] = await Promise.all([open(t, file), open(t, file)]);
  const game = sampleGame('Zoo');
  const stage = sampleStage(game, 'Dev');
  await a.games.insert(game);
  await a.stages.insert(stage);
  for (const runtimeId of ['first', 'second']) {
    await a.stages.update(stage.id, { runtimeId, updatedAt: 7 });
    assert.equal((await b.stages.find('Zoo', 'Dev'))?.runtimeId, runtimeId);
    assert.equal((await b.stages.findByGameKey(stage.gameKey))?.runtimeId, runtimeId);
  }
});

/** Two games, one of which has two stages, and two access keys; each look-up of them has a name. */
async function openRemembered(t: TestContext, file: string) {
  const { store } = await open(t, file);
  const [zoo, other] = [sampleGame('Zoo'), sampleGame('Other')];
  const stages = [sampleStage(zoo, 'Dev'), sampleStage(zoo, 'Live'), sampleStage(other, 'Dev')] as const;
  await store.transaction(async (within) => {
    for (const game of [zoo, other]) await within.games.insert(game);
    for (const stage of stages) await within.stages.insert(stage);
    for (const id of ['A', 'B']) await within.accessKeys.insert(sampleKey(id));
  });
  const lookUps = {
    'Zoo/Dev': () => store.stages.find('Zoo', 'Dev'),
    'Zoo/Live': () => store.stages.find('Zoo', 'Live'),
    'Other/Dev': () => store.stages.find('Other', 'Dev'),
    'key of Zoo/Dev': () => store.stages.findByGameKey(stages[0].gameKey),
    'key of Other/Dev': () => store.stages.findByGameKey(stages[2].gameKey),
    A: () => store.accessKeys.find('A'),
    B: () => store.accessKeys.find('B'),
  };
  /** The look-ups that no longer answer with the very record that they answered with before `write`. */
  async function forgottenBy(write: () => Promise<unknown>): Promise<string[]> {
    const before = new Map<string, unknown>();
    for (const [name, lookUp] of Object.entries(lookUps)) before.set(name, await lookUp());
    await write();
    const forgotten: string[] = [];
    for (const [name, lookUp] of Object.entries(lookUps)) {
      const now: unknown = await lookUp();
      if (now !== before.get(name)) forgotten.push(name);
    }
    return forgotten;
  }
  return { store, zoo, other, dev: stages[0], live: stages[1], forgottenBy };
}

test('a look-up that is remembered is answered without a promise', async (t) => {
  const { store, dev } = await openRemembered(t, temporaryFile(t));
  const { stages, accessKeys } = store;
  const lookUps = [
    () => stages.find('Zoo', 'Dev'),
    () => stages.findByGameKey(dev.gameKey),
    () => accessKeys.find('A'),
  ];
  for (const lookUp of lookUps) {
    const found = await lookUp();
    assert.notEqual(found, undefined);
    assert.equal(lookUp(), found);
  }
});

test('a commit that changes no stage, game or access key forgets no look-up of them', async (t) => {
  const { store, zoo, dev, forgottenBy } = await openRemembered(t, temporaryFile(t));
  const snapshot = sampleSnapshot(zoo, 'S1');
  const elsewhere = [
    () => store.configurations.set({ gameId: zoo.id, sections: '{}', updatedAt: 1 }),
    () => store.snapshots.insert(snapshot),
    () => store.snapshots.update(zoo.id, 'S1', { description: 'x', updatedAt: 2 }),
    () => store.deployments.insert(sampleDeployment(dev, 'D1')),
    () => store.generatedCodeJobs.insert(sampleJob(snapshot, 'J1')),
    () => store.snapshots.removeAll(zoo.id),
    () => store.clientTokens.removeOlderThan(1, 9),
    () => store.meta.set('fact', 'one'),
    () => store.transaction(({ meta }) => meta.set('fact', 'two')),
    () => store.games.insert(sampleGame('New')),
    () => store.stages.insert(sampleStage(sampleGame('New'), 'Dev')),
    () => store.accessKeys.insert(sampleKey('C')),
    () => store.stages.update('unknown', { description: 'x', updatedAt: 2 }),
    () => store.games.remove('unknown'),
    () => store.accessKeys.revoke('unknown', 1),
    () => store.accessKeys.removeEndedBefore(1, { ofSignIns: false }),
  ];
  for (const write of elsewhere) assert.deepEqual(await forgottenBy(write), [], String(write));
});

test('a commit forgets the look-ups of what it changes, and no others', async (t) => {
  const { store, zoo, other, dev, live, forgottenBy } = await openRemembered(t, temporaryFile(t));
  const ofZoo = ['Zoo/Dev', 'Zoo/Live', 'key of Zoo/Dev'];
  const change = { description: 'changed', updatedAt: 2 };
  assert.deepEqual(await forgottenBy(() => store.stages.update(dev.id, change)), ['Zoo/Dev', 'key of Zoo/Dev']);
  assert.deepEqual(await forgottenBy(() => store.games.update(zoo.id, change)), ofZoo);
  const revoked = await forgottenBy(() => store.accessKeys.revoke('A', 1));
  assert.deepEqual(revoked, ['A']);
  assert.deepEqual(await forgottenBy(() => store.accessKeys.removeEndedBefore(2, { ofSignIns: false })), ['A']);

  const nested = await forgottenBy(() =>
    store.transaction(async (outer) => {
      await outer.meta.set('fact', 'one');
      await outer.transaction(({ stages }) => stages.update(live.id, change));
    }),
  );
  assert.deepEqual(nested, ['Zoo/Live']);
  assert.deepEqual(await forgottenBy(() => store.stages.remove(live.id)), ['Zoo/Live']);
  assert.deepEqual(await forgottenBy(() => store.games.remove(other.id)), ['Other/Dev', 'key of Other/Dev']);
});

test('a transaction that is undone forgets nothing', async (t) => {
  const { store, dev, forgottenBy } = await openRemembered(t, temporaryFile(t));
  const undone = () =>
    store.transaction(async ({ stages }) => {
      await stages.update(dev.id, { description: 'changed', updatedAt: 2 });
      throw new Error('on purpose');
    });
  assert.deepEqual(await forgottenBy(() => assert.rejects(undone(), /on purpose/)), []);
});

test('a commit of another process forgets every look-up', async (t) => {
  const file = temporaryFile(t);
  const { forgottenBy } = await openRemembered(t, file);
  const { store: other } = await open(t, file);
  assert.equal((await forgottenBy(() => other.meta.set('fact', 'one'))).length, 7);
  assert.deepEqual(await forgottenBy(() => other.meta.get('fact')), []);
});

test('lists and counts find their rows by an index, in its order, and read no large text', async (t) => {
  const { database, store } = await open(t, temporaryFile(t));
  const prepare = t.mock.method(Libsql.prototype, 'prepare');
  const page = { after: 'x', limit: 10 };
  await store.games.list(page);
  await store.stages.list('game', page);
  await store.stages.count('game');
  for (const { after, limit } of [page, { ...page, after: undefined }]) {
    const first = after === undefined ? { limit } : { after, limit };
    await store.snapshots.list('game', first);
    await store.deployments.list('stage', first);
    await store.generatedCodeJobs.list('game', 'snapshot', first);
  }
  await store.snapshots.count('game');
  await store.generatedCodeJobs.prune('game', 'snapshot', 10);
  await store.deployments.prune('stage', 10);
  const texts = prepare.mock.calls.map(({ arguments: [text] }) => String(text)).filter((text) => / from "/.test(text));
  assert.equal(texts.length, 12);
  for (const text of texts) {
    assert.doesNotMatch(text, /"sections"|"archive"|\* from "(snapshots|generated_code_jobs)"/);
    const plan = await sql<{ detail: string }>`${sql.raw(`explain query plan ${text.replaceAll('?', "''")}`)}`.execute(
      database.query,
    );
    for (const { detail } of plan.rows) assert.doesNotMatch(detail, /^SCAN|TEMP B-TREE/, `${text}: ${detail}`);
  }
});

test('a write waits for another process, while reads go on', async (t) => {
  const file = temporaryFile(t);
  const { store } = await open(t, file);
  await store.meta.set('fact', 'before');
  const other = new Libsql(file);
  t.after(() => other.close());
  other.exec('BEGIN IMMEDIATE');
  const write = store.meta.set('fact', 'after');
  assert.equal(await store.meta.get('fact'), 'before');
  other.exec('COMMIT');
  await write;
  assert.equal(await store.meta.get('fact'), 'after');
});

test('a write that waited too long may be tried again, and has not run', async (t) => {
  const file = temporaryFile(t);
  const { store } = await open(t, file, { maxWriteWaitMs: 50 });
  const other = new Libsql(file);
  t.after(() => other.close());
  other.exec('BEGIN IMMEDIATE');
  let isRun = false;
  const refused = store.transaction(async () => {
    isRun = true;
  });
  await assert.rejects(refused, (error) => {
    assert.ok(error instanceof ServiceError && error.code === 'internal' && error.retryAfterMs !== undefined);
    return true;
  });
  assert.equal(isRun, false);
  other.exec('COMMIT');
  await store.meta.set('fact', 'after');
});

test('a database that cannot be checkpointed, as on a full disk, is closed all the same', async (t) => {
  const database = openSqlite({ file: temporaryFile(t) });
  await database.migrate();
  const close = t.mock.method(Libsql.prototype, 'close');
  t.mock.method(Libsql.prototype, 'exec', () => {
    throw new Error('database or disk is full');
  });
  await assert.rejects(database.close(), /disk is full/);
  assert.equal(close.mock.callCount(), 1);
  await assert.rejects(database.query.selectFrom('schema_version').selectAll().execute());
});

test('closing waits for the running transaction, and then everything rejects', async (t) => {
  const file = temporaryFile(t);
  const { database, store } = await open(t, file);
  const write = store.transaction(async ({ games }) => {
    await new Promise(setImmediate);
    await games.insert(sampleGame('Zoo'));
  });
  await database.close();
  await write;
  await assert.rejects(store.games.count());
  const { store: reopened } = await open(t, file);
  assert.equal(await reopened.games.count(), 1);
});

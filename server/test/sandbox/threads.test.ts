import assert from 'node:assert/strict';
import { createHook } from 'node:async_hooks';
import { test } from 'node:test';
import { systemClock } from '../../src/clock.ts';
import { loadSettings } from '../../src/config/config.ts';
import { SandboxPool } from '../../src/sandbox/pool.ts';
import { recordedLog } from '../support/domain.ts';
import { fileOf } from '../support/game-document.ts';
import { createSnapshot, deploy } from '../support/publishing.ts';
import { scriptedGame } from '../support/scripted-game.ts';
import { startTestServer, temporaryDirectory } from '../support/server.ts';

const SCRIPT = 'return GameSparks().Messaging().Response({});';
const RUNTIME = { id: 'r1', gameId: 'g1', stageId: 's1', scripts: new Map([['Good', SCRIPT]]) };
/** Those of the setting, and one that is kept ready. */
const THREADS = 2 + 1;

/** How many threads have been started in this process so far. */
let started = 0;
createHook({
  init(_id, type) {
    if (type === 'WORKER') started += 1;
  },
}).enable();

test('threads are started once, by the first runtime that is made ready or the first message', async (t) => {
  const open = async () => {
    const settings = loadSettings({ env: { RESPARK_SCRIPT_THREADS: '2' } });
    const pool = await SandboxPool.open({ clock: systemClock, log: recordedLog().log, settings });
    t.after(() => pool.close());
    return pool;
  };
  const prepared = await open();
  assert.equal(started, 0);
  await prepared.prepare(RUNTIME);
  assert.equal(started, THREADS);

  const asked = await open();
  assert.equal(started, THREADS);
  for (let count = 0; count < 2; count += 1) {
    const invocation = { runtime: RUNTIME, handler: 'Good', playerId: 'p', message: {} };
    const { ending } = await asked.invoke({ ...invocation, call: async () => ({ result: {} }) });
    assert.equal(ending.kind, 'returned');
  }
  await asked.prepare(RUNTIME);
  assert.equal(started, 2 * THREADS);
});

test('a server starts them when something is deployed, and from then on at each start', async (t) => {
  const before = started;
  const dataDir = temporaryDirectory(t);
  const first = await startTestServer(t, { dataDir });
  const sections = scriptedGame({ requests: { Good: { script: SCRIPT } } });
  const snapshotId = await createSnapshot(first, fileOf(sections));
  assert.equal(started - before, 0);
  await deploy(first, snapshotId);
  await first.close();
  const atFirst = started;
  assert.ok(atFirst - before >= THREADS, `${atFirst - before} threads were started`);
  await startTestServer(t, { dataDir });
  assert.equal(started - atFirst, THREADS);
});

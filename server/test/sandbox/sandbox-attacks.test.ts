import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { systemClock } from '../../src/clock.ts';
import { loadSettings } from '../../src/config/config.ts';
import { compileEngine } from '../../src/sandbox/engine.ts';
import { Guest } from '../../src/sandbox/guest.ts';
import { SandboxPool } from '../../src/sandbox/pool.ts';
import type { Ending, HostAnswer, ScriptedRuntime } from '../../src/sandbox/sandbox.ts';
import { recordedLog } from '../support/domain.ts';
import { ATTACKS, FIND_MARKS } from './attacks.ts';

const LIMITS = { maxTicks: 500, maxBusyMs: 150, maxGrowthBytes: 4_194_304 };
const GOOD = 'return GameSparks().Messaging().Response({ sum: message.a + message.b });';
const SCRIPTS = new Map([
  ...ATTACKS.map(({ script }, index): [string, string] => [`attack${index}`, script]),
  ['good', GOOD],
  ['findMarks', FIND_MARKS],
]);

test('after every attack that can be stopped, the memory of the guest is byte for byte what it was', async () => {
  const engine = await compileEngine();
  const host = { call: () => '{"result":{}}', log: (_level: string, readText: () => string) => void readText() };
  let guest: Guest | undefined;
  for (const { name, script, isStuck = false } of ATTACKS) {
    if (isStuck || doesNotCompile(script)) continue;
    if (guest === undefined || guest.isSpoiled)
      guest = await Guest.create({ engine, host, limits: LIMITS, clock: systemClock });
    const set = guest.load(new Map([['attack', script]]));
    const before = guest.copyMemory();
    guest.invoke(set, 'attack', '{"playerId":"p1","message":{}}', [1, 2, 3, 4]);
    guest.rest(set);
    if (!guest.isSpoiled) assert.ok(Buffer.from(before.buffer).equals(guest.copyMemory()), `${name} left something`);
  }
});

/** Deployments refuse such a script. */
function doesNotCompile(script: string): boolean {
  return script.startsWith('})');
}

async function openPool(t: TestContext, env: Record<string, string> = {}) {
  const { log } = recordedLog();
  const settings = loadSettings({ env: { RESPARK_SCRIPT_THREADS: '1', ...env } });
  const pool = await SandboxPool.open({ clock: systemClock, log, settings });
  t.after(() => pool.close());
  return pool;
}

function runtimeOf(stageId: string, gameId = 'game'): ScriptedRuntime {
  return {
    id: `runtime of ${stageId}`,
    gameId,
    stageId,
    scripts: new Map([...SCRIPTS].filter(([, script]) => !doesNotCompile(script))),
  };
}

const call = async (): Promise<HostAnswer> => ({ result: {} });

async function invoke(pool: SandboxPool, runtime: ScriptedRuntime, handler: string, message: object): Promise<Ending> {
  return (await pool.invoke({ runtime, handler, playerId: 'p1', message, call })).ending;
}

test('between all attacks, others are answered rightly, and find nothing that the attacks have left', async (t) => {
  const pool = await openPool(t);
  const others = runtimeOf('others');
  for (const [index, { name, script }] of ATTACKS.entries()) {
    if (doesNotCompile(script)) continue;
    // A stage whose scripts have to be killed is paused after three of them.
    const ending = await invoke(pool, runtimeOf(`stage${index}`), `attack${index}`, {});
    assert.notEqual(ending.kind, 'busy', name);
    for (const runtime of [others, runtimeOf(`stage${index}`)]) {
      const good = await invoke(pool, runtime, 'good', { a: index, b: 1 });
      assert.deepEqual(good, { kind: 'returned', response: `{"sum":${index + 1}}` }, `after ${name}`);
      const found = await invoke(pool, runtime, 'findMarks', {});
      assert.deepEqual(found, { kind: 'returned', response: '{"found":[]}' }, `after ${name}`);
    }
  }
});

test('what a script is told of its end is one of a few things, whatever it does', async (t) => {
  const pool = await openPool(t);
  const endings = new Map<string, string>();
  for (const [index, { name, script, isStuck = false }] of ATTACKS.entries()) {
    if (doesNotCompile(script)) continue;
    const ending = await invoke(pool, runtimeOf(`stage${index}`), `attack${index}`, {});
    endings.set(name, ending.kind);
    if (isStuck) assert.equal(ending.kind, 'stopped', name);
    const text = JSON.stringify(ending);
    assert.ok(Buffer.byteLength(text) < 300_000, name);
    assert.doesNotMatch(text, /PATH|\/root|node:|process\.env/, name);
  }
  for (const name of ['an endless loop', 'an endless loop that catches everything', 'a generator without end']) {
    assert.equal(endings.get(name), 'stopped');
  }
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { systemClock } from '../../src/clock.ts';
import { loadSettings } from '../../src/config/config.ts';
import { compileEngine } from '../../src/sandbox/engine.ts';
import { Guest } from '../../src/sandbox/guest.ts';
import { SandboxPool } from '../../src/sandbox/pool.ts';
import type { Ending, HostAnswer, ScriptedRuntime } from '../../src/sandbox/sandbox.ts';
import { recordedLog } from '../support/domain.ts';
import { FIND_MARKS, ATTACKS as GENERAL_ATTACKS } from './attacks.ts';
import { BORDER_ATTACKS } from './border-attacks.ts';
import { ENGINE_ATTACKS } from './engine-attacks.ts';

const ATTACKS = [...GENERAL_ATTACKS, ...BORDER_ATTACKS, ...ENGINE_ATTACKS];

const LIMITS = { maxTicks: 500, maxBusyMs: 150, maxGrowthBytes: 4_194_304 };
const MAX_CALLS = 100;
const GOOD = 'return GameSparks().Messaging().Response({ sum: message.a + message.b });';
test('after every attack that can be stopped, the memory of the guest is byte for byte what it was', async () => {
  const engine = await compileEngine();
  let guest: Guest | undefined;
  let calls = 0;
  const host = {
    call: () => {
      calls += 1;
      if (calls > MAX_CALLS) guest?.exhaust();
      return '{"result":{}}';
    },
    log: (_level: string, readText: () => string) => void readText(),
  };
  for (const { name, script, isStuck = false } of ATTACKS) {
    if (isStuck || doesNotCompile(script)) continue;
    if (guest === undefined || guest.isSpoiled)
      guest = await Guest.create({ engine, host, limits: LIMITS, clock: systemClock });
    const set = guest.load(new Map([['attack', script]]));
    const before = guest.copyMemory();
    calls = 0;
    guest.invoke(set, 'attack', '{"playerId":"p1","message":{}}', [1, 2, 3, 4]);
    guest.rest(set);
    if (!guest.isSpoiled) assert.ok(Buffer.from(before.buffer).equals(guest.copyMemory()), `${name} left something`);
  }
});

test('a script that ends its function, and which no deployment lets through, does not hold up its thread', async () => {
  const host = { call: () => '{"result":{}}', log: () => {} };
  const guest = await Guest.create({ engine: await compileEngine(), host, limits: LIMITS, clock: systemClock });
  const set = guest.load(
    new Map([
      ['endless', '}); for (;;) {} (function(){'],
      ['caught', '}); for (;;) { try { for (;;) {} } catch {} } (function(){'],
      ['good', GOOD],
    ]),
  );
  const invoke = (handler: string) =>
    guest.invoke(set, handler, '{"playerId":"p1","message":{"a":1,"b":2}}', [1, 2, 3, 4]);
  for (const handler of ['endless', 'caught']) {
    const { kind, ...ending } = invoke(handler);
    assert.equal(kind, 'returned');
    assert.match(JSON.stringify(ending), /interrupted/);
    guest.rest(set);
  }
  assert.deepEqual(invoke('good'), { kind: 'returned', text: 'r{"sum":3}' });
});

/** Deployments refuse such a script. */
function doesNotCompile(script: string): boolean {
  return script.startsWith('})');
}

function runtimeOf(stageId: string, attack = GOOD): ScriptedRuntime {
  const scripts = { attack, good: GOOD, findMarks: FIND_MARKS };
  return { id: `runtime of ${stageId}`, gameId: 'game', stageId, scripts: new Map(Object.entries(scripts)) };
}

const call = async (): Promise<HostAnswer> => ({ result: {} });

async function invoke(pool: SandboxPool, runtime: ScriptedRuntime, handler: string, message: object): Promise<Ending> {
  return (await pool.invoke({ runtime, handler, playerId: 'p1', message, call })).ending;
}

test('between all attacks, others are answered rightly, and find nothing that the attacks have left', async (t) => {
  const { log, lines } = recordedLog();
  const settings = loadSettings({ env: { RESPARK_SCRIPT_THREADS: '1' } });
  const pool = await SandboxPool.open({ clock: systemClock, log, settings });
  t.after(() => pool.close());
  const others = runtimeOf('others');
  const endings = new Map<string, string>();
  for (const [index, { name, script, isStuck = false }] of ATTACKS.entries()) {
    if (doesNotCompile(script)) continue;
    // A stage whose scripts have to be killed is paused after three of them.
    const attacked = runtimeOf(`stage${index}`, script);
    const ending = await invoke(pool, attacked, 'attack', {});
    endings.set(name, ending.kind);
    assert.ok(['returned', 'refused', 'failed', 'stopped'].includes(ending.kind), `${name}: ${ending.kind}`);
    if (isStuck) assert.equal(ending.kind, 'stopped', name);
    const text = JSON.stringify(ending);
    assert.ok(Buffer.byteLength(text) < 300_000, name);
    assert.doesNotMatch(text, /PATH|\/root|node:|process\.env/, name);
    for (const runtime of [others, attacked]) {
      const good = await invoke(pool, runtime, 'good', { a: index, b: 1 });
      assert.deepEqual(good, { kind: 'returned', response: `{"sum":${index + 1}}` }, `after ${name}`);
      const found = await invoke(pool, runtime, 'findMarks', {});
      assert.deepEqual(found, { kind: 'returned', response: '{"found":[]}' }, `after ${name}`);
    }
  }
  assert.deepEqual(
    lines.filter(({ level }) => level > 30),
    [],
    'what scripts do is no alarm of the server',
  );
  for (const name of ['an endless loop', 'an endless loop that catches everything', 'a generator without end']) {
    assert.equal(endings.get(name), 'stopped');
  }
});

import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { systemClock } from '../../src/clock.ts';
import { loadSettings } from '../../src/config/config.ts';
import { readModel } from '../../src/domain/configuration/model.ts';
import { createGameAnswers } from '../../src/domain/runtime/game-answers.ts';
import { createGameProgram } from '../../src/domain/runtime/game-program.ts';
import { ServiceError } from '../../src/errors.ts';
import { createMetrics } from '../../src/metrics.ts';
import { createSystemRandom } from '../../src/random.ts';
import { SandboxPool } from '../../src/sandbox/pool.ts';
import { NO_CLOUD_CODE } from '../support/cloud-code.ts';
import { recordedLog } from '../support/domain.ts';
import { scriptedGame } from '../support/scripted-game.ts';

const CONFLICT = new ServiceError('conflict', 'the data is no longer at version 1');

/** Runs scripts in real guests: each as the handler of a request `Run`, whose payload has an optional `Count`. */
async function open(t: TestContext, env: Readonly<Record<string, string>> = {}) {
  const settings = loadSettings({ env: { RESPARK_SCRIPT_THREADS: '1', ...env } });
  const { log } = recordedLog();
  const sandbox = await SandboxPool.open({ clock: systemClock, log, settings });
  t.after(() => sandbox.close());
  const stage = { stageId: 'stage', gameName: 'Demo', stageName: 'Dev' };
  let runtimes = 0;

  return async function run(script: string, payload = {}, { response = {}, isEvent = false } = {}) {
    runtimes += 1;
    const id = `runtime ${runtimes}`;
    const sections = scriptedGame({
      requests: { Run: { request: { Count: 'Integer?' }, response, ...(isEvent ? {} : { script }) } },
      events: { Known: { event: { By: 'Integer' } }, Happen: { event: { Count: 'Integer?' }, script } },
      notifications: { Heard: { Text: 'String' } },
    });
    const program = createGameProgram(readModel(sections), { id, gameId: 'game', stageId: stage.stageId });
    const lines: string[] = [];
    let gets = 0;
    const answers = createGameAnswers({
      ...{ sandbox, clock: systemClock, random: createSystemRandom(), log, metrics: createMetrics() },
      outside: NO_CLOUD_CODE.outside,
      programs: { load: async () => program },
      lines: { write: (_, { level, text }) => void lines.push(`${level} ${text}`), flush: async () => {} },
      playerData: {
        async get() {
          gets += 1;
          return { version: 1, values: new Map([['Gold', String(gets)]]) };
        },
        remove: async () => ({ keys: 0, bytes: 0 }),
        set: async (_player, _changes, version) => (version === undefined ? 1 : Promise.reject(CONFLICT)),
      },
      disconnect: async () => ({ successes: [], failures: [] }),
      notify: async () => {},
      isThere: () => true,
    });
    const message = { player: { stageId: stage.stageId, playerId: 'anna' }, payload };
    const outcome = isEvent
      ? await answers.event({ id, stage }, { ...message, type: 'Custom.Game.Happen' })
      : await answers.request({ id, stage }, { ...message, type: 'Custom.Game.Run' });
    return { outcome, lines };
  };
}

const GS = 'GameSparks()';

/** What a script does wrong in a call, the code that it can catch, and the text. */
const CALLS: readonly (readonly [call: string, code: string, text: RegExp])[] = [
  [`${GS}.Messaging().SendNotification('Nope', {})`, 'unknown_message', /^the game has no notification "Nope"$/],
  [
    `${GS}.Messaging().SendNotification('Heard', { Text: 5 })`,
    'bad_payload',
    /^payload\.Text must be a String, got 5$/,
  ],
  [`${GS}.Messaging().SendNotification(5)`, 'bad_argument', /^the name of the notification must be text, got 5$/],
  [
    `${GS}.Messaging().SendNotification('Heard', { Text: '' }, 'a b')`,
    'bad_argument',
    /^a player id must be .* "a b"$/,
  ],
  [`${GS}.Messaging().RaiseEvent('Nope', {})`, 'unknown_message', /^the game has no event "Nope"$/],
  [`${GS}.Messaging().RaiseEvent('Known', {})`, 'bad_payload', /^payload\.By is required$/],
  [`${GS}.CurrentPlayer().SetData('a', 1)`, 'bad_argument', /^the argument of SetData must be an object, got "a"$/],
  [`${GS}.CurrentPlayer().SetData()`, 'bad_argument', /^the argument of SetData must be an object, got null$/],
  [`${GS}.CurrentPlayer().SetData({ a: NaN })`, 'bad_argument', /^SetData takes finite numbers only, got NaN for "a"$/],
  [`${GS}.CurrentPlayer().SetData({ a: [{ b: 1 / 0 }] })`, 'bad_argument', /finite .* got Infinity for "b"$/],
  [`${GS}.CurrentPlayer().SetData({ a: null, b: [null, NaN] })`, 'bad_argument', /finite .* got NaN for "1"$/],
  [
    `${GS}.CurrentPlayer().SetData({ a: null, b: { toJSON: () => [-1 / 0] } })`,
    'bad_argument',
    /finite .* got -Infinity for "0"$/,
  ],
  [`${GS}.CurrentPlayer().GetData('a')`, 'bad_argument', /^the argument of GetData must be a list .* got "a"$/],
  [`${GS}.CurrentPlayer().GetData(Array(101).fill('a'))`, 'bad_argument', /at most 100 keys.* got 101$/],
  [`${GS}.CurrentPlayer().Disconnect(5)`, 'bad_argument', /^the reason must be text, got 5$/],
  [`${GS}.CurrentPlayer().Disconnect('x'.repeat(65))`, 'bad_argument', /at most 64 characters, got 65$/],
  [
    `${GS}.CurrentPlayer().GetData(['Gold']); ${GS}.CurrentPlayer().SetData({ Gold: 1 })`,
    'conflict',
    /player "anna" .* catch the code "conflict".*docs\/cloud-code\.md#player-data$/,
  ],
  [
    `${GS}.Lambda('x').Invoke('x'.repeat(2000))`,
    'too_large',
    /at most 1024 bytes \(RESPARK_SCRIPT_MAX_CALL_BYTES\), got 20\d\d$/,
  ],
  [
    `${GS}.Lambda('x').Invoke(Array(150).fill(0))`,
    'too_large',
    /at most 150 values in its lists and objects \(RESPARK_SCRIPT_MAX_VALUES\), got more$/,
  ],
];

test('an error of a call has its code and its text in the script and in the log', async (t) => {
  const run = await open(t, { RESPARK_SCRIPT_MAX_CALL_BYTES: '1024', RESPARK_SCRIPT_MAX_VALUES: '150' });
  for (const [call, code, text] of CALLS) {
    const caught = await run(
      `try { ${call}; } catch (e) { return ${GS}.Messaging().Response({ Code: e.code, Text: e.message }); }`,
      {},
      { response: { Code: 'String', Text: 'String' } },
    );
    assert.ok(caught.outcome.isHandled, `${call}: ${JSON.stringify(caught)}`);
    const { Code, Text } = JSON.parse(caught.outcome.payloadJson) as { Code: string; Text: string };
    assert.equal(Code, code, call);
    assert.match(Text, text, call);
    const { outcome, lines } = await run(`${call};`);
    assert.equal(outcome.isHandled || outcome.code, 'script_error', call);
    assert.match(lines.join('\n'), /^error GameSparksError \[\w+\]: .* \(line 1, column \d+\)$/, call);
    assert.ok(lines.join().includes(`[${code}]: ${Text}`), `${call}: ${lines.join()}`);
  }
});

test('nulls that are meant, and what only looks like one, are no fault of SetData', async (t) => {
  const run = await open(t);
  const values = "{ a: null, b: 'null', null: [null, undefined, { c: 1.5, d: null }], e: { toJSON: () => null } }";
  const script = `${GS}.CurrentPlayer().SetData(${values}); return ${GS}.Messaging().Response({});`;
  assert.deepEqual(await run(script), { outcome: { isHandled: true, payloadJson: '{}' }, lines: [] });
});

/** A script, its outcome, and the line that its author finds. */
const ENDS: readonly (readonly [script: string, code: string, line: RegExp])[] = [
  ['const a = 1;', 'bad_response', /^error the script returned nothing: is a return missing\?/],
  ['return { A: 1 };', 'bad_response', /^error the script returned an object: wrap it in /],
  ['return [1];', 'bad_response', /^error the script returned an array: /],
  ["return 'yes';", 'bad_response', /^error the script returned a text: /],
  ['return null;', 'bad_response', /^error the script returned "null": /],
  ['return (async () => {})();', 'bad_response', /^error the script returned a promise, which is not waited for: /],
  [`return ${GS}.Messaging().Response();`, 'bad_response', /^error the script returned Response\(\) without a payload/],
  [
    'for (;;) {}',
    'script_stopped',
    /^error the script was stopped: .*(?:RESPARK_SCRIPT_MAX_TICKS|RESPARK_SCRIPT_MAX_BUSY_MS)/,
  ],
  [
    `for (;;) try { ${GS}.CurrentPlayer().GetData(); } catch (e) {}`,
    'script_stopped',
    /^error the script was stopped: it may make at most 100 calls for a message \(RESPARK_SCRIPT_MAX_CALLS\), and made more$/,
  ],
  [
    "const a = []; for (;;) a.push('x'.repeat(100000));",
    'script_stopped',
    /^error the script was stopped: it used more memory than a script may/,
  ],
  ['const a = []; for (;;) a.push(new Array(1000).fill(1.5));', 'script_stopped', /^error the script was stopped: /],
  ["throw 'no money';", 'script_error', /^error "no money" was thrown, .*throw new Error/],
  ['throw { a: 1 };', 'script_error', /^error \{"a":1\} was thrown, /],
  ['throw undefined;', 'script_error', /^error undefined was thrown, /],
  ['throw new Proxy({}, { getPrototypeOf() { throw 1; } });', 'script_error', /^error \{\} was thrown, /],
  [
    'const own = GameSparks().Messaging().Error("A"); own.code = { toString() { throw 1; } }; throw own;',
    'script_error',
    /^error GameSparksError: something was thrown that cannot be shown/,
  ],
  [
    "\n  console.log('a');",
    'script_error',
    /^error ReferenceError: .*console.*Logging\(\)\.Info.* \(line 2, column \d+\)$/,
  ],
  ['setTimeout(function () {}, 1);', 'script_error', /setTimeout.*scripts have no timers/],
  ["require('fs');", 'script_error', /require.*scripts have no modules/],
  ['module.exports = 1;', 'script_error', /module.*scripts have no modules/],
  ['await (1);', 'script_error', /await.*calls wait by themselves/],
  ['Gamesparks().Messaging();', 'script_error', /Gamesparks.* is not defined: it is spelled GameSparks\(\) \(line 1/],
  [
    `return ${GS}.Messaging().Respons({});`,
    'script_error',
    /^error TypeError: not a function: what is called there does not exist; is a name misspelled, .*\(line 1, column \d+\)$/,
  ],
  ['nowhere();', 'script_error', /^error ReferenceError: '?nowhere'? is not defined \(line 1, column \d+\)$/],
  [
    `return ${GS}.Messaging().Response({ A: 'x'.repeat(2000) });`,
    'script_stopped',
    /its response has 2008 bytes, and may have at most 1024 \(RESPARK_SCRIPT_MAX_RESPONSE_BYTES\)$/,
  ],
  [
    `return ${GS}.Messaging().Response({ A: Array(150).fill(0) });`,
    'script_stopped',
    /its response may have at most 150 values in its lists and objects \(RESPARK_SCRIPT_MAX_VALUES\), and has more$/,
  ],
  [`return ${GS}.Messaging().Error('BROKE');`, 'BROKE', /^$/],
];

test('the line about a script that went wrong says what it did and what to do', async (t) => {
  const run = await open(t, {
    ...{ RESPARK_SCRIPT_MAX_RESPONSE_BYTES: '1024', RESPARK_SCRIPT_MAX_VALUES: '150' },
    // The limit that each script means comes first, however busy the machine is.
    ...{ RESPARK_SCRIPT_MAX_BUSY_MS: '10000', RESPARK_SCRIPT_WATCHDOG_MS: '10000' },
  });
  for (const [script, code, line] of ENDS) {
    const { outcome, lines } = await run(script);
    assert.ok(!outcome.isHandled, script);
    assert.equal(outcome.code, code, `${script}: ${lines.join()}`);
    assert.match(lines.join('\n'), line, script);
    if (code === 'BROKE') assert.equal(outcome.message, 'BROKE');
  }
});

test('a script that is stopped learns by which limit', async (t) => {
  const ticks = await open(t, { RESPARK_SCRIPT_MAX_BUSY_MS: '10000', RESPARK_SCRIPT_WATCHDOG_MS: '10000' });
  assert.match(String((await ticks('for (;;) {}')).lines), /more than 500 ticks \(RESPARK_SCRIPT_MAX_TICKS\)/);
  const time = await open(t, { RESPARK_SCRIPT_MAX_TICKS: '100000', RESPARK_SCRIPT_WATCHDOG_MS: '10000' });
  assert.match(String((await time('for (;;) {}')).lines), /more than 150 ms .*\(RESPARK_SCRIPT_MAX_BUSY_MS\)/);
});

test('several values make one line, and lines beyond the limit name it', async (t) => {
  const run = await open(t, { RESPARK_SCRIPT_MAX_LINES: '2' });
  const script = `const log = ${GS}.Logging(); log.Info('a', 1, { b: 2 }); log.Warn(); log.Debug('left out');`;
  const { outcome, lines } = await run(script, {}, { isEvent: true });
  assert.equal(outcome.isHandled, true);
  assert.deepEqual(lines.slice(0, 2), ['info a 1 {"b":2}', 'warn undefined']);
  assert.match(lines[2] ?? '', /^warn 1 more lines were left out: RESPARK_SCRIPT_MAX_LINES /);
});

test('the lines of a message have 64 KiB of UTF-8 together, and none ends within a character', async (t) => {
  const run = await open(t);
  const script = `const log = ${GS}.Logging(); log.Info('a' + '\u{1f3c6}'.repeat(10000)); log.Info('€'.repeat(40000)); log.Info('c');`;
  const { lines } = await run(script, {}, { isEvent: true });
  assert.deepEqual(
    lines.slice(0, 2).map((line) => line.length),
    ['info a'.length + 2 * 10_000, 'info '.length + 8_511],
  );
  assert.equal(Buffer.byteLength(lines.slice(0, 2).join('')) - 2 * 'info '.length, 65_534);
});

test('a payload that is refused is in the log of the stage', async (t) => {
  const run = await open(t);
  for (const isEvent of [false, true]) {
    const { outcome, lines } = await run('', { Count: 'x' }, { isEvent });
    assert.equal(outcome.isHandled || outcome.code, 'bad_request');
    assert.deepEqual(lines, ['debug the message was refused: payload.Count must be an Integer of 32 bits, got "x"']);
  }
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { NO_CLOUD_CODE } from '../../../test/support/cloud-code.ts';
import { recordedLog } from '../../../test/support/domain.ts';
import { ManualClock } from '../../../test/support/manual-clock.ts';
import { scriptedGame } from '../../../test/support/scripted-game.ts';
import { createMetrics } from '../../metrics.ts';
import { createSystemRandom } from '../../random.ts';
import { withoutLines } from '../../sandbox/job-queue.ts';
import { readModel } from '../configuration/model.ts';
import { createGameAnswers } from './game-answers.ts';
import { createGameProgram } from './game-program.ts';

const NAMES = Array.from({ length: 20 }, (_, index) => `M${index}`);

/**
 * Sends messages to stages of a game with the requests `M0` to `M19`, whose payloads are refused, and the event `E`,
 * whose scripts are refused because too much waits.
 */
function open() {
  const clock = new ManualClock();
  const lines: string[] = [];
  const sections = scriptedGame({
    requests: Object.fromEntries(NAMES.map((name) => [name, { request: { Count: 'Integer' }, script: '' }])),
    events: { E: { event: { Count: 'Integer' }, script: '' } },
  });
  const program = createGameProgram(readModel(sections), { id: 'r', gameId: 'game', stageId: 'any' });
  const answers = createGameAnswers({
    ...NO_CLOUD_CODE,
    sandbox: { ...NO_CLOUD_CODE.sandbox, invoke: async () => withoutLines({ kind: 'busy', why: 'too many wait' }) },
    ...{ clock, random: createSystemRandom(), log: recordedLog().log, metrics: createMetrics() },
    programs: { load: async () => program },
    lines: {
      write: (stageId, { level, text }) => void lines.push(`${stageId} ${level} ${text}`),
      flush: async () => {},
    },
    disconnect: async () => ({ successes: [], failures: [] }),
    notify: async () => {},
    isThere: () => true,
  });
  async function refuse(stageId: string, name: string, times: number, { payload = {}, code = 'bad_request' } = {}) {
    const stage = { stageId, gameName: 'Demo', stageName: stageId };
    const message = { player: { stageId, playerId: 'anna' }, type: `Custom.Game.${name}`, payload };
    for (let count = 0; count < times; count += 1) {
      const outcome = await answers[name === 'E' ? 'event' : 'request']({ id: 'r', stage }, message);
      assert.equal(outcome.isHandled || outcome.code, code);
    }
    return lines.splice(0);
  }
  return { clock, refuse };
}

test('a flood of payloads that are refused makes ten lines, then one every ten seconds with the count of the others', async () => {
  const { clock, refuse } = open();
  const line = 'a debug the message was refused: payload.Count is required';
  assert.deepEqual(await refuse('a', 'M0', 1_000), Array(10).fill(line));
  assert.equal((await refuse('a', 'M1', 1)).length, 1);
  assert.equal((await refuse('a', 'E', 11)).length, 10);
  clock.advance(9_999);
  assert.deepEqual(await refuse('a', 'M0', 10), []);
  clock.advance(1);
  assert.deepEqual(await refuse('a', 'M0', 2), [`${line} (lines like this that were left out before it: 1000)`]);
  clock.advance(10_000);
  assert.deepEqual(await refuse('a', 'M0', 1), [`${line} (lines like this that were left out before it: 1)`]);
});

test('a flood of messages that wait for too many others makes as few lines, beside those about payloads', async () => {
  const { clock, refuse } = open();
  const line = 'a warn the message was refused: too many wait';
  const busy = { payload: { Count: 1 }, code: 'busy' };
  assert.equal((await refuse('a', 'M0', 1_000)).length, 10);
  assert.deepEqual(await refuse('a', 'M0', 1_000, busy), Array(10).fill(line));
  assert.deepEqual(await refuse('a', 'E', 1_000, busy), Array(10).fill(line));
  clock.advance(10_000);
  assert.deepEqual(await refuse('a', 'M0', 2, busy), [`${line} (lines like this that were left out before it: 990)`]);
});

test('floods of many messages make fifty lines of a stage together, and leave other stages theirs', async () => {
  const { clock, refuse } = open();
  let lines = 0;
  for (const name of NAMES) lines += (await refuse('a', name, 100)).length;
  assert.equal(lines, 50);
  assert.equal((await refuse('b', 'M0', 100)).length, 10);
  for (let second = 0; second < 600; second += 1) {
    clock.advance(1_000);
    for (const name of NAMES) lines += (await refuse('a', name, 1)).length;
  }
  assert.equal(lines, 150);
});

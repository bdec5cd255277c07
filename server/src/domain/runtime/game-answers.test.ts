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
import { createGameProgram, type GameProgram } from './game-program.ts';

test('messages have settled when their program has been loaded, their handlers have ended, and those of the events that they raised', async () => {
  const sections = scriptedGame({ requests: { Buy: { script: '' } }, events: { Deliver: { script: '' } } });
  const program = createGameProgram(readModel(sections), { id: 'r', gameId: 'game', stageId: 'any' });
  let load = (_: GameProgram) => {};
  const loading = new Promise<GameProgram>((resolve) => {
    load = resolve;
  });
  const steps: string[] = [];
  const answers = createGameAnswers({
    ...NO_CLOUD_CODE,
    sandbox: {
      ...NO_CLOUD_CODE.sandbox,
      async invoke({ handler, call }) {
        steps.push(`${handler} begins`);
        if (handler === 'Buy') await call('RaiseEvent', ['Deliver', {}]);
        else await new Promise(setImmediate);
        steps.push(`${handler} ends`);
        return withoutLines({ kind: 'returned', response: '{}' });
      },
    },
    ...{ clock: new ManualClock(), random: createSystemRandom(), log: recordedLog().log, metrics: createMetrics() },
    programs: { load: () => loading },
    lines: { write() {}, flush: async () => {} },
    disconnect: async () => ({ successes: [], failures: [] }),
    notify: async () => {},
    isThere: () => true,
  });
  const stage = { stageId: 'a', gameName: 'Demo', stageName: 'a' };
  const player = { stageId: 'a', playerId: 'anna' };
  const answered = answers.request({ id: 'r', stage }, { player, type: 'Custom.Game.Buy', payload: {} });
  const settled = answers.settled().then(() => void steps.push('settled'));
  await new Promise(setImmediate);
  assert.deepEqual(steps, []);
  load(program);
  await answered;
  await settled;
  assert.deepEqual(steps, ['Buy begins', 'Buy ends', 'Deliver begins', 'Deliver ends', 'settled']);
});

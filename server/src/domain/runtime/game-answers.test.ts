import assert from 'node:assert/strict';
import { test } from 'node:test';
import { NO_CLOUD_CODE } from '../../../test/support/cloud-code.ts';
import { recordedLog } from '../../../test/support/domain.ts';
import { ManualClock } from '../../../test/support/manual-clock.ts';
import { scriptedGame } from '../../../test/support/scripted-game.ts';
import { systemClock } from '../../clock.ts';
import { createMetrics } from '../../metrics.ts';
import { createSystemRandom } from '../../random.ts';
import { withoutLines } from '../../sandbox/job-queue.ts';
import type { Invocation } from '../../sandbox/sandbox.ts';
import { readModel } from '../configuration/model.ts';
import { createGameAnswers } from './game-answers.ts';
import { createGameProgram, type GameProgram } from './game-program.ts';
import type { RuntimeName } from './message.ts';

const RUNTIME: RuntimeName = { id: 'r', stage: { stageId: 's', gameName: 'Demo', stageName: 'Live' } };
const PAYLOAD = { Items: [1, { Text: 'a' }], Text: '"\u2028' };

/** A game with the event Go, whose script raises the event Again so many times; and what that comes to. */
function open(raises: number) {
  let reads = 0;
  const handled: Invocation[] = [];
  const read = (payload: unknown) => {
    reads += 1;
    return { payload, unknown: [] };
  };
  const event = (name: string) => ({ name, isFromPlayers: true, read, handler: { isEnabled: true, script: '' } });
  const program = { events: new Map(['Go', 'Again'].map((name) => [`Custom.Game.${name}`, event(name)])) };
  const sandbox = {
    async invoke(invocation: Invocation) {
      if (invocation.handler === 'Again') handled.push(invocation);
      else for (let count = 0; count < raises; count += 1) await invocation.call('RaiseEvent', ['Again', PAYLOAD]);
      return { ending: { kind: 'returned', response: undefined, instead: 'nothing' }, lines: [], linesDropped: 0 };
    },
  };
  const answers = createGameAnswers({
    programs: { load: async () => program },
    ...{ sandbox, clock: systemClock, random: createSystemRandom },
    ...{ isThere: () => true, lines: { write() {} }, metrics: { ofStage: () => ({ handled() {} }) } },
  } as unknown as Parameters<typeof createGameAnswers>[0]);
  const go = () => {
    const player = { stageId: 's', playerId: 'anna' };
    return answers.event(RUNTIME, { player, network: '203.0.113.1', type: 'Custom.Game.Go', payload: {} });
  };
  return { go, handled, reads: () => reads };
}

test('the payload of a raised event is read and written once, when it is raised', async () => {
  const { go, handled, reads } = open(100);
  assert.deepEqual(await go(), { isHandled: true, payloadJson: '{}' });
  assert.equal(handled.length, 100);
  for (const { playerId, message, messageJson } of handled) {
    assert.deepEqual([playerId, message, messageJson], ['anna', undefined, JSON.stringify(PAYLOAD)]);
  }
  assert.ok(handled.every(({ network }) => network === '203.0.113.1'));
  assert.equal(reads(), 1 + 100);
});

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

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ManualClock } from '../../../test/support/manual-clock.ts';
import { createSystemRandom } from '../../random.ts';
import { createArns } from '../arn.ts';
import type { CallContext } from './host-api.ts';
import { createScriptDisconnect } from './script-disconnect.ts';

const contextOf = (stageId: string): CallContext => ({
  stage: { stageId, gameName: 'Game', stageName: stageId } as CallContext['stage'],
  program: {} as CallContext['program'],
  player: { stageId, playerId: 'p1' },
  ...{ handler: 'Custom.Game.Go', requestId: 'r1', session: undefined, raised: 0, afterwards() {} },
});

test('the scripts of a stage may disconnect players at a rate, beyond which they get an error and nothing is done', async () => {
  const clock = new ManualClock();
  const done: string[] = [];
  const disconnect = createScriptDisconnect({
    players: {
      disconnect: async ({ stageName }) => {
        done.push(stageName);
        return { successes: [], failures: [] };
      },
    },
    arns: createArns({ region: 'us-east-1', accountId: '123456789012' }),
    ...{ clock, random: createSystemRandom(), settings: { scriptDisconnectsPerSecond: 20 } },
  });
  const refused = async (stageId: string, count: number) => {
    const codes: string[] = [];
    for (let call = 0; call < count; call += 1) {
      await disconnect(contextOf(stageId), 'nobody', undefined).catch(({ code }) => codes.push(code));
    }
    return codes;
  };
  assert.deepEqual(await refused('Dev', 103), ['throttled', 'throttled', 'throttled']);
  assert.deepEqual(await refused('Live', 100), [], 'another stage is not counted with it');
  clock.advance(1_000);
  assert.equal((await refused('Dev', 30)).length, 10);
  assert.equal(done.filter((stageName) => stageName === 'Dev').length, 120);
});

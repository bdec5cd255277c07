import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ManualClock } from '../../../test/support/manual-clock.ts';
import { createSystemRandom } from '../../random.ts';
import type { CallContext } from './host-api.ts';
import { createMessageHandling } from './message-handling.ts';

const EVENT = {
  name: 'E',
  isFromPlayers: true,
  handler: { isEnabled: true },
  read: (payload: unknown) => ({ payload }),
};
const ENDED = { ending: { kind: 'returned', response: '{}' }, lines: [], linesDropped: 0 };

test('what is to be done after an invocation is done once it has ended, however it ends, and at once from then on', async () => {
  for (const isLost of [false, true]) {
    const did: string[] = [];
    let context: Pick<CallContext, 'afterwards'> | undefined;
    const parts = {
      sandbox: {
        async invoke() {
          for (const name of ['first', 'second']) context?.afterwards(() => void did.push(name));
          assert.deepEqual(did, []);
          if (isLost) throw new Error('the thread has ended');
          return ENDED;
        },
      },
      hostApi(given: CallContext) {
        context = given;
      },
      metrics: { ofStage: () => ({ handled() {} }) },
      ...{ lines: { write() {} }, clock: new ManualClock(), random: createSystemRandom() },
    };
    const handling = createMessageHandling(parts as unknown as Parameters<typeof createMessageHandling>[0]);
    const place = { stage: { stageId: 's' }, program: { events: new Map([['E', EVENT]]) } };
    const message = { type: 'E', payload: {}, player: { playerId: 'p' } };
    const handled = handling.event(...([place, message] as unknown as Parameters<typeof handling.event>));
    if (isLost) await assert.rejects(handled, /the thread has ended/);
    else assert.equal((await handled).isHandled, true);
    assert.deepEqual(did, ['first', 'second']);
    context?.afterwards(() => void did.push('of a late call'));
    assert.deepEqual(did, ['first', 'second', 'of a late call']);
  }
});

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { startFakeService } from '../../test/support/fake-service.ts';

const FOLLOW = ['events', '--game', 'Demo', '--follow'];
const EVENT_STREAM = { 'content-type': 'text/event-stream' };

describe('a stream of events that no Respark server would send ends the command', () => {
  for (const [title, body, problem] of [
    ['with data that is not JSON', 'id: 1\nevent: x\ndata: {bad\n\n', 'is not JSON'],
    ['with an event without an end', `data: ${'a'.repeat(5_000_000)}`, 'has more than 4194304 characters'],
  ] as const) {
    it(title, { timeout: 30_000 }, async (t) => {
      const { world } = await startFakeService(t, () => ({ headers: EVENT_STREAM, body }));
      assert.equal(await world.run(...FOLLOW), 1);
      assert.equal(world.err(), `an event in the reply ${problem}; is the endpoint a Respark server?\n`);
    });
  }
});

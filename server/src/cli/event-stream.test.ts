import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { SILENCE, startFakeService } from '../../test/support/fake-service.ts';
import { ROOT } from '../../test/support/world.ts';
import { watchEvents } from '../api/own-operations/events.ts';
import { ManagementClient } from './management-client.ts';

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

it('a stream that says how much was lost by something else than a number prints nothing of it', async (t) => {
  const lost = 'id: 1\nevent: events.lost\ndata: {"data":{"count":"\\u001b[2J"}}\n\n';
  const { world } = await startFakeService(t, ({ url }) => ({
    headers: EVENT_STREAM,
    // The next look ends the command.
    body: url.includes('After=1') ? 'id: 2\nevent: x\ndata: {\n\n' : lost,
  }));
  assert.equal(await world.run(...FOLLOW), 1);
  assert.match(world.err(), /^some events were dropped before they could be shown\nan event in the reply is not JSON/);
});

it('a stream that ends with its game is not gone on with in a later game of the same name', async (t) => {
  const end = 'id: 7\nevent: x\ndata: {"data":{}}\n\nevent: end\ndata: {"reason":"deleted"}\n\n';
  const { world, requests } = await startFakeService(t, ({ url }) => ({
    headers: EVENT_STREAM,
    // The next look ends the command.
    body: url.includes('After=7') ? 'id: 8\nevent: x\ndata: {\n\n' : end,
  }));
  assert.equal(await world.run(...FOLLOW), 1);
  assert.match(world.err(), /^the game was deleted; a later game of its name is another one/);
  assert.equal(requests.length, 1);
});

it('a stream that does not begin in time is given up', async (t) => {
  const { url } = await startFakeService(t, () => SILENCE);
  const later = setTimeout;
  t.mock.method(globalThis, 'setTimeout', (task: () => void, ms: number) => later(task, ms === 30_000 ? 50 : ms));
  const client = new ManagementClient({ endpoint: url, credentials: ROOT, region: 'us-east-1' });
  await assert.rejects(client.stream(watchEvents, { GameName: 'Demo' }), {
    message: `cannot reach ${url}: no answer in time`,
  });
});

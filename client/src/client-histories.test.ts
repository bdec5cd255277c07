import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { setUp } from './test/client-under-test.ts';
import { seededRandom, settle } from './test/fakes.ts';

/** One step of the world around a client; `seed` picks details. */
type Step = { readonly kind: string; readonly seed: number };

async function take({ kind, seed }: Step, { client, newest, clock, sockets }: ReturnType<typeof setUp>) {
  const socket = sockets.length > 0 && !newest().isGone ? newest() : undefined;
  if (kind === 'connect') client.connect().catch(() => {});
  else if (kind === 'close') void client.close();
  else if (kind === 'request') client.request('T').catch(() => {});
  else if (kind === 'advance') await clock.advance(seed % 60_000);
  else if (kind === 'open') socket?.opens();
  else if (kind === 'welcome') socket?.welcomes();
  else if (kind === 'frame') socket?.receives({ kind: 'heartbeat' });
  else if (kind === 'garbage') socket?.receives('{');
  else if (kind === 'reconnect') socket?.closes([1006, 1012, 4000, 4004][seed % 4] ?? 0, 'r; retryAfterMs=5');
  else socket?.closes([1000, 1002, 4500, 4507][seed % 4] ?? 0);
  await settle();
}

test('whatever happens, at most one connection is open, a client that stopped stays stopped, and close() leaves nothing', async () => {
  const kinds = 'connect close request advance open welcome frame garbage reconnect stop'.split(' ');
  const step = fc.record({ kind: fc.constantFrom(...kinds), seed: fc.nat() });
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40 }), fc.nat(), async (steps, seed) => {
      const world = setUp({ random: seededRandom(seed) });
      const { client, sockets, clock, newest } = world;
      for (const step of steps) {
        const before = { made: sockets.length, state: client.state };
        await take(step, world);
        const open = sockets.filter((socket) => !socket.isGone && socket.closedWith === undefined);
        assert.ok(open.length <= 1, 'one connection');
        assert.equal(client.state === 'connected' || client.state === 'connecting', open.length === 1, 'state');
        if (before.state === 'closed' && step.kind !== 'connect') assert.equal(sockets.length, before.made, 'stopped');
        const closing = sockets.filter((socket) => !socket.isGone && socket.closedWith !== undefined);
        if (client.state === 'waiting') assert.equal(clock.timers, 1 + closing.length, 'the back-off and goodbyes');
      }
      const closed = client.close();
      await clock.advance(1_000);
      await closed;
      assert.equal(clock.timers, 0, 'no timer');
      assert.ok(sockets.length === 0 || newest().isGone || newest().closedWith !== undefined);
    }),
    { numRuns: 300 },
  );
});

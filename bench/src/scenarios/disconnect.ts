import { arrive, callFigures, disconnect, inArena, playersFor, type Scenario, warmUp } from './scenario.ts';

/** Three ways to load the same call. Whoever was disconnected has come back before the next one begins. */
const LOADS = [
  { label: 'one at a time', pacing: { atOnce: 1 } },
  { label: '32 at once', pacing: { atOnce: 32 } },
  { label: '200 calls/s', pacing: { perSecond: 200 } },
] as const;

/** V8 takes some thousand calls until the last of the server's code is compiled; the first cost several times more. */
const WARM_UP_PASSES = 8;

export const disconnectScenario: Scenario = {
  title: 'Disconnect a player',
  description: 'idle connections, three a player; each call closes its player’s three',
  async run(name, scale) {
    return await inArena(name, async (arena) => {
      await warmUp(arena, scale);
      const seeds = await playersFor(arena, scale.connections);
      await arrive(arena, seeds);
      const leaving = seeds.slice(0, scale.calls);
      for (let pass = 0; pass < WARM_UP_PASSES; pass += 1) {
        await disconnect(arena, leaving, { atOnce: 32 });
        await arrive(arena, seeds);
      }
      let figures = {};
      for (const { label, pacing } of LOADS) {
        await arrive(arena, seeds);
        figures = { ...figures, ...callFigures(label, await disconnect(arena, leaving, pacing)) };
      }
      return figures;
    });
  },
};

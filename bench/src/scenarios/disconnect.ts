import {
  arrive,
  callFigures,
  disconnect,
  inArena,
  playersFor,
  type Scenario,
  warmUp,
  warmUpCalls,
} from './scenario.ts';

/** Three ways to load the same call. Disconnected players have reconnected before the next one begins. */
export const LOADS = [
  { label: 'one at a time', pacing: { atOnce: 1 } },
  { label: '32 at once', pacing: { atOnce: 32 } },
  { label: '200 calls/s', pacing: { perSecond: 200 } },
] as const;

export const disconnectScenario: Scenario = {
  title: 'Disconnect a player',
  description:
    'idle connections, three per player; each call closes the three of its player. A guarded peer checks the caller’s token and writes a line to a file before and after, as Respark does; the others do what anybody says',
  kinds: ['respark', 'part', 'peer', 'guarded', 'floor'],
  isOnEveryNode: true,
  async run(entrant, scale) {
    return await inArena(entrant, async (arena) => {
      await warmUp(arena, scale);
      const seeds = await playersFor(arena, scale.connections);
      await arrive(arena, seeds);
      const leaving = seeds.slice(0, scale.calls);
      await warmUpCalls(arena, leaving);
      let figures = {};
      for (const { label, pacing } of LOADS) {
        await arrive(arena, seeds);
        figures = { ...figures, ...callFigures(label, await disconnect(arena, leaving, pacing, scale.idleMs)) };
      }
      return figures;
    });
  },
};

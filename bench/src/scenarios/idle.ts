import {
  arrive,
  type Figures,
  inArena,
  playersFor,
  type Scenario,
  UNGUARDED,
  untilSteady,
  warmUp,
} from './scenario.ts';

export const idleScenario: Scenario = {
  title: 'Memory of idle connections',
  description:
    'resident memory per connection: that of the server with its connections, less that of the warm server without any; both after a garbage collection',
  kinds: UNGUARDED,
  isOnEveryNode: true,
  async run(entrant, scale) {
    return await inArena(entrant, async (arena) => {
      const { server } = arena;
      const settled = async () => {
        await server.collectGarbage();
        return await untilSteady(() => server.rssBytes(), { quietMs: scale.settleMs, tolerance: 0.002 });
      };
      await warmUp(arena, scale);
      const empty = await settled();
      const figures: Figures = { 'without connections: RSS, MiB': empty / 2 ** 20 };
      for (const size of scale.idleSizes) {
        await arrive(arena, await playersFor(arena, size));
        figures[`${size.toLocaleString('en')} connections: RSS, KiB each`] = ((await settled()) - empty) / size / 1024;
      }
      return figures;
    });
  },
};

import { quantile } from '../statistics.ts';
import {
  arrive,
  CONNECTIONS_PER_PLAYER,
  disconnect,
  type Figures,
  inArena,
  playersFor,
  type Scenario,
  UNGUARDED,
  warmUp,
  warmUpCalls,
} from './scenario.ts';

/** Players per batch: few enough that the number of connections under test stays almost the same. */
const BATCH_PLAYERS = 30;

export const growthScenario: Scenario = {
  title: 'Cost of a call as connections grow',
  description: 'calls one at a time, in batches of 30 players who reconnect in between',
  kinds: UNGUARDED,
  isOnEveryNode: false,
  async run(entrant, scale) {
    return await inArena(entrant, async (arena) => {
      await warmUp(arena, scale);
      const early = await playersFor(arena, CONNECTIONS_PER_PLAYER * scale.calls, 'early');
      await arrive(arena, early);
      await warmUpCalls(arena, early);
      await arena.generator.leave();
      const figures: Figures = {};
      for (const size of scale.growthSizes) {
        const seeds = await playersFor(arena, size);
        await arrive(arena, seeds);
        // The first batch is a warm-up and is not counted.
        let cpuMicros = 0;
        let callMs: number[] = [];
        for (let batch = 0; batch <= scale.growthBatches; batch += 1) {
          const measured = await disconnect(arena, seeds.slice(0, BATCH_PLAYERS), { atOnce: 1 });
          await arrive(arena, seeds);
          if (batch === 0) continue;
          cpuMicros += measured.cpuMicros;
          callMs = [...callMs, ...measured.callMs];
        }
        const label = `${size.toLocaleString('en')} connections`;
        figures[`${label}: server CPU, µs a call`] = cpuMicros / callMs.length;
        figures[`${label}: call p50, ms`] = quantile(callMs, 0.5);
      }
      return figures;
    });
  },
};

import { gameDocument } from '../cloud-code/handlers.ts';
import { startGenerator } from '../load/generator-process.ts';
import { median } from '../statistics.ts';
import { playWithHandlers } from './handlers.ts';
import { inArena, type Scenario } from './scenario.ts';

/** With those of the bench, as many handlers as a game of some size has. */
const FILLERS = 20;
const STAYING_PLAYERS = 50;

export const deploymentScenario: Scenario = {
  title: 'Cloud code: the first message after a deployment',
  description: `deployments of ${FILLERS} handlers of a kilobyte and a few more, one after the other, while ${STAYING_PLAYERS} players stay on what was there before. Each time a player connects as soon as the deployment is completed, and sends one message at once`,
  kinds: ['respark'],
  isOnEveryNode: false,
  async run(entrant, { deployments }) {
    return await inArena(
      entrant,
      async (arena) => {
        const { server } = arena;
        await playWithHandlers(arena, STAYING_PLAYERS);
        const newcomers = startGenerator(server);
        try {
          const tookMs: number[] = [];
          for (let version = 1; version <= deployments; version += 1) {
            await server.studio?.deploy(gameDocument({ fillers: FILLERS, version }));
            const seeds = await server.seeds([`newcomer-${version}`]);
            await newcomers.connect({ seeds, perPlayer: 1, atOnce: 1 });
            const { p50Ms } = await newcomers.roundTrips({ count: 1, pacing: { atOnce: 1 }, handler: 'Echo' });
            tookMs.push(p50Ms);
            await newcomers.leave();
          }
          return { 'first message, median, ms': median(tookMs), 'first message, slowest, ms': Math.max(...tookMs) };
        } finally {
          await newcomers.stop();
        }
      },
      { waitUrl: 'http://127.0.0.1:1/' },
    );
  },
};

import { NOTIFIED_PLAYERS } from '../cloud-code/handlers.ts';
import { playWithHandlers } from './handlers.ts';
import { inArena, type Scenario } from './scenario.ts';

const PLAYERS = 1_000;
/** Messages in flight: each makes as many notifications as one handler may send, one after the other. */
const AT_ONCE = 4;

export const notificationsScenario: Scenario = {
  title: 'Cloud code: notifications to 1,000 players',
  description: `handlers that send a notification to ${NOTIFIED_PLAYERS} players each, over all 1,000 in turn, counted where they arrive`,
  kinds: ['respark', 'fewer-threads', 'peer', 'fresh'],
  isOnEveryNode: false,
  async run(entrant, { messages }) {
    return await inArena(
      entrant,
      async (arena) => {
        const { server, generator } = arena;
        await playWithHandlers(arena, PLAYERS);
        const count = Math.max(20, messages / NOTIFIED_PLAYERS);
        const load = { count, pacing: { atOnce: AT_ONCE }, handler: 'Notify', players: NOTIFIED_PLAYERS } as const;
        await generator.notifications(load);
        const before = server.cpuMicros();
        const { durationMs, cpuShare } = await generator.notifications(load);
        const sent = count * NOTIFIED_PLAYERS;
        return {
          'notifications/s': (sent * 1000) / durationMs,
          'server CPU, µs a notification': (server.cpuMicros() - before) / sent,
          'generator CPU, share of its core': cpuShare,
        };
      },
      { waitUrl: 'http://127.0.0.1:1/' },
    );
  },
};

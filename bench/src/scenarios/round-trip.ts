import { arrive, inArena, playersFor, type Scenario, UNGUARDED, warmUp } from './scenario.ts';

const MESSAGES_PER_SECOND = 2_000;

export const roundTripScenario: Scenario = {
  title: 'Request round trip',
  description:
    'a request of 64 characters over all connections in turn. Respark answers that it has no handler, which still goes all the way through the gateway; the others answer with an echo, Socket.IO with an acknowledgement',
  kinds: UNGUARDED,
  isOnEveryNode: true,
  async run(entrant, scale) {
    return await inArena(entrant, async (arena) => {
      const { server, generator } = arena;
      await warmUp(arena, scale);
      await arrive(arena, await playersFor(arena, scale.chattingConnections));
      await generator.roundTrips({ count: scale.messages, pacing: { atOnce: 64 } });

      const before = server.cpuMicros();
      const busy = await generator.roundTrips({ count: scale.messages, pacing: { atOnce: 64 } });
      const cpuMicros = server.cpuMicros() - before;
      const count = MESSAGES_PER_SECOND * scale.secondsAtRate;
      const steady = await generator.roundTrips({ count, pacing: { perSecond: MESSAGES_PER_SECOND } });
      return {
        '64 at once: round trips/s': (busy.count * 1000) / busy.durationMs,
        '64 at once: server CPU, µs a round trip': cpuMicros / busy.count,
        '64 at once: generator CPU, share of its core': busy.cpuShare,
        '2,000/s: round trip p50, ms': steady.p50Ms,
        '2,000/s: round trip p99, ms': steady.p99Ms,
      };
    });
  },
};

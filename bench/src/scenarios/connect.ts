import { arrive, CONNECTIONS_PER_PLAYER, inArena, playersFor, type Scenario, UNGUARDED, warmUp } from './scenario.ts';

export const connectScenario: Scenario = {
  title: 'Connect',
  description:
    'until the server has accepted the socket as the player’s: Respark with hello, token and welcome; Socket.IO with its namespace; Colyseus with matchmaking; the floor with only the upgrade. 64 at once',
  kinds: UNGUARDED,
  isOnEveryNode: true,
  async run(entrant, scale) {
    return await inArena(entrant, async (arena) => {
      await warmUp(arena, scale);
      const seeds = await playersFor(arena, scale.handshakes);
      const before = arena.server.cpuMicros();
      const { durationMs, cpuShare } = await arrive(arena, seeds);
      const count = seeds.length * CONNECTIONS_PER_PLAYER;
      return {
        'handshakes/s': (count * 1000) / durationMs,
        'server CPU, µs a handshake': (arena.server.cpuMicros() - before) / count,
        'generator CPU, share of its core': cpuShare,
      };
    });
  },
};

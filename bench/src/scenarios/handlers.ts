import { gameDocument, type HandlerName, PLAYER_PREFIX } from '../cloud-code/handlers.ts';
import { startWaitServer } from '../cloud-code/wait-server.ts';
import { DIALECTS } from '../load/dialects.ts';
import type { Dialect } from '../load/players.ts';
import type { ServerProcess } from '../server-process.ts';
import { type Arena, type Figures, inArena, type Scale, type Scenario } from './scenario.ts';

export const MESSAGES_PER_SECOND = 500;
/** Enough to keep two script threads busy, and the main thread. */
const AT_ONCE = 64;
/** Enough to find the threads that run scripts: those that are busiest beside the main one. */
const SCRIPT_THREADS = 2;

/** The handlers that are measured, by what readers know them as. */
export const MEASURED: Readonly<Partial<Record<HandlerName, string>>> = {
  Echo: 'no call',
  Data: 'one call',
  Wait: 'one call of 1 ms',
};

export const handlersScenario: Scenario = {
  title: 'Cloud code: a message and its handler',
  description:
    'a request of 64 characters, answered by a handler that makes no call, reads a key of the player’s data (from SQLite in Respark, which does not wait for the disk; from a map in memory elsewhere), or asks an HTTP server that takes a millisecond. In Respark a script handles it, in a fresh guest and a thread of its own; in Socket.IO and Colyseus code of the server’s process, which nothing keeps apart; in the last column a script in an engine that is made for each message. Servers may use both cores. The threads beside the main one are the busiest two',
  kinds: ['respark', 'fewer-threads', 'peer', 'fresh'],
  isOnEveryNode: true,
  async run(entrant, scale) {
    const waitServer = await startWaitServer();
    try {
      return await inArena(entrant, (arena) => measure(arena, scale), { waitUrl: waitServer.url });
    } finally {
      waitServer.stop();
    }
  },
};

/** Deploys the handlers where they have to be, and has each player connect once. */
export async function playWithHandlers({ server, generator }: Arena, players: number): Promise<void> {
  await server.studio?.deploy(gameDocument());
  const seeds = await server.seeds(Array.from({ length: players }, (_, index) => `${PLAYER_PREFIX}${index}`));
  await generator.connect({ seeds, perPlayer: 1, atOnce: 64 });
}

async function measure(arena: Arena, { chattingConnections, messages, secondsAtRate }: Scale): Promise<Figures> {
  const { server, generator } = arena;
  await playWithHandlers(arena, chattingConnections);
  await generator.roundTrips({ count: chattingConnections, pacing: { atOnce: AT_ONCE }, handler: 'Save' });
  const { messages: known = {} }: Dialect = DIALECTS[server.dialect];
  const figures: Figures = {};
  for (const [name, label] of Object.entries(MEASURED)) {
    const handler = name as HandlerName;
    if (known[handler] === undefined) continue;
    const count = handler === 'Wait' ? messages / 10 : messages / 2;
    const load = { count, pacing: { atOnce: AT_ONCE }, handler };
    await generator.roundTrips(load);
    const readCpu = startCpu(server);
    const busy = await generator.roundTrips(load);
    const { all, scripts } = readCpu();
    figures[`${label}: messages/s`] = (count * 1000) / busy.durationMs;
    figures[`${label}: server CPU, µs a message`] = all / count;
    figures[`${label}: CPU beside the main thread, µs a message`] = scripts / count;
    figures[`${label}: generator CPU, share of its core`] = busy.cpuShare;
    const steady = await generator.roundTrips({
      count: MESSAGES_PER_SECOND * secondsAtRate,
      pacing: { perSecond: MESSAGES_PER_SECOND, isSparing: true },
      handler,
    });
    figures[`${label}: 500/s: p50, ms`] = steady.p50Ms;
    figures[`${label}: 500/s: p99, ms`] = steady.p99Ms;
  }
  return figures;
}

/** Begins to count the CPU of the server, and that of the threads that run its scripts. */
function startCpu(server: ServerProcess): () => { all: number; scripts: number } {
  const [before, threadsBefore] = [server.cpuMicros(), server.otherThreadsCpuMicros()];
  return () => {
    const all = server.cpuMicros() - before;
    const used = [...server.otherThreadsCpuMicros()].map(([id, micros]) => micros - (threadsBefore.get(id) ?? 0));
    used.sort((a, b) => b - a);
    return { all, scripts: used.slice(0, SCRIPT_THREADS).reduce((sum, micros) => sum + micros, 0) };
  };
}

import { gameDocument } from '../cloud-code/handlers.ts';
import { startGenerator } from '../load/generator-process.ts';
import { MESSAGES_PER_SECOND, playWithHandlers } from './handlers.ts';
import { type Arena, type Figures, inArena, type Scale, type Scenario } from './scenario.ts';

const PLAYERS = 200;
const NEIGHBOURS = 20;
const NEIGHBOUR_STAGE = 'Stuck';
/** What the neighbours may take is what this is about. */
const SHIPPED_LIMITS = { scriptMaxBusyMs: '150', scriptWatchdogMs: '400' };

export const stuckNeighbourScenario: Scenario = {
  title: 'Cloud code: beside a stage that is stuck',
  description: `one stage gets 500 messages a second, with and without another stage whose handlers are endless loops, of which ${NEIGHBOURS} wait at any time`,
  kinds: ['respark'],
  isOnEveryNode: false,
  async run(entrant, scale) {
    const options = { waitUrl: 'http://127.0.0.1:1/', settings: SHIPPED_LIMITS };
    return await inArena(entrant, (arena) => measure(arena, scale), options);
  },
};

async function measure(arena: Arena, { messages, secondsAtRate }: Scale): Promise<Figures> {
  const { server, generator } = arena;
  const { studio } = server;
  if (studio === undefined) throw new Error('only where scripts are deployed are there stages');
  await playWithHandlers(arena, PLAYERS);
  const gameKey = await studio.createStage(NEIGHBOUR_STAGE);
  await studio.deploy(gameDocument(), NEIGHBOUR_STAGE);
  const steady = () =>
    generator.roundTrips({
      count: MESSAGES_PER_SECOND * secondsAtRate,
      pacing: { perSecond: MESSAGES_PER_SECOND, isSparing: true },
      handler: 'Echo',
    });
  await generator.roundTrips({ count: messages / 10, pacing: { atOnce: 16 }, handler: 'Echo' });
  const alone = await steady();

  const neighbours = startGenerator(server);
  try {
    const hello = JSON.stringify({ kind: 'hello', gameKey });
    const seeds = Array.from({ length: NEIGHBOURS }, (_, index) => ({ playerId: `neighbour-${index}`, hello }));
    await neighbours.connect({ seeds, perPlayer: 1, atOnce: NEIGHBOURS });
    const pacing = { atOnce: NEIGHBOURS };
    // It is ended while it still waits.
    neighbours.roundTrips({ count: Number.MAX_SAFE_INTEGER, pacing, handler: 'Loop' }).catch(() => {});
    await steady();
    const beside = await steady();
    return {
      'alone: 500/s: p50, ms': alone.p50Ms,
      'alone: 500/s: p99, ms': alone.p99Ms,
      'beside loops: 500/s: p50, ms': beside.p50Ms,
      'beside loops: 500/s: p99, ms': beside.p99Ms,
    };
  } finally {
    await neighbours.stop();
  }
}

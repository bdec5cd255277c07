import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Connection } from '../../src/gateway/connection.ts';
import { CHANGE } from '../support/domain.ts';
import { History } from './history.ts';
import { GAME, STAGE, World } from './world.ts';

const HISTORIES = Number(process.env.TEST_HISTORIES ?? 500);

type Action =
  | { readonly do: 'come'; readonly player: string; readonly address: string; readonly isSilent: boolean }
  | { readonly do: 'say hello' | 'close' | 'stop reading' | 'lose network'; readonly socket: number }
  | { readonly do: 'disconnect'; readonly player: string }
  | { readonly do: 'pass time'; readonly ms: number };

const player = fc.constantFrom('alice', 'bob');
const socket = fc.nat({ max: 9 });
const action: fc.Arbitrary<Action> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      ...{ do: fc.constant('come' as const), player, isSilent: fc.constantFrom(true, false, false) },
      address: fc.constantFrom('192.0.2.1', '2001:db8:0:1::/64', '2001:db8:0:2::/64'),
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constantFrom('say hello' as const, 'close' as const, 'stop reading' as const, 'lose network' as const),
      socket,
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('disconnect' as const), player }) },
  {
    weight: 3,
    arbitrary: fc.record({ do: fc.constant('pass time' as const), ms: fc.constantFrom(100, 1_000, 2_500) }),
  },
);

/** A node with few places, to which players come as an upgrade lets them in, and what it should know of its places. */
class Crowd {
  readonly world: World;
  readonly coverage: Set<string>;
  readonly #maxUnauthenticated: number;
  readonly #maxConnections: number;
  /** Connections that have a place and have not given way. */
  readonly #inPlaces = new Set<Connection>();
  readonly #hellos: (() => void)[] = [];

  constructor(world: World, coverage: Set<string>, limits: { maxUnauthenticated: number; maxConnections: number }) {
    this.world = world;
    this.coverage = coverage;
    this.#maxUnauthenticated = limits.maxUnauthenticated;
    this.#maxConnections = limits.maxConnections;
    const { gateway } = world;
    const closed = gateway.socketClosed.bind(gateway);
    gateway.socketClosed = (connection, code) => {
      closed(connection, code);
      this.#inPlaces.delete(connection);
    };
  }

  come(playerId: string, address: string, isSilent: boolean): void {
    const { gateway, limits } = this.world;
    const canMakeRoom = () => gateway.findYielding() !== undefined;
    const refusal = limits.refusal(address, { unread: { pieces: 0, ms: 0 }, canMakeRoom });
    if (refusal !== undefined && refusal.limit !== 'full') {
      this.coverage.add(`refused: ${refusal.limit}`);
      return;
    }
    const yielding = refusal === undefined && limits.isCrowded ? gateway.findYielding() : undefined;
    if (yielding !== undefined) {
      assert(this.#inPlaces.has(yielding), 'only a connection that has a place gives way');
      assert(!yielding.isWelcomed, 'a player who was welcomed never gives way');
      this.coverage.add(yielding.isStopped ? 'one refused gives way' : `one gives way that is ${stateOf(yielding)}`);
      gateway.giveWay(yielding);
      this.#inPlaces.delete(yielding);
    }
    const hasPlace = refusal === undefined && !limits.isCrowded;
    assert.equal(hasPlace, refusal === undefined, 'whoever is let in has a place');
    const { connection, says } = this.world.accept(playerId, { address, hasPlace });
    this.#hellos.push(says);
    if (hasPlace) this.#inPlaces.add(connection);
    if (refusal !== undefined) {
      this.coverage.add('refused: full');
      gateway.close(connection, 'node_full');
    } else if (!isSilent) says();
    this.check();
  }

  says(socket: number): void {
    this.#hellos[socket]?.();
  }

  check(): void {
    const all = [...this.#inPlaces];
    const waiting = all.filter(({ isWelcomed }) => !isWelcomed).length;
    assert(all.length <= this.#maxConnections, `${all.length} connections have places`);
    assert(waiting <= this.#maxUnauthenticated, `${waiting} of those that are not welcomed yet have places`);
    const isCrowded = all.length === this.#maxConnections || waiting === this.#maxUnauthenticated;
    assert.equal(this.world.limits.isCrowded, isCrowded, `${all.length} have places, ${waiting} without a welcome`);
  }
}

function stateOf({ isAwaitingHello }: Connection): string {
  return isAwaitingHello ? 'silent' : 'waiting for room';
}

test('each place of a crowded node is taken once and given back once, whoever gives way', async () => {
  const coverage = new Set<string>();
  await fc.assert(
    fc.asyncProperty(
      fc.scheduler(),
      fc.array(action, { minLength: 4, maxLength: 30 }),
      fc.record({ maxUnauthenticated: fc.constantFrom(1, 2, 4), maxConnections: fc.constantFrom(2, 3, 6) }),
      async (scheduler, actions, limits) => {
        const settings = { maxConnectionsPerPlayer: 1, whenPlayerFull: 'refuse', closeGraceMs: 700 } as const;
        const world = new World({ scheduler, history: new History(coverage), faults: [], settings, limits });
        const crowd = new Crowd(world, coverage, limits);
        const acts = Promise.all(actions.map((each) => world.turn(each.do).then(() => act(crowd, each))));
        // What fails fails the history when it is over.
        acts.catch(() => {});
        await world.settle();
        await acts;
        crowd.check();
        const nothing = { connections: 0, unauthenticated: 0, addresses: 0 };
        assert.deepEqual(world.limits.counts, nothing, 'each place is given back once');
        assert.deepEqual({ ...world.gateway.counts, outboxBytes: 0 }, NOTHING_LEFT);
        assert.equal(world.cluster.inner.size, 0);
      },
    ),
    {
      // The same histories each time, so that a failure is due to the change, and a planted bug is not found by luck.
      ...{ numRuns: HISTORIES, seed: Number(process.env.TEST_SEED ?? 11) },
      ...{ endOnFailure: process.env.TEST_SEED !== undefined, includeErrorInReport: true },
    },
  );
  // Fewer may lack what is rare.
  if (HISTORIES < 500) return;
  for (const race of [
    ...['refused: full', 'refused: unauthenticated', 'one refused gives way'],
    ...['one gives way that is silent', 'one gives way that is waiting for room'],
  ]) {
    assert(coverage.has(race), `no history had ${race}`);
  }
});

const NOTHING_LEFT = { sockets: 0, listed: 0, closing: 0, deadlines: 0, outboxBytes: 0 };

async function act(crowd: Crowd, step: Action): Promise<void> {
  const { world } = crowd;
  switch (step.do) {
    case 'come':
      crowd.come(step.player, step.address, step.isSilent);
      return;
    case 'say hello':
      crowd.says(step.socket);
      return;
    case 'close':
      world.sockets[step.socket]?.peerCloses();
      return;
    case 'stop reading':
      world.sockets[step.socket]?.peerReads(false);
      return;
    case 'lose network':
      world.sockets[step.socket]?.losesNetwork();
      return;
    case 'disconnect': {
      const named = { gameName: GAME, stageName: STAGE, playerId: step.player };
      // One that takes longer than it may, while time passes, is refused.
      await Promise.resolve(world.players(world.cluster).disconnect(named, CHANGE)).catch(() => {});
      return;
    }
    case 'pass time':
      await world.clock.passTo(world.clock.monotonic() + step.ms);
  }
}

import { setTimeout as pass } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import type { ClusterHistory } from '../simulation/checker.ts';
import type { Tally } from '../soak/tally.ts';
import type { Calls } from './calls.ts';
import type { Client, Clients } from './clients.ts';
import type { Point, Points } from './points.ts';
import type { Node, Rig, Times } from './rig.ts';
import type { Scope } from './scope.ts';

/** How late anything may be on a machine that does other work. */
export const SLACK_MS = 5_000;

/** Everything that a fault needs. */
export interface Stage {
  readonly scope: Scope;
  readonly rig: Rig;
  readonly times: Times;
  readonly tally: Tally;
  readonly points: Points;
  readonly calls: Calls;
  readonly clients: Clients;
  readonly residents: Residents;
  readonly probes: readonly Player[];
  readonly newPlayers: Player[];
  readonly outages: ClusterHistory['outages'][number][];
}

export interface Player {
  readonly playerId: string;
  readonly token: string;
}

/** Players whom nobody disconnects and who never leave by themselves: each of their closes is the work of a fault. */
export class Residents {
  readonly players: readonly Player[];
  readonly #current = new Map<string, Client>();
  readonly #losses: { readonly client: Client; readonly at: number; readonly code: number }[] = [];
  #isOver = false;

  constructor(players: readonly Player[]) {
    this.players = players;
  }

  connected(client: Client): void {
    this.#current.set(client.player.playerId, client);
    void client.player.closed.then(({ code }) => {
      if (!this.#isOver) this.#losses.push({ client, at: performance.now(), code });
    });
  }

  leave(): void {
    this.#isOver = true;
  }

  at(life: string): Client[] {
    return [...this.#current.values()].filter((client) => client.isOpen && client.life === life);
  }

  lossesSince(at: number) {
    return this.#losses.filter((loss) => loss.at >= at);
  }

  /** Whether each of them is connected and has been served since then. */
  areServedSince(at: number): boolean {
    return this.players.every(({ playerId }) => this.#current.get(playerId)?.isServedSince(at));
  }
}

/** Does something at the point, and counts that it met a disconnect in flight. */
export async function strike(
  { points, calls, tally }: Stage,
  point: Point,
  node: Node | undefined,
  act: (node: string) => void,
): Promise<void> {
  await points.strike(point, node?.name, (name) => {
    tally.count(`struck at "${point}" with a disconnect in flight`);
    if (calls.disconnectsInFlight === 0) tally.fault(`no disconnect was in flight at "${point}"`);
    act(name);
  });
}

/** Resolves when the condition holds; with false when that takes too long. */
export async function holdsWithin(boundMs: number, holds: () => Promise<boolean> | boolean): Promise<boolean> {
  const deadline = performance.now() + boundMs;
  while (!(await holds())) {
    if (performance.now() > deadline) return false;
    await pass(50);
  }
  return true;
}

/** It is a fault unless all nodes are ready, and each disconnects a player of another one, within the bound. */
export async function untilWorking(stage: Stage, boundMs: number): Promise<void> {
  const { rig, tally, residents } = stage;
  let missing = '';
  const isWorking = async () => {
    const ready = await Promise.all(rig.nodes.map((node) => node.isReady()));
    const unready = rig.nodes.filter((_, number) => !ready[number]);
    missing = `${unready.map(({ name }) => name).join(', ')} not ready`;
    if (unready.length > 0) return false;
    for (const [number, node] of rig.nodes.entries()) {
      const fault = await probe(stage, node, rig.nodes[(number + 1) % rig.nodes.length] as Node, number);
      missing = fault ?? '';
      if (fault !== undefined) return false;
    }
    return true;
  };
  if (!(await holdsWithin(boundMs, isWorking))) {
    tally.fault(`not all works again after ${boundMs} ms: ${missing}`);
    // What follows would only find the same.
    await holdsWithin(boundMs + 30_000, isWorking);
  }
  const workedAt = performance.now();
  if (!(await holdsWithin(SLACK_MS, () => residents.areServedSince(workedAt))))
    tally.fault('a player who had nothing to do with the fault is not served');
}

/** What does not work when a player of one node is disconnected by another. */
async function probe(stage: Stage, node: Node, coordinator: Node, number: number): Promise<string | undefined> {
  const { clients, calls, probes } = stage;
  const { playerId, token } = probes[number] as Player;
  const client = await clients.connect(token, node).catch((error: Error) => error.message);
  if (typeof client === 'string') return `${node.name} does not welcome: ${client}`;
  const { outcome } = await calls.disconnect(playerId, coordinator);
  if (isDeepStrictEqual(outcome, { successes: [client.id], failures: [] })) return undefined;
  client.player.ws.terminate();
  return `${coordinator.name} answered ${JSON.stringify(outcome)} for ${client.id} of ${node.name}`;
}

/** A player who is connected to the node and to another one. */
export interface Witness {
  readonly player: Player;
  readonly onVictim: Client;
  readonly elsewhere: Client;
  readonly other: Node;
}

export async function placeWitness({ clients, rig, newPlayers }: Stage, victim: Node): Promise<Witness> {
  const player = newPlayers.pop();
  if (player === undefined) throw new Error('there are too few new players');
  const other = rig.nodes.find((node) => node !== victim) as Node;
  const onVictim = await clients.connect(player.token, victim);
  return { player, onVictim, other, elsewhere: await clients.connect(player.token, other) };
}

/** The connection of a dead owner is a failure within the deadline, and not listed any more after its lease. */
export async function checkDeadOwner(stage: Stage, witness: Witness, struckAt: number): Promise<void> {
  const { calls, tally, times } = stage;
  const { player, onVictim, elsewhere, other } = witness;
  const { outcome, calledMs, returnedMs = Number.POSITIVE_INFINITY } = await calls.disconnect(player.playerId, other);
  const expected = { successes: [elsewhere.id], failures: [onVictim.id] };
  if (!isDeepStrictEqual(outcome, expected))
    tally.fault(`a dead owner's connection must be a failure: ${JSON.stringify({ expected, outcome })}`);
  if (returnedMs - calledMs > times.deadlineMs + SLACK_MS)
    tally.fault(`with a dead owner, the call took ${Math.round(returnedMs - calledMs)} ms`);
  const boundMs = times.leaseMs + 2 * times.renewMs + SLACK_MS - (performance.now() - struckAt);
  const isGone = async () => (await calls.status(player.playerId, other))?.includes(onVictim.id) === false;
  if (!(await holdsWithin(boundMs, isGone))) tally.fault(`${onVictim.id} is listed after the lease of its owner`);
  const again = await calls.disconnect(player.playerId, other);
  if (!isDeepStrictEqual(again.outcome, { successes: [], failures: [] }))
    tally.fault(`after the lease of its owner, ${onVictim.id} is answered: ${JSON.stringify(again.outcome)}`);
  tally.count('dead owners: failures first, then gone');
}

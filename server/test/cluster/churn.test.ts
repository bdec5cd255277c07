import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as pass } from 'node:timers/promises';
import { type ClusterHistory, type DisconnectRecord, findViolations } from '../simulation/checker.ts';
import { startCluster, TIMES, until, whyNoCluster } from '../support/cluster.ts';
import { usePostgres } from '../support/postgres.ts';
import type { RunningServer } from '../support/process.ts';
import type { TestPlayer } from '../support/server.ts';

const postgres = usePostgres();

/** How late an answer may be on a machine that does other work. */
const SLACK_MS = 2_000;
const CHURN_MS = 14_000;
const TOKEN = 'GameSparks.Identity.GetPlayerToken';

/** A connection as its client sees it. What it sent and was answered shows when it was still served. */
class Client {
  readonly player: TestPlayer;
  readonly node: string;
  readonly welcomedAt = performance.now();
  readonly #sentAt = new Map<string, number>();

  constructor(player: TestPlayer, node: string) {
    this.player = player;
    this.node = node;
  }

  get isOpen(): boolean {
    return this.player.ws.readyState === this.player.ws.OPEN;
  }

  send(): void {
    const id = `r${this.#sentAt.size}`;
    this.#sentAt.set(id, performance.now());
    this.player.request(id, TOKEN);
  }

  /** When those of its requests were sent that have been answered. */
  served(): number[] {
    return this.player.frames.flatMap((frame) =>
      frame.kind === 'response' ? [this.#sentAt.get(frame.id ?? '') ?? this.welcomedAt] : [],
    );
  }
}

test('a churn of players over three nodes, one of which is killed, and a Redis that loses its data', {
  skip: whyNoCluster,
}, async (t) => {
  // For a moment nobody is disconnected while others connect, of whom there may be many on a slow machine.
  const cluster = await startCluster(t, postgres, 3, { RESPARK_MAX_CONNECTIONS_PER_PLAYER: '500' });
  const { nodes, redis } = cluster;
  const [first] = nodes as [RunningServer];
  await cluster.untilReady();
  const founder = await first.connect();
  const [playerId, token] = [founder.playerId, await founder.token()];
  const clients = [new Client(founder, 'node 0')];
  const disconnects: DisconnectRecord[] = [];
  const statuses: ClusterHistory['statuses'][number][] = [];
  const outages: ClusterHistory['outages'][number][] = [];
  const killed: string[] = [];
  const living = () => nodes.map((_, number) => number).filter((number) => !killed.includes(`node ${number}`));
  const pick = <T>(items: readonly T[]) => items[Math.floor(Math.random() * items.length)] as T;

  async function connect(): Promise<void> {
    const number = pick(living());
    const player = await (nodes[number] as RunningServer).connect({ token }).catch(() => undefined);
    if (player !== undefined) clients.push(new Client(player, `node ${number}`));
  }

  async function disconnect(): Promise<void> {
    const number = pick(living());
    const at = performance.now();
    const call: DisconnectRecord = {
      ...{ player: playerId, coordinator: `node ${number}`, requestId: '', calledAt: at, calledMs: at },
    };
    disconnects.push(call);
    const outcome = await cluster.disconnect(nodes[number] as RunningServer, playerId).catch((error: Error) => {
      // A node that is killed under its caller answers nothing.
      if (killed.includes(`node ${number}`)) return undefined;
      assert.equal(error.name, 'InternalServerException');
      return 'unavailable' as const;
    });
    if (outcome === undefined) call.isLost = true;
    else Object.assign(call, { outcome, returnedAt: performance.now(), returnedMs: performance.now() });
    call.goneNodes = [...killed];
  }

  async function status(): Promise<void> {
    const calledAt = performance.now();
    const ids = await cluster.status(nodes[pick(living())] as RunningServer, playerId).catch(() => []);
    statuses.push({ player: playerId, calledAt, ids });
  }

  const startedAt = performance.now();
  const disconnecting = new Set<Promise<void>>();
  let isPaused = false;
  const faults = (async () => {
    await pass(CHURN_MS * 0.2);
    // Without disconnects for a moment, so that the node is killed with a player on it.
    isPaused = true;
    await Promise.all(disconnecting);
    const last = await (nodes[2] as RunningServer).connect({ token });
    clients.push(new Client(last, 'node 2'));
    isPaused = false;
    killed.push('node 2');
    nodes[2]?.child.kill('SIGKILL');
    await pass(CHURN_MS * 0.3);
    const fromMs = performance.now();
    await redis.kill();
    await pass(300);
    outages.push({ fromMs, toMs: performance.now() + TIMES.recoveryMs });
    await redis.start();
  })();
  const calls: Promise<void>[] = [faults];
  while (performance.now() - startedAt < CHURN_MS) {
    const step = pick([connect, connect, disconnect, status]);
    if (step !== disconnect) calls.push(step());
    else if (!isPaused) {
      const call = disconnect().finally(() => disconnecting.delete(call));
      disconnecting.add(call);
      calls.push(call);
    }
    for (const client of clients) if (client.isOpen) client.send();
    await pass(40);
  }
  await Promise.all(calls);

  await cluster.untilReady(nodes.slice(0, 2));
  const lastSent = performance.now();
  for (const client of clients) if (client.isOpen) client.send();
  const isServed = (client: Client) => client.served().some((sentAt) => sentAt >= lastSent);
  const served = () => clients.filter(isServed).map(({ player }) => player.connectionId);
  let directory: string[] = [];
  await until(async () => {
    directory = await cluster.status(first, playerId);
    return directory.length === served().length;
  });

  const history: ClusterHistory = {
    ...{ disconnects, statuses, outages, deployments: [] },
    passages: clients.flatMap((client) =>
      client.served().map((at) => ({ id: client.player.connectionId, at, kind: 'dispatched' as const })),
    ),
    connections: clients.map((client) => ({
      ...{ id: client.player.connectionId, player: playerId, node: client.node, runtimeId: 'empty' },
      welcomedAt: client.welcomedAt,
      ...(isServed(client) ? {} : { stoppedAt: Math.max(client.welcomedAt, ...client.served()) }),
    })),
    quiet: { directory, nodeTables: served(), sockets: served() },
  };
  assert.deepEqual(findViolations(history, { deadlineMs: TIMES.deadlineMs + SLACK_MS }), []);
  const outcomes = disconnects.map(({ outcome }) => outcome);
  const has = (kind: 'successes' | 'failures') =>
    outcomes.some((outcome) => typeof outcome === 'object' && outcome[kind].length > 0);
  assert(has('successes') && has('failures') && outcomes.includes('unavailable'), 'each outcome was met');
});

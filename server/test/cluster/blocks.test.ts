import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as pass } from 'node:timers/promises';
import { type Arrival, type BarCall, type BarHistory, findBarViolations } from '../simulation/bar-checker.ts';
import { startCluster, until, whyNoCluster } from '../support/cluster.ts';
import { usePostgres } from '../support/postgres.ts';
import type { RunningServer } from '../support/process.ts';
import { rawCall } from '../support/raw-call.ts';

const postgres = usePostgres();

const PLAYERS = 200;
const CHURN_MS = 15_000;
/** A block ends by the clock of each node; on one machine they are the same, to the millisecond. */
const CLOCK_MS = 1_000;
const DEMO = '/respark/game/Demo/stage/Dev';
const DEMO_GAME = '/respark/game/Demo';

test('200 players come and go on three nodes while they are blocked and let in again, and a Redis loses its data', {
  skip: whyNoCluster,
}, async (t) => {
  const cluster = await startCluster(t, postgres, 3);
  const nodes = cluster.nodes as readonly RunningServer[];
  await cluster.untilReady();
  const pick = <T>(items: readonly T[]) => items[Math.floor(Math.random() * items.length)] as T;
  const call = (node: RunningServer, method: string, path: string, body?: object) =>
    rawCall(node, method, path, { credentials: node.credentials, body });
  const startedAt = performance.now();
  const names = Array.from({ length: PLAYERS }, (_, number) => `player-${number}`);
  const tokens = new Map<string, string>();
  for (const name of names) {
    const { json, message } = await call(pick(nodes), 'POST', `${DEMO}/player/${name}/token`);
    assert(json.AuthenticationToken !== undefined, message);
    tokens.set(name, String(json.AuthenticationToken));
  }
  const calls: BarCall[] = [];
  const arrivals: Arrival[] = [];

  async function arrive(player: string, node: RunningServer): Promise<Arrival> {
    const now = performance.now();
    const arrival: Arrival = { player, id: '', helloAt: now, helloMs: now, issuedMs: startedAt };
    arrivals.push(arrival);
    const { outcome, id } = await node.connect({ token: tokens.get(player) ?? '' }).then(
      (welcomed) => {
        // It leaves soon, so that the player has room for the next.
        void pass(Math.random() * 1_500).then(() => welcomed.ws.close());
        return { outcome: 'welcomed' as const, id: welcomed.connectionId };
      },
      (error: Error) => ({ outcome: /4510/.test(error.message) ? ('blocked' as const) : ('other' as const), id: '' }),
    );
    const endedAt = performance.now();
    return Object.assign(arrival, { outcome, id, endedAt, endedMs: endedAt });
  }

  async function change(kind: 'block' | 'unblock', player: string, node: RunningServer): Promise<void> {
    const isInGame = Math.random() < 0.3;
    const seconds = kind === 'block' && Math.random() < 0.2 ? 3 : undefined;
    const now = performance.now();
    const made: BarCall = {
      ...{ kind, player, subject: `${player} in ${isInGame ? 'the game' : 'the stage'}`, calledAt: now, calledMs: now },
      ...(seconds !== undefined && { untilMs: now + seconds * 1_000 }),
    };
    calls.push(made);
    const path = `${isInGame ? DEMO_GAME : DEMO}/player/${player}/block`;
    const body = seconds === undefined ? undefined : { Seconds: seconds };
    const answer = await call(node, kind === 'block' ? 'POST' : 'DELETE', path, body).catch(() => undefined);
    // A node that has too much to do cuts callers off: what becomes of the call is not known then.
    if (answer === undefined) return;
    const { status, json, message } = answer;
    assert([200, 429, 500].includes(status), `${status} ${message}`);
    // What was refused for its rate has changed nothing.
    if (status === 429) calls.splice(calls.indexOf(made), 1);
    const failures = (json.DisconnectFailures ?? []) as string[];
    Object.assign(made, { returnedAt: performance.now(), outcome: status === 200 ? 'done' : 'unavailable', failures });
  }

  const busy: Promise<unknown>[] = [];
  const churning = performance.now();
  let isDown = false;
  while (performance.now() - churning < CHURN_MS) {
    const player = pick(names);
    busy.push(change(pick(['block', 'block', 'unblock']), player, pick(nodes)));
    for (const each of [player, player, pick(names)]) busy.push(arrive(each, pick(nodes)));
    if (Math.random() < 0.3) busy.push(change(pick(['block', 'unblock']), player, pick(nodes)));
    if (!isDown && performance.now() - churning > CHURN_MS / 3) {
      isDown = true;
      await cluster.redis.kill();
      await cluster.redis.start();
    }
    await pass(30);
  }
  await Promise.all(busy);
  assert(
    nodes.every(({ child }) => child.exitCode === null && child.signalCode === null),
    'all nodes go on',
  );
  await cluster.untilReady();

  const blocksOf = async (node: RunningServer) => {
    const blocks: { PlayerId: string; Enforced: boolean }[] = [];
    for (let next = ''; ; ) {
      const query = next === '' ? '' : `?NextToken=${encodeURIComponent(next)}`;
      const { json } = await call(node, 'GET', `${DEMO_GAME}/block${query}`);
      blocks.push(...(json.Blocks as typeof blocks));
      next = String(json.NextToken ?? '');
      if (next === '') return blocks;
    }
  };
  await pass(3_000);
  await until(async () => (await blocksOf(pick(nodes))).every(({ Enforced }) => Enforced));
  const blocked = new Set((await blocksOf(pick(nodes))).map(({ PlayerId }) => PlayerId));
  const quiet: BarHistory['quiet'][number][] = [];
  for (const [number, player] of names.entries()) {
    // One after the other, because an address may only make so many handshakes a second.
    const { outcome } = await arrive(player, nodes[number % nodes.length] as RunningServer);
    quiet.push({ player, isBarred: blocked.has(player), outcome });
    await pass(20);
  }
  // A block that ends is over within a second on every node.
  const settled = arrivals.filter(({ player, helloMs, endedMs = helloMs }) => {
    const ends = calls.flatMap((made) => (made.player === player && made.untilMs !== undefined ? [made.untilMs] : []));
    return !ends.some((end) => endedMs > end - CLOCK_MS && helloMs < end + CLOCK_MS);
  });
  assert.deepEqual(findBarViolations({ calls, arrivals: settled, quiet }), []);
  const outcomes = new Set(arrivals.map(({ outcome }) => outcome));
  assert(outcomes.has('welcomed') && outcomes.has('blocked'), 'players were let in and kept out');
  assert(blocked.size > 0 && blocked.size < PLAYERS && calls.some(({ outcome }) => outcome === 'done'));
});

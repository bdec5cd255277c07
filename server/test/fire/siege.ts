import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { encode } from '@respark/protocol';
import fc from 'fast-check';
import type { Settings } from '../../src/config/config.ts';
import { from } from '../support/bound.ts';
import { rawCall } from '../support/raw-call.ts';
import {
  alarmsOf,
  assertNothingLeft,
  NO_SEND_LIMITS,
  startTestServer,
  type TestPlayer,
  type TestServer,
  until,
} from '../support/server.ts';

/** CI runs the same cases each time, so that a failure is due to the change. Runs by hand find new cases. */
const CI_SEED = 11;

/** How long an attack may last. Every time limit of the besieged server is far shorter. */
const BOUND_MS = 10_000;

/** How much the heap may grow. A few kilobytes left behind by each of hundreds of cases would exceed it. */
const MAX_GROWTH_BYTES = 8 * 1_048_576;

/** Limits on rates are out of the way. Time limits are short, but long enough for a busy machine. */
const SETTINGS: Partial<Settings> = {
  headersTimeoutMs: 1_000,
  requestTimeoutMs: 1_500,
  closeGraceMs: 300,
  authFailuresPerMinutePerAddress: 1_000_000,
  readCallsPerSecond: 1_000_000,
  readCallsBurst: 1_000_000,
  writeCallsPerSecond: 1_000_000,
  writeCallsBurst: 1_000_000,
  ...NO_SEND_LIMITS,
  handshakesPerSecond: 1_000_000,
  handshakesPerSecondPerAddress: 1_000_000,
};

export interface Siege {
  readonly server: TestServer;
  /** Runs one case within the bound, then checks that a signed call is answered and that an earlier player plays on. */
  attempt(what: string, attack: () => Promise<void>): Promise<void>;
  /** Runs cases at the same time: for cases that wait for a time limit. */
  attemptAll(attacks: Readonly<Record<string, () => Promise<void>>>): Promise<void>;
  /** Runs generated cases. A failure prints the seed, and the path to its smallest case. */
  hold<T>(what: string, numRuns: number, inputs: fc.Arbitrary<T>, attack: (input: T) => Promise<void>): Promise<void>;
}

/**
 * Starts a server for the cases of `run`, of which there must be at least `minCases`. In the end, the server must hold
 * nothing for any client, the heap, timers and sockets of the process must be back where they were, and the log must
 * have no warning, because clients are no reason to call an operator.
 */
export async function besiege(
  t: TestContext,
  { settings = {}, minCases }: { settings?: Partial<Settings>; minCases: number },
  run: (siege: Siege) => Promise<void>,
): Promise<void> {
  const server = await startTestServer(t, { settings: { ...SETTINGS, ...settings } });
  let cases = 0;
  const player = await server.connect({}, settings.trustedProxies === undefined ? {} : from('203.0.113.200'));
  const beating = setInterval(() => player.ws.send(encode({ kind: 'heartbeat' })), 100);
  t.after(() => clearInterval(beating));
  const checkHealth = async (what: string) => {
    const { status, json } = await rawCall(server, 'GET', '/game/Demo');
    assert.deepEqual([status, Object.keys(json)], [200, ['Game']], `a healthy call after: ${what}`);
    await beat(player);
  };
  const attempt = async (what: string, attack: () => Promise<void>) => {
    cases += 1;
    await within(BOUND_MS, what, attack());
  };

  // The first calls load and compile code, which must not count as left behind by the attacks.
  for (let call = 0; call < 20; call += 1) await checkHealth('nothing');
  const before = resources();
  const heapBefore = heapUsed();

  const attemptOne: Siege['attempt'] = async (what, attack) => {
    await attempt(what, attack);
    await checkHealth(what);
  };
  await run({
    server,
    attempt: attemptOne,
    async attemptAll(attacks) {
      await Promise.all(Object.entries(attacks).map(([what, attack]) => attempt(what, attack)));
      await checkHealth(Object.keys(attacks).join(', '));
    },
    async hold(what, numRuns, inputs, attack) {
      await fc.assert(
        fc.asyncProperty(inputs, (input) => attemptOne(what, () => attack(input))),
        { numRuns, ...(process.env.CI === undefined ? {} : { seed: CI_SEED }) },
      );
    },
  });

  t.diagnostic(`${cases} cases`);
  assert(cases >= minCases, `only ${cases} cases ran`);
  assert.deepEqual(alarmsOf(server), []);
  await until(
    () => server.counts().inFlight === 0 && !isMore(resources(), before),
    () => ({ inFlight: server.counts().inFlight, now: resources(), before }),
  );
  // The test itself keeps the lines of the log.
  const loggedBytes = JSON.stringify(server.logged).length;
  const growth = heapUsed() - heapBefore - 2 * loggedBytes;
  t.diagnostic(`the heap grew by ${growth} bytes, beside ${loggedBytes} bytes of log`);
  assert(growth < MAX_GROWTH_BYTES, `the heap grew by ${growth} bytes`);
  clearInterval(beating);
  player.ws.close();
  await assertNothingLeft(server);
}

/** Settles as `work` does, or rejects after `boundMs`. */
export function within<T>(boundMs: number, what: string, work: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`still going on after ${boundMs} ms: ${what}`)), boundMs);
    work
      .then(resolve, (error: unknown) => reject(new Error(`${what}: ${error}`, { cause: error })))
      .finally(() => clearTimeout(timer));
  });
}

async function beat(player: TestPlayer): Promise<void> {
  const answered = player.next((frame) => frame.kind === 'error' && frame.id === 'health');
  player.request('health', 'Any.Type');
  await answered;
}

/** Sockets and timers that keep this process alive, the server's and the test's. */
function resources(): { sockets: number; timers: number } {
  const active = process.getActiveResourcesInfo();
  const count = (name: string) => active.filter((each) => each === name).length;
  return {
    sockets: count('TCPSocketWrap'),
    timers: count('Timeout'),
  };
}

function isMore(now: ReturnType<typeof resources>, before: ReturnType<typeof resources>): boolean {
  // `until`, which calls this, has a timer of its own.
  return now.sockets > before.sockets || now.timers > before.timers + 1;
}

function heapUsed(): number {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  for (let round = 0; round < 3; round += 1) collect();
  return process.memoryUsage().heapUsed;
}

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type TestContext, test } from 'node:test';
import { encode } from '@respark/protocol';
import { type ClientOptions, WebSocket } from 'ws';
import { type Clock, systemClock } from '../../src/clock.ts';
import type { Settings } from '../../src/config/config.ts';
import { ManualClock } from './manual-clock.ts';
import { alarmsOf, assertNothingLeft, startTestServer, type TestPlayer, type TestServer } from './server.ts';

/** A test of one bound. */
export function testBound(
  title: string,
  settings: Partial<Settings>,
  run: (server: TestServer) => Promise<void>,
): void {
  test(`[ws] ${title}`, async (t) => await hold({ t, settings, clock: systemClock, run }));
}

/** The same, while time stands still until the test lets it pass. Every client must answer its close frame. */
export function testBoundInTime(
  title: string,
  settings: Partial<Settings>,
  run: (server: TestServer, clock: ManualClock) => Promise<void>,
): void {
  const clock = new ManualClock(Date.now());
  test(`[ws] ${title}`, async (t) => await hold({ t, settings, clock, run: (server) => run(server, clock) }));
}

/**
 * Checks that a player from another address plays on, whatever becomes of the other clients, that nothing is left of
 * any client afterwards, and that the server logs no warning for what clients did.
 */
async function hold({
  t,
  settings,
  clock,
  run,
}: {
  t: TestContext;
  settings: Partial<Settings>;
  clock: Clock;
  run: (server: TestServer) => Promise<void>;
}): Promise<void> {
  const server = await startTestServer(t, { settings: { trustedProxies: ['127.0.0.1'], ...settings }, clock });
  const bystander = await server.connect({}, from('203.0.113.200'));
  await run(behindProxy(server));
  assert.equal(bystander.ws.readyState, WebSocket.OPEN);
  await bystander.token();
  bystander.ws.close();
  await assertNothingLeft(server);
  assert.deepEqual(alarmsOf(server), []);
}

/** The server as clients without an address of their own meet it: they share one. */
function behindProxy(server: TestServer): TestServer {
  const withAddress = (options: ClientOptions = {}) => ({
    ...options,
    headers: { ...from('198.51.100.77').headers, ...options.headers },
  });
  return {
    ...server,
    open: (options) => server.open(withAddress(options)),
    connect: (hello, options) => server.connect(hello, withAddress(options)),
  };
}

/** A client behind the proxy that is this machine. */
export function from(address: string): { headers: Record<string, string> } {
  return { headers: { 'x-forwarded-for': address } };
}

export function helloOf(server: TestServer): string {
  return encode({ kind: 'hello', gameKey: server.gameKey });
}

/** Resolves with how the server closes this socket. */
export async function closeOf(ws: WebSocket): Promise<{ code: number; reason: string }> {
  const [code, reason] = await once(ws, 'close');
  return { code, reason: String(reason) };
}

/** Closes, one after the other, and waits until the server has answered. */
export async function leave(...players: readonly (TestPlayer | WebSocket)[]): Promise<void> {
  for (const player of players) {
    const ws = player instanceof WebSocket ? player : player.ws;
    const closed = once(ws, 'close');
    ws.close();
    await closed;
  }
}

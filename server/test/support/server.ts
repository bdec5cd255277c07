import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import type { GameSparksClient, GameSparksClientConfig } from '@aws-sdk/client-gamesparks';
import { decodeServerFrame, encode, type ServerFrame, SUBPROTOCOL } from '@respark/protocol';
import { type ClientOptions, WebSocket } from 'ws';
import type { Clock } from '../../src/clock.ts';
import type { Settings } from '../../src/config/config.ts';
import type { RunningServer } from '../../src/main.ts';
import type { RandomBytes } from '../../src/random.ts';
import { openSdk } from './aws-sdk.ts';

export const GAME = 'Demo';
export const STAGE = 'Dev';
/** Settings for players who send more than the limits allow. */
export const NO_SEND_LIMITS = {
  messagesPerSecond: 1_000_000,
  messagesBurst: 1_000_000,
  messagesPerSecondPerAddress: 1_000_000_000,
  messagesBurstPerAddress: 1_000_000_000,
  bytesPerSecond: 1_000_000_000,
  bytesBurst: 1_000_000_000,
  bytesPerSecondPerAddress: 1_000_000_000,
  bytesBurstPerAddress: 1_000_000_000,
} as const;
export const ROOT = { accessKeyId: 'ROOTKEY', secretAccessKey: 'root-secret-of-the-tests' };

export interface TestServer extends RunningServer {
  readonly gameKey: string;
  readonly dataDir: string;
  /** Lines that the server has logged at `debug` and above, parsed. */
  readonly logged: readonly Readonly<Record<string, unknown>>[];
  /** The unmodified AWS client, with the root key unless told otherwise. */
  sdk(config?: GameSparksClientConfig): GameSparksClient;
  /** A player's WebSocket whose hello has been answered. */
  connect(hello?: { gameKey?: string; token?: string }, options?: ClientOptions): Promise<TestPlayer>;
  /** A player's WebSocket, open but without a hello. */
  open(options?: ClientOptions): Promise<WebSocket>;
}

export interface TestPlayer {
  readonly ws: WebSocket;
  readonly playerId: string;
  readonly connectionId: string;
  readonly frames: readonly ServerFrame[];
  /** Settles when the socket is gone. */
  readonly closed: Promise<{ code: number; reason: string }>;
  /** A token for another hello of this player. */
  token(): Promise<string>;
  request(id: string, type: string): void;
  /** The next frame that the test accepts. */
  next(accept: (frame: ServerFrame) => boolean): Promise<ServerFrame>;
}

/** A whole server on a free port and a fresh data directory, with the demo stage; it is closed when the test ends. */
export async function startTestServer(
  t: TestContext,
  {
    settings = {},
    dataDir = temporaryDirectory(t),
    ...world
  }: { settings?: Partial<Settings>; dataDir?: string; clock?: Clock; random?: RandomBytes } = {},
): Promise<TestServer> {
  const { startServer, loadSettings, createLog } = await loadProgram();
  const logged: Record<string, unknown>[] = [];
  const server = await startServer({
    settings: {
      ...loadSettings({ env: {}, flags: { port: '0', dataDir } }),
      rootAccessKeyId: ROOT.accessKeyId,
      rootSecretAccessKey: ROOT.secretAccessKey,
      reserveBytes: 0,
      ...settings,
    },
    log: createLog({ level: 'debug', destination: { write: (line) => void logged.push(JSON.parse(line)) } }),
    demo: true,
    ...world,
  });
  t.after(() => server.close());
  const gameKey = server.demo?.gameKey ?? '';

  async function open(options: ClientOptions = {}): Promise<WebSocket> {
    const ws = new WebSocket(server.playerUrl, SUBPROTOCOL, { rejectUnauthorized: false, ...options });
    t.after(() => ws.terminate());
    await once(ws, 'open');
    return ws;
  }

  return {
    ...server,
    gameKey,
    dataDir,
    logged,
    open,
    sdk: (config) => openSdk({ endpoint: server.url, credentials: ROOT, ...config }),
    connect: async (hello, options) => await sayHello(await open(options), { gameKey, ...hello }),
  };
}

/** The server, which tests of a server process do without, because it takes half a second to load. */
async function loadProgram() {
  const [main, config, log] = await Promise.all([
    import('../../src/main.ts'),
    import('../../src/config/config.ts'),
    import('../../src/log.ts'),
  ]);
  return { ...main, ...config, ...log };
}

/** Sends the hello on an open WebSocket; resolves with the player when it is welcomed. */
export async function sayHello(ws: WebSocket, hello: { gameKey: string; token?: string }): Promise<TestPlayer> {
  const frames: ServerFrame[] = [];
  const waiting = new Set<(frame: ServerFrame) => void>();
  ws.on('message', (data) => {
    const decoded = decodeServerFrame(data.toString());
    if (!decoded.ok) throw new Error(decoded.fault);
    frames.push(decoded.frame);
    for (const look of waiting) look(decoded.frame);
  });
  ws.on('error', () => {});
  const closed = once(ws, 'close').then(([code, reason]) => ({ code: Number(code), reason: String(reason) }));
  const next = (accept: (frame: ServerFrame) => boolean) =>
    new Promise<ServerFrame>((resolve, reject) => {
      const look = (frame: ServerFrame) => {
        if (!accept(frame)) return;
        waiting.delete(look);
        resolve(frame);
      };
      waiting.add(look);
      closed.then(({ code, reason }) => reject(new Error(`closed with ${code} ${reason}`)));
    });

  const welcomed = next((frame) => frame.kind === 'welcome');
  ws.send(encode({ kind: 'hello', ...hello }));
  const welcome = await welcomed;
  if (welcome.kind !== 'welcome') throw new Error('not a welcome');
  const { playerId, connectionId } = welcome;
  return {
    ws,
    playerId,
    connectionId,
    frames,
    closed,
    next,
    request: (id, type) => ws.send(encode({ kind: 'request', id, type, payload: {} })),
    async token() {
      const answered = next((frame) => frame.kind === 'response' && frame.id === 'token');
      ws.send(encode({ kind: 'request', id: 'token', type: 'GameSparks.Identity.GetPlayerToken', payload: {} }));
      const answer = await answered;
      if (answer.kind !== 'response') throw new Error('not a response');
      return String(answer.payload.AuthenticationToken);
    },
  };
}

/** What the server has logged as a warning or an error, except for its advice on origins that it has refused. */
export function alarmsOf({ logged }: Pick<TestServer, 'logged'>): TestServer['logged'] {
  return logged.filter(({ level, msg }) => Number(level) > 30 && !String(msg).includes('RESPARK_ALLOWED_ORIGINS'));
}

export function temporaryDirectory(t: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), 'respark-test-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

/**
 * Waits for what the server does by itself a moment later; fails, with what it saw last, when that does not come. A
 * condition may make a call each time, which is seldom enough for the limits of calls.
 */
export async function until(
  condition: () => boolean | Promise<boolean>,
  describe: () => unknown = () => condition.toString(),
): Promise<void> {
  // Long enough for the first start of a browser on a busy machine.
  const deadline = performance.now() + 60_000;
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`still waiting for: ${JSON.stringify(describe())}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** Waits until the last socket is gone, and checks that the server holds nothing for the players that were here. */
export async function assertNothingLeft(server: TestServer): Promise<void> {
  await until(
    () => server.counts().sockets === 0,
    () => server.counts(),
  );
  const { inFlight: _, ...counts } = server.counts();
  assert.deepEqual(counts, {
    sockets: 0,
    listed: 0,
    closing: 0,
    deadlines: 0,
    outboxBytes: 0,
    connections: 0,
    unauthenticated: 0,
    addresses: 0,
    directory: 0,
    runtimes: 0,
  });
}

import { once } from 'node:events';
import { ResparkClient } from '@respark/client';
import { encode, SUBPROTOCOL } from '@respark/protocol';
import { WebSocket } from 'ws';
import { sayHello } from '../support/server.ts';
import type { ServerProcess } from '../support/server-process.ts';
import { inTime, pause, type Tally } from './tally.ts';

/** How long a player waits for anything, on a busy machine. */
const ANSWER_MS = 20_000;

const OWN_CLOSE = 1000;
export const DISCONNECTED = 4500;
/** The codes that players expect when they leave or are disconnected. They get 1006 when they break off themselves. */
const EXPECTED = [OWN_CLOSE, 1006, DISCONNECTED];

/** What the clients know about their connections, to be compared with what the server says. */
export class Roster {
  /** Connection id → player id, for every player that was welcomed and has not been closed. */
  readonly open = new Map<string, string>();
  /** Ids of connections whose close frame said that the operator disconnected them. */
  readonly disconnected = new Set<string>();

  left(connectionId: string, code: number): void {
    this.open.delete(connectionId);
    if (code === DISCONNECTED) this.disconnected.add(connectionId);
  }

  /** Returns a random open connection; undefined when there is none. */
  pick(): { connectionId: string; playerId: string } | undefined {
    const index = Math.floor(Math.random() * this.open.size);
    let at = 0;
    for (const [connectionId, playerId] of this.open) {
      if (at === index) return { connectionId, playerId };
      at += 1;
    }
    return undefined;
  }
}

export interface Stage {
  readonly server: ServerProcess;
  readonly tally: Tally;
  readonly roster: Roster;
  /** Aborted when players should stop coming and going, and stay connected. */
  readonly settle: AbortSignal;
  /** Aborted when all players should leave. */
  readonly leave: AbortSignal;
}

/** A header that gives each client an address of its own. */
export function addressOf(number: number): { 'X-Forwarded-For': string } {
  return { 'X-Forwarded-For': `10.${(number >> 16) & 255}.${(number >> 8) & 255}.${number & 255}` };
}

/** Plays on plain WebSockets, always as the same player, who comes and goes, with a close or without. */
export async function playRaw(stage: Stage, number: number): Promise<void> {
  let token: string | undefined;
  let playerId: string | undefined;
  while (!stage.leave.aborted) {
    const player = await inTime(stage.tally, ANSWER_MS, 'a connect', connectRaw(stage, number, token));
    if (player === undefined) return;
    stage.roster.open.set(player.connectionId, player.playerId);
    const gone = new AbortController();
    player.closed.then(({ code, reason }) => {
      stage.roster.left(player.connectionId, code);
      stage.tally.closed('player', code, EXPECTED, reason);
      gone.abort();
    });
    stage.tally.count('connections of players');
    // Only a player that was disconnected before it had a token may come back as another one.
    if (token !== undefined && playerId !== player.playerId) stage.tally.fault('a player came back as another one');
    playerId = player.playerId;

    const life = lifeOf(stage, gone.signal);
    token ??= await inTime(stage.tally, ANSWER_MS, 'a token', unlessGone(gone.signal, player.token()));
    while (!life.aborted) {
      player.ws.send(encode({ kind: 'heartbeat' }));
      const answered = player.next((frame) => frame.kind === 'error' && frame.id === 'r');
      answered.catch(() => {});
      player.request('r', 'Any.Type');
      await inTime(stage.tally, ANSWER_MS, 'a request', unlessGone(gone.signal, answered));
      stage.tally.count('requests of players');
      await pause(1_000, 4_000, life);
    }
    if (!gone.signal.aborted) {
      if (Math.random() < 0.3 && !stage.leave.aborted) player.ws.terminate();
      else player.ws.close(OWN_CLOSE);
    }
    await inTime(stage.tally, ANSWER_MS, 'a close', player.closed);
    await pause(0, 2_000, stage.settle);
  }
}

export async function connectRaw({ server }: Pick<Stage, 'server'>, number: number, token?: string) {
  const ws = new WebSocket(server.playerUrl, SUBPROTOCOL, { headers: addressOf(number) });
  await once(ws, 'open');
  return await sayHello(ws, { gameKey: server.gameKey, ...(token === undefined ? {} : { token }) });
}

/** Plays with the SDK, which reconnects by itself unless its player was disconnected or left. */
export async function playSdk(stage: Stage, number: number): Promise<void> {
  const { server, tally, roster, leave } = stage;
  let hasToken = false;
  const client = new ResparkClient({
    url: server.playerUrl,
    gameKey: server.gameKey,
    storage: {
      load: () => undefined,
      save(token) {
        hasToken = token !== undefined;
      },
    },
    WebSocket: class extends WebSocket {
      constructor(url: string, protocols: string[]) {
        super(url, protocols, { headers: addressOf(number) });
      }
    },
  });
  let playerId: string | undefined;
  let connectionId = '';
  let life = new AbortController();
  client.on('welcome', (welcome) => {
    ({ connectionId } = welcome);
    roster.open.set(connectionId, welcome.playerId);
    tally.count('connections of SDK players');
    if (hasToken && playerId !== welcome.playerId) tally.fault('an SDK player came back as another one');
    playerId = welcome.playerId;
  });
  client.on('disconnect', ({ closeCode: code, reason }) => {
    roster.left(connectionId, code);
    tally.closed('SDK player', code, EXPECTED, reason);
    life.abort();
  });
  client.on('error', (error) => tally.fault(`an SDK player: ${error.message}`));
  while (!leave.aborted) {
    life = new AbortController();
    if ((await inTime(tally, ANSWER_MS, 'an SDK connect', client.connect())) === undefined) return;
    const over = lifeOf(stage, life.signal);
    while (!over.aborted) {
      const answer = client.request('Any.Type').catch((error: { code?: string }) => error.code);
      const code = await inTime(tally, ANSWER_MS + 1_000, 'an SDK request', answer);
      if (code !== 'no_handler' && !life.signal.aborted) tally.fault(`an SDK request ended with ${code}`);
      tally.count('requests of SDK players');
      await pause(1_000, 4_000, over);
    }
    await client.close();
    await pause(0, 2_000, stage.settle);
  }
}

/**
 * Returns a signal that aborts when the connection is gone or all leave and, while players come and go, at a random
 * time.
 */
function lifeOf({ settle, leave }: Stage, gone: AbortSignal): AbortSignal {
  const life = new AbortController();
  const end = () => life.abort();
  const timer = setTimeout(() => !settle.aborted && end(), 5_000 + Math.random() * 55_000);
  for (const signal of [gone, leave]) {
    if (signal.aborted) end();
    signal.addEventListener('abort', end, { signal: life.signal });
  }
  life.signal.addEventListener('abort', () => clearTimeout(timer), { once: true });
  return life.signal;
}

/** Settles as `work` does, or resolves with undefined as soon as the connection is gone. */
function unlessGone<T>(gone: AbortSignal, work: Promise<T>): Promise<T | undefined> {
  return new Promise((resolve, reject) => {
    const end = () => resolve(undefined);
    if (gone.aborted) end();
    gone.addEventListener('abort', end);
    work
      .then(resolve, (error: unknown) => (gone.aborted ? end() : reject(error)))
      .finally(() => gone.removeEventListener('abort', end));
  });
}

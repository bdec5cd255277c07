import { once } from 'node:events';
import { CLOSE_CODES, SUBPROTOCOL } from '@respark/protocol';
import { WebSocket } from 'ws';
import { pause, type Tally } from '../soak/tally.ts';
import { sayHello, type TestPlayer } from '../support/server.ts';
import type { Node, Rig } from './rig.ts';

const HANDSHAKE_MS = 5_000;
const TOKEN = 'GameSparks.Identity.GetPlayerToken';

/** What faults may close players with. A client that has closed by itself sees 1000, one that breaks off 1006. */
const EXPECTED: readonly number[] = [
  ...[1000, 1006, 1011, 1013],
  ...[CLOSE_CODES.heartbeat_missed, CLOSE_CODES.node_fenced, CLOSE_CODES.disconnected].map(({ code }) => code),
];

/** A connection as its client sees it. */
export class Client {
  readonly player: TestPlayer;
  /** The process that serves it. */
  readonly life: string;
  readonly welcomedAt = performance.now();
  /** When those of its requests were sent that have been answered: it was served at that time or later. */
  readonly served: number[] = [];
  /** When the last answer came. */
  answeredAt = 0;
  end: { readonly at: number; readonly code: number } | undefined;
  readonly #sentAt: number[] = [];

  constructor(player: TestPlayer, life: string) {
    this.player = player;
    this.life = life;
    player.ws.on('message', (data) => {
      const id = /"id":"r(\d+)"/.exec(data.toString())?.[1];
      if (id === undefined) return;
      this.served.push(this.#sentAt[Number(id)] ?? this.welcomedAt);
      this.answeredAt = performance.now();
    });
    void player.closed.then(({ code }) => {
      this.end = { at: performance.now(), code };
    });
  }

  get id(): string {
    return this.player.connectionId;
  }

  get isOpen(): boolean {
    return this.end === undefined && this.player.ws.readyState === WebSocket.OPEN;
  }

  send(): void {
    if (!this.isOpen) return;
    this.player.request(`r${this.#sentAt.length}`, TOKEN);
    this.#sentAt.push(performance.now());
  }

  isServedSince(at: number): boolean {
    return this.served.some((sentAt) => sentAt >= at);
  }

  stoppedAt(): number {
    return Math.max(this.welcomedAt, ...this.served.slice(-1));
  }
}

/** The players, and all connections that they have ever had. */
export class Clients {
  readonly all: Client[] = [];
  readonly #rig: Rig;
  readonly #tally: Tally;

  constructor(rig: Rig, tally: Tally) {
    this.#rig = rig;
    this.#tally = tally;
  }

  open(): Client[] {
    return this.all.filter(({ isOpen }) => isOpen);
  }

  /** Connects to this node, or through haproxy. Rejects when the player is not welcomed. */
  async connect(token?: string, node?: Node): Promise<Client> {
    const rig = this.#rig;
    const ws = new WebSocket(node?.playerUrl ?? rig.playerUrl, SUBPROTOCOL, { handshakeTimeout: HANDSHAKE_MS });
    let life = node?.life;
    ws.on('upgrade', ({ headers }) => {
      const name = headers['x-node'];
      life ??= rig.nodes.find((one) => one.name === name)?.life;
    });
    await once(ws, 'open');
    const hello = { gameKey: rig.gameKey, ...(token === undefined ? {} : { token }) };
    const client = new Client(await sayHello(ws, hello), life ?? 'unknown');
    this.all.push(client);
    void client.player.closed.then(({ code, reason }) => this.#tally.closed('player', code, EXPECTED, reason));
    return client;
  }

  /** A new player, who is not connected any more when this resolves. */
  async newPlayer(): Promise<{ readonly playerId: string; readonly token: string }> {
    const { player } = await this.connect();
    const token = await player.token();
    player.ws.close(1000);
    await player.closed;
    return { playerId: player.playerId, token };
  }

  leave(): void {
    for (const { player } of this.all) player.ws.terminate();
  }
}

/** What lanes do until the signals: `settle` says to stay connected from now on, `leave` to go. */
export interface Life {
  readonly clients: Clients;
  readonly tally: Tally;
  readonly settle: AbortSignal;
  readonly leave: AbortSignal;
}

interface LaneOptions {
  readonly token: string;
  /** How long a connection lasts at most. */
  readonly lifeMs: number;
  /** How long the player stays away at most. */
  readonly awayMs: number;
  /** Told of each connection. */
  readonly connected?: (client: Client) => void;
}

/** Plays on one connection after another, and sends requests all the time. */
export async function playLane({ clients, tally, settle, leave }: Life, options: LaneOptions): Promise<void> {
  const { token, lifeMs, awayMs, connected } = options;
  while (!leave.aborted) {
    const client = await clients.connect(token).catch(() => undefined);
    if (client === undefined) {
      tally.count('connects refused');
      await pause(100, 600, leave);
      continue;
    }
    if (leave.aborted) {
      client.player.ws.terminate();
      return;
    }
    tally.count('connects');
    connected?.(client);
    const gone = new AbortController();
    void client.player.closed.then(() => gone.abort());
    leave.addEventListener('abort', () => gone.abort(), { signal: gone.signal });
    const endsAt = client.welcomedAt + Math.random() * lifeMs;
    while (!gone.signal.aborted && (settle.aborted || performance.now() < endsAt)) {
      client.send();
      await pause(200, 800, gone.signal);
    }
    if (leave.aborted) return;
    if (Math.random() < 0.3) client.player.ws.terminate();
    else client.player.ws.close(1000);
    await pause(50, awayMs, leave);
  }
}

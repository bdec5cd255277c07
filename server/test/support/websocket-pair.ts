import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { type AddressInfo, connect as connectTcp, createServer as createTcpServer, type Socket } from 'node:net';
import type { TestContext } from 'node:test';
import { connect as connectTls, createServer as createTlsServer } from 'node:tls';
import type { ReaderLimits } from '../../src/gateway/websocket/frame-reader.ts';
import { ServerWebSocket, type SocketHost } from '../../src/gateway/websocket/server-web-socket.ts';
import { tlsFiles } from './tls-files.ts';
import { WsReader } from './websocket-readings.ts';

/** Lines that are written down as things happen. */
export class Lines {
  readonly all: string[] = [];
  readonly #looks = new Set<() => void>();

  add(line: string): void {
    this.all.push(line);
    for (const look of this.#looks) look();
  }

  /** Resolves when there are so many lines. */
  reach(count: number): Promise<void> {
    return this.when(() => this.all.length >= count);
  }

  /** Resolves when this line has been written. */
  has(line: string): Promise<void> {
    return this.when(() => this.all.includes(line));
  }

  when(condition: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      const look = () => {
        if (!condition()) return;
        this.#looks.delete(look);
        resolve();
      };
      this.#looks.add(look);
      look();
    });
  }
}

/** A ServerWebSocket over a real socket on which the handshake counts as done, and its client. */
export interface WebSocketPair {
  /** Sends what the test writes, and does nothing by itself: it neither answers frames nor ends its stream. */
  readonly client: Socket;
  /** What the client gets, as `ws` reads it: `text …`, `pong …`, `close 1000 …`; then `end`, or the error's code. */
  readonly heard: Lines;
  readonly socket: Socket;
  readonly webSocket: ServerWebSocket<Lines>;
  /** What the WebSocket tells its host: `text …`, `binary`, `ping 4`, `pong 4`, `faulted`, `closed 1000`. */
  readonly told: Lines;
  /** Has everything wait for its turn from now on. */
  hold(): void;
  /** Gives what waits one turn. */
  giveTurn(): void;
  /** Resolves when the server has taken so many bytes from its socket. */
  taken(bytes: number): Promise<void>;
}

export interface PairOptions {
  readonly isTls?: boolean;
  readonly limits?: ReaderLimits;
  /** What has come behind the handshake. */
  readonly head?: Buffer;
  readonly isEcho?: boolean;
  /** Turns of the test's own, instead of those of `hold` and `giveTurn`. */
  readonly turns?: Pick<SocketHost<Lines>, 'mayRead' | 'waitForTurn'>;
  /** Sees what the host is told before it is written down. */
  readonly onTold?: (line: string, webSocket: ServerWebSocket<Lines>) => void;
}

const LIMITS: ReaderLimits = { maxMessageBytes: 65_536, maxFragments: 128 };

export async function openWebSocketPair(t: TestContext, options: PairOptions = {}): Promise<WebSocketPair> {
  const { client, socket } = await openSockets(t, options.isTls ?? false);
  const heard = listen(client);
  const told = new Lines();
  const turns: (() => void)[] = [];
  let isHeld = false;
  const host = createHost(options, {
    mayRead: () => !isHeld,
    waitForTurn: (_, work) => void turns.push(work),
    ...options.turns,
    tell(line) {
      options.onTold?.(line, webSocket);
      told.add(line);
    },
    echo: (text, bytes) => webSocket.send(text, bytes),
  });
  const webSocket: ServerWebSocket<Lines> = new ServerWebSocket(socket, options.head ?? Buffer.alloc(0), host);
  webSocket.owner = told;
  let took = 0;
  const takes = new Lines();
  socket.on('data', (chunk) => {
    took += chunk.length;
    takes.add('data');
  });
  return {
    client,
    heard,
    socket,
    webSocket,
    told,
    hold() {
      isHeld = true;
    },
    giveTurn: () => turns.shift()?.(),
    async taken(bytes) {
      while (took < bytes) await takes.reach(takes.all.length + 1);
    },
  };
}

interface Hooks extends Pick<SocketHost<Lines>, 'mayRead' | 'waitForTurn'> {
  tell(line: string): void;
  echo(text: string, bytes: number): void;
}

function createHost(
  { limits = LIMITS, isEcho = false }: PairOptions,
  { tell, echo, ...turns }: Hooks,
): SocketHost<Lines> {
  return {
    ...turns,
    limits,
    count() {},
    noteBegun() {},
    receiveText(_, text, bytes) {
      tell(`text ${text}`);
      if (isEcho) echo(text, bytes);
    },
    receiveBinary: () => tell('binary'),
    receivePing: (_, bytes) => tell(`ping ${bytes}`),
    receivePong: (_, bytes) => tell(`pong ${bytes}`),
    faulted: () => tell('faulted'),
    closed: (_, code) => tell(`closed ${code}`),
  };
}

/** Reads what the client gets with `ws`. */
function listen(client: Socket): Lines {
  const heard = new Lines();
  const reader = new WsReader({ isServer: false, maxPayload: 2 ** 30, maxFragments: 0 });
  let bytes = 0;
  client.on('data', (chunk) => {
    bytes += chunk.length;
    const before = reader.lines.length;
    reader.push(chunk);
    for (const line of reader.lines.slice(before)) heard.add(line);
  });
  client.on('end', () => {
    // The reader looks at nothing behind a close frame.
    const more = bytes - reader.lines.reduce((sum, line) => sum + frameBytes(line), 0);
    if (more !== 0) heard.add(`${more} bytes behind the last frame`);
    heard.add('end');
  });
  client.on('error', (error) => heard.add('code' in error ? String(error.code) : error.message));
  return heard;
}

/** The length of the server's frame of which a reader has said this. */
function frameBytes(line: string): number {
  const [kind = '', code = ''] = line.split(' ', 2);
  const data = line.length - kind.length - 1;
  if (kind === 'close') return code === '1005' ? 2 : 2 + 2 + data - code.length - 1;
  return data + (data < 126 ? 2 : data < 65_536 ? 4 : 10);
}

/** A connection of this process to itself. Neither end ends its stream because the other does, as with node:http. */
async function openSockets(t: TestContext, isTls: boolean): Promise<{ client: Socket; socket: Socket }> {
  const { certFile, keyFile } = tlsFiles('first');
  const server = isTls
    ? createTlsServer({ cert: readFileSync(certFile), key: readFileSync(keyFile), allowHalfOpen: true })
    : createTcpServer({ allowHalfOpen: true });
  server.listen(0, '127.0.0.1');
  t.after(() => server.close());
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const accepted = once(server, isTls ? 'secureConnection' : 'connection');
  const address = { host: '127.0.0.1', port, allowHalfOpen: true };
  const client = isTls ? connectTls({ ...address, rejectUnauthorized: false }) : connectTcp(address);
  client.setNoDelay();
  const [socket] = (await accepted) as [Socket];
  t.after(() => {
    client.destroy();
    socket.destroy();
  });
  return { client, socket };
}

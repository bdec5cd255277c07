import { ResparkError } from './errors.ts';

/** The part of a WebSocket that the SDK uses; those of browsers and of the package `ws` both have it. */
export interface Socket {
  readonly protocol: string;
  readonly bufferedAmount: number;
  /** 2 from when either end has begun to close the connection until it is closed. */
  readonly readyState?: number;
  send(text: string): void;
  close(code?: number, reason?: string): void;
  /** Drops the connection without the closing handshake; only `ws` has it. */
  terminate?(): void;
  addEventListener(type: 'open', listener: () => void): void;
  addEventListener(type: 'message', listener: (event: { readonly data: unknown }) => void): void;
  addEventListener(type: 'close', listener: (event: { readonly code: number; readonly reason: string }) => void): void;
  addEventListener(type: 'error', listener: (event: object) => void): void;
}

export type SocketConstructor = new (url: string, protocols: string[]) => Socket;

/** Loads the package `ws`. Only the entry for Node.js has one, so that bundlers for other platforms never meet `ws`. */
export type ImportWs = () => Promise<{ readonly WebSocket: SocketConstructor }>;

/** The platform's WebSocket, or that of the package `ws` (Node.js before 22 has none). */
export async function findSocketConstructor(
  importWs: ImportWs | undefined,
  platform: { readonly WebSocket?: SocketConstructor } = globalThis,
): Promise<SocketConstructor> {
  if (platform.WebSocket !== undefined) return platform.WebSocket;
  const missing = 'this platform has no WebSocket';
  if (importWs === undefined) throw new ResparkError(`${missing}: pass the option WebSocket`, { code: 'no_websocket' });
  try {
    return (await importWs()).WebSocket;
  } catch (error) {
    throw new ResparkError(`${missing}: npm install ws, or pass the option WebSocket`, {
      code: 'no_websocket',
      cause: error,
    });
  }
}

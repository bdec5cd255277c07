import { ResparkError } from './errors.ts';

/** The part of a WebSocket that the SDK uses; those of browsers and of the package `ws` both have it. */
export interface Socket {
  readonly protocol: string;
  readonly bufferedAmount: number;
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

/** The platform's WebSocket, or that of the package `ws` (Node.js before 22 has none). */
export async function findSocketConstructor(
  platform: { readonly WebSocket?: SocketConstructor } = globalThis,
  importWs: () => Promise<{ readonly WebSocket: SocketConstructor }> = () =>
    // Bundlers for browsers must not follow this import: browsers never reach it, and `ws` need not be installed there.
    import(/* webpackIgnore: true */ /* @vite-ignore */ 'ws'),
): Promise<SocketConstructor> {
  if (platform.WebSocket !== undefined) return platform.WebSocket;
  try {
    return (await importWs()).WebSocket;
  } catch (error) {
    throw new ResparkError('this platform has no WebSocket: npm install ws, or pass the option WebSocket', {
      code: 'no_websocket',
      cause: error,
    });
  }
}

import { ResparkError } from './errors.ts';

/** What the SDK uses of a WebSocket: browsers' own and that of the package `ws` both fit. */
export interface Socket {
  readonly protocol: string;
  readonly bufferedAmount: number;
  send(text: string): void;
  close(code?: number, reason?: string): void;
  /** Only `ws` has it: drops the connection without the closing handshake. */
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
    // Bundlers for browsers must not follow this: there it is never reached, and `ws` need not be installed.
    import(/* webpackIgnore: true */ /* @vite-ignore */ 'ws'),
): Promise<SocketConstructor> {
  if (platform.WebSocket !== undefined) return platform.WebSocket;
  try {
    return (await importWs()).WebSocket;
  } catch (error) {
    throw new ResparkError('there is no WebSocket here: npm install ws, or pass the option WebSocket', {
      code: 'no_websocket',
      cause: error,
    });
  }
}

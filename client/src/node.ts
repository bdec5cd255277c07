import { ResparkClient as ClientOfThePlatform } from './client.ts';
import type { ImportWs } from './socket.ts';

// What this file exports itself takes precedence.
export * from './index.ts';

/** The client for Node.js, whose versions before 22 have no WebSocket. Its types are those of every platform's. */
export class ResparkClient extends ClientOfThePlatform {
  protected override readonly importWs: ImportWs = () =>
    // Applications for Node.js may be bundled without `ws`: webpack and Vite then leave the import alone for the sake of
    // the comments, and esbuild because its failure is handled.
    import(/* webpackIgnore: true */ /* @vite-ignore */ 'ws').catch((error: unknown) => Promise.reject(error));
}

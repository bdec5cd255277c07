import { ResparkClient as ClientOfThePlatform } from './client.ts';
import type { ImportWs } from './socket.ts';

// What this file exports itself takes precedence.
export * from './index.ts';

/** The client for Node.js, whose versions before 22 have no WebSocket. Its types are those of every platform's. */
export class ResparkClient extends ClientOfThePlatform {
  protected override readonly importWs: ImportWs = () => import('ws');
}

export { browserTokenStorage } from './browser-token-storage.ts';
export {
  type ClientEvents,
  type ClientOptions,
  type ClientState,
  type Disconnect,
  type Notification,
  ResparkClient,
  type Welcome,
} from './client.ts';
export type { Clock } from './clock.ts';
export {
  type Closure,
  ConnectionClosedError,
  RequestError,
  RequestTimeoutError,
  ResparkError,
} from './errors.ts';
export type { Farewell } from './farewell.ts';
export type { Page } from './page.ts';
export type { TokenScope, TokenSource, TokenStorage } from './player-token.ts';
export type { Socket, SocketConstructor } from './socket.ts';

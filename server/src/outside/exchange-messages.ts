import type { HttpReply, HttpRequest } from './http-exchange.ts';
import type { KeptConnections } from './kept-connections.ts';

/** What the thread of `exchanges.ts` is started with; undefined when each request has a connection of its own. */
export type ExchangeData = KeptConnections | undefined;

export type ToExchangeThread =
  | { readonly kind: 'request'; readonly number: number; readonly request: HttpRequest; readonly maxBytes: number }
  | { readonly kind: 'abort'; readonly number: number };

/** What became of the request of this number. */
export type FromExchangeThread = { readonly number: number } & (
  | { readonly reply: HttpReply }
  | { readonly fault: { readonly code: string; readonly message: string } }
  /** The text of an error that is no fault of the other end. */
  | { readonly bug: string }
);

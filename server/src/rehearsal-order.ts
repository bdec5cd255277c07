/** The ends of connections that can be rehearsed. */
export type RehearsedEnd =
  | 'draining'
  | 'slow_reader'
  | 'heartbeat_missed'
  | 'lost_frame'
  | 'silent_network'
  | 'kicked'
  | 'blocked'
  | 'token_refused'
  | 'replaced';

/** How one connection is ended or disturbed: plain data, because it crosses the network from the call to the owner. */
export interface RehearsalOrder {
  readonly connectionId: string;
  readonly end: RehearsedEnd;
  readonly requestId: string;
  /** What the close frame says, where there is one. */
  readonly retryAfterMs?: number | undefined;
  readonly until?: number | undefined;
  /** How long a network is silent before the connection breaks. */
  readonly silentForMs: number;
}

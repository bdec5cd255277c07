/** A script that Redis runs in one step. */
export interface Script {
  readonly name: string;
  readonly lua: string;
}

/** `ok` and what was asked for, or the one word that says why nothing was done. */
export type ScriptReply = readonly [status: string, ...rest: string[]];

/**
 * One connection to one life of a Redis server. Commands are carried out in the order in which they are sent. None is ever
 * sent again on another connection: when this one ends, what has no reply yet rejects, and its outcome is unknown.
 */
export interface RedisSession {
  /**
   * Names the server's life as a primary. Another server has another, and so has the same one after a restart, or after it
   * was a replica.
   */
  readonly runId: string;
  /** Whether the server may have evicted keys since the last connection for the same key to the same life. */
  readonly mayHaveEvicted?: boolean;
  run(script: Script, keys: readonly string[], parameters: readonly string[]): Promise<ScriptReply>;
  /** Resolves with the number of subscribers that the message was sent to. */
  publish(channel: string, message: string): Promise<number>;
  /** Ends the connection. `closed` is called all the same. */
  close(): void;
}

export interface RedisSubscription {
  close(): void;
}

/**
 * The way to Redis: to the primary that has a key or a channel, by its hash tag, at the time. Neither method tries again: the
 * caller does. Both reject when a server does not answer within the link's own time limit.
 */
export interface RedisLink {
  /** Opens a connection for keys with the same hash tag; `closed` is called once when it ends, for whatever reason. */
  connect(key: string, closed: () => void): Promise<RedisSession>;
  /** Opens a connection of its own for the messages of this channel. What is published while it is away is lost. */
  subscribe(channel: string, events: { message(text: string): void; closed(): void }): Promise<RedisSubscription>;
}

/** What the game's client hears before its connection closes. */
export interface FarewellWords {
  /** A code of the game's own, for the client's program. */
  readonly reason?: string | undefined;
  /** A text for the player, in the one language that there is. */
  readonly message?: string | undefined;
  /** Locale → the same text in that language, instead of `message`. */
  readonly messages?: Readonly<Record<string, string>> | undefined;
  /** Until when the player is kept out, milliseconds since 1970. */
  readonly until?: number | undefined;
}

/**
 * Why a player's connections are ended: one value from the call that asks for it to the nodes that own the connections.
 * It is plain data, because it crosses the network. It never carries what the staff alone may see.
 */
export interface DisconnectOrder {
  /** The id of the management call, which the close frame tells the player. */
  readonly requestId: string;
  /** What the close frame says in words; without it, what it always says. */
  readonly reason?: string | undefined;
  /** The close code, where it is not that of any disconnect. A node of an earlier version closes with that. */
  readonly close?: 'blocked' | undefined;
  /** Clients that have been welcomed hear it right before their close frame. */
  readonly farewell?: FarewellWords | undefined;
}

/**
 * How the owner of a connection has proven its end: the kernel has accepted its close frame and all before it, its socket is
 * destroyed, or the owner had it no more when it was asked.
 */
export type EndProof = 'close_frame_accepted' | 'socket_destroyed' | 'already_ended';

/** A connection's end as its owner has proven it, and when, milliseconds since 1970. */
export interface ProvenEnd {
  readonly connectionId: string;
  readonly proof: EndProof;
  readonly at: number;
}

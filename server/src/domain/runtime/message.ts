import type { Payload } from '@respark/protocol';
import type { PlayerKey, SignedInPlayer } from '../../player-key.ts';
import type { Session } from '../players/player-tokens.ts';

export interface RuntimeName {
  readonly id: string;
  /** The stage, and the names that it goes by in metrics and logs. */
  readonly stage: { readonly stageId: string; readonly gameName: string; readonly stageName: string };
}

/** The payload of an event that a script has raised, as JSON. It has been read by its shape, and may be long. */
export class ReadPayload {
  readonly json: string;

  constructor(json: string) {
    this.json = json;
  }
}

/** A player's message on its way to the runtime of the connection that it came on. */
export interface Message {
  readonly player: PlayerKey;
  readonly type: string;
  readonly payload: Payload | ReadPayload;
  /** Where the player is connected from: all that one customer may have addresses of. */
  readonly network?: string | undefined;
  /** What the token said that opened the player's connection. */
  readonly session?: Session | undefined;
  /** Whether the server has sent the player away: then the message is dropped, unless its handler has begun. */
  readonly isDropped?: (() => boolean) | undefined;
  /** For an event that a script has raised: how many handlers, one after another, have raised events to come to it. */
  readonly raised?: number;
}

/** A message that came on a connection. */
export interface PlayerMessage extends Message {
  readonly player: SignedInPlayer;
  readonly payload: Payload;
}

/** What became of a message. The code, which is the protocol's or the script's own, says why it was not handled. */
export type Outcome =
  | { readonly isHandled: true; readonly payloadJson: string }
  | { readonly isHandled: false; readonly code: string; readonly message: string };

/** The protocol bounds the type, so it is quoted whole. */
export function noHandler(kind: 'request' | 'event', type: string): Outcome {
  return { isHandled: false, code: 'no_handler', message: `no handler for ${kind} ${JSON.stringify(type)}` };
}

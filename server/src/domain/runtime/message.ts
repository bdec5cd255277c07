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
  /** What the token said with which the player's connection was opened. */
  readonly session?: Session | undefined;
  /** Whether it is to be dropped unless its handler has begun, because the server has sent its player away. */
  readonly isDropped?: (() => boolean) | undefined;
  /** For an event that a script has raised: how many handlers in a row have raised one, this one included. */
  readonly raised?: number;
}

/** A message that came on a connection. */
export interface PlayerMessage extends Message {
  readonly player: SignedInPlayer;
  readonly payload: Payload;
}

/** What came of a message; a code of the protocol, or one of the script's own, says why it was not handled. */
export type Outcome =
  | { readonly isHandled: true; readonly payloadJson: string }
  | { readonly isHandled: false; readonly code: string; readonly message: string };

/** The protocol bounds the type, so it is quoted whole. */
export function noHandler(kind: 'request' | 'event', type: string): Outcome {
  return { isHandled: false, code: 'no_handler', message: `no handler for ${kind} ${JSON.stringify(type)}` };
}

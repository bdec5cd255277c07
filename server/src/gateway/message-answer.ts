import { type EventFrame, encode, encodeResponse, type RequestFrame } from '@respark/protocol';
import type { Session } from '../domain/players/player-tokens.ts';
import type { Runtime } from '../domain/runtime/runtimes.ts';
import { Interrupted } from '../interrupted.ts';
import type { Log } from '../log.ts';
import { andThen, type MaybePromise, orElse } from '../maybe-promise.ts';
import type { SignedInPlayer } from '../player-key.ts';

/** Whose message is answered, and by what. */
interface Messenger {
  readonly connectionId: string;
  readonly player: SignedInPlayer | undefined;
  readonly network: string;
  readonly session: Session | undefined;
  readonly runtime: Runtime | undefined;
  readonly isDropped: () => boolean;
  readonly log: Log;
}

/** The text of the frame that answers a message; undefined for an event that was handled. Never fails. */
export function answerTo(
  frame: RequestFrame | EventFrame,
  { connectionId, player, network, session, runtime, isDropped, log }: Messenger,
): MaybePromise<string | undefined> {
  const { type, payload } = frame;
  const id = frame.kind === 'request' ? { id: frame.id } : {};
  const answered = () => {
    if (player === undefined || runtime === undefined) throw new Error(`connection ${connectionId} has no player`);
    return andThen(runtime[frame.kind]({ player, network, session, isDropped, type, payload }), (outcome) => {
      if (!outcome.isHandled) return encode({ kind: 'error', ...id, code: outcome.code, message: outcome.message });
      return frame.kind === 'request' ? encodeResponse(frame.id, outcome.payloadJson) : undefined;
    });
  };
  return orElse(answered, (error) => {
    // The log gets the error itself; the player learns only that the server is at fault. A stop is no fault, and
    // may end thousands of messages at once.
    if (!(error instanceof Interrupted)) {
      log.error({ err: error, connectionId, type }, 'a message handler failed');
    }
    return encode({ kind: 'error', ...id, code: 'internal', message: 'the server failed to handle this message' });
  });
}

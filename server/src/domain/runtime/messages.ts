import { GET_PLAYER_TOKEN, type Payload } from '@respark/protocol';
import type { PlayerKey } from '../../cluster/cluster.ts';
import type { Players } from '../players/players.ts';

/** What a request came to. `no_handler`: nothing in the stage's runtime answers this message type. */
export type Outcome =
  | { readonly isHandled: true; readonly payload: Payload }
  | { readonly isHandled: false; readonly code: 'no_handler'; readonly message: string };

export interface Messages {
  /** Answers a player's request. A rejection is a fault of ours, never the player's. */
  request(player: PlayerKey, type: string, payload: Payload): Promise<Outcome>;
  /** Takes a player's event; handled events have no answer. */
  event(player: PlayerKey, type: string, payload: Payload): Promise<Outcome>;
}

type Handler = (player: PlayerKey, payload: Payload) => Promise<Payload>;

/** Routes messages to what the runtime defines for them. System messages exist in every runtime. */
export function createMessages({ players }: { players: Players }): Messages {
  const systemRequests: ReadonlyMap<string, Handler> = new Map([
    [GET_PLAYER_TOKEN, async (player: PlayerKey) => ({ AuthenticationToken: await players.issueToken(player) })],
  ]);
  return {
    async request(player, type, payload) {
      const handle = systemRequests.get(type);
      if (handle === undefined) return noHandler('request', type);
      return { isHandled: true, payload: await handle(player, payload) };
    },
    async event(_player, type) {
      return noHandler('event', type);
    },
  };
}

function noHandler(kind: 'request' | 'event', type: string): Outcome {
  return { isHandled: false, code: 'no_handler', message: `no handler for ${kind} ${JSON.stringify(type)}` };
}

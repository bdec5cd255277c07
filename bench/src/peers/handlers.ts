import { Agent, request } from 'node:http';
import { text } from 'node:stream/consumers';
import { NOTIFIED_PLAYERS, PLAYER_PREFIX } from '../cloud-code/handlers.ts';

interface Asked {
  readonly Text: string;
  readonly Players: number;
}

/** Sends a notification to a player. */
type Notify = (playerId: string, payload: { readonly From: string }) => void;

type Handler = (message: Asked, playerId: string, notify: Notify) => object | Promise<object>;

/** The last argument, for the one handler that needs it. */
const WAIT_URL = process.argv.at(-1) ?? '';

const agent = new Agent({ keepAlive: true });
const data = new Map<string, { readonly Gold: number }>();

/** The handlers of `cloud-code/handlers.ts` as a peer's own code has them. Player data is a map in memory. */
export const HANDLERS: Readonly<Record<string, Handler>> = {
  Echo: ({ Text }) => ({ Text }),

  Save({ Text }, playerId) {
    data.set(playerId, { Gold: 5 });
    return { Text };
  },

  Data: ({ Text }, playerId) => ({ Text, Gold: data.get(playerId)?.Gold ?? 0 }),

  async Wait({ Text }) {
    const { Gold } = JSON.parse(await post(WAIT_URL, '{}')) as { Gold: number };
    return { Text, Gold };
  },

  Notify({ Text, Players }, me, notify) {
    const first = Number(me.slice(PLAYER_PREFIX.length));
    for (let i = 0; i < NOTIFIED_PLAYERS; i += 1) notify(`${PLAYER_PREFIX}${(first + i) % Players}`, { From: me });
    return { Text };
  },
};

function post(url: string, body: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const headers = { 'content-type': 'application/json', 'content-length': body.length };
    request(url, { method: 'POST', agent, headers }, (response) => resolve(text(response)))
      .on('error', reject)
      .end(body);
  });
}

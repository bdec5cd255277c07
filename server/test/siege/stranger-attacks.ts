import { setTimeout as wait } from 'node:timers/promises';
import { openPlayer, openSocket, text, upgradeBytes } from '../fire/raw-websocket.ts';
import { open } from './signed-calls.ts';
import type { Target } from './target.ts';

type Attack = (target: Target) => Promise<void>;

/** Nearly as many as an address may have. */
const SOCKETS = 480;
/** An address may have a handshake in so many milliseconds. */
const PACE_MS = 10.5;
/** Nearly what all headers of a request may have. */
const HEADER_BYTES = 15_000;

/** What everybody can do who knows where the server is: requests that never come whole, and handshakes that ask for much. */
export const STRANGER_ATTACKS: Readonly<Record<string, Attack>> = {
  'heads that come byte by byte over 480 connections': unfinished('GET /game HTTP/1.1\r\nHost: x\r\na: ', 'b'),
  'upgrades that offer hundreds of extensions': upgrades({
    'Sec-WebSocket-Extensions': 'permessage-deflate; a=b, '.repeat(HEADER_BYTES / 25).concat('x'),
  }),
  'upgrades that offer thousands of subprotocols': upgrades({
    'Sec-WebSocket-Protocol': 'a,'.repeat(HEADER_BYTES / 2).concat('respark.v1'),
  }),
  'hellos with long tokens': async (target) => {
    const token = `eyJhbGciOiJIUzI1NiJ9.${'A'.repeat(3_900)}.AAAA`;
    const hello = text(JSON.stringify({ kind: 'hello', gameKey: target.gameKey, token }));
    for (;;) {
      openSocket(target, { localAddress: target.address }).socket.write(hello);
      await wait(PACE_MS);
    }
  },
  'guests who come and go': async (target) => {
    for (;;) {
      const player = openPlayer(target, { localAddress: target.address });
      player.then(({ socket }) => socket.resetAndDestroy()).catch(() => {});
      await wait(PACE_MS);
    }
  },
};

/** Begins a request over each of many connections, goes on with it slowly, and begins anew when it is cut off. */
function unfinished(beginning: string, more: string): Attack {
  return async (target) => {
    const send = async (): Promise<never> => {
      for (;;) {
        const socket = open(target).resume();
        socket.write(beginning);
        const goingOn = setInterval(() => socket.write(more), 200);
        await new Promise((resolve) => socket.on('close', resolve));
        clearInterval(goingOn);
        await wait(5);
      }
    };
    await Promise.all(Array.from({ length: SOCKETS }, send));
  };
}

/** Asks for one WebSocket after the other, as fast as the address may. */
function upgrades(headers: Readonly<Record<string, string>>): Attack {
  return async (target) => {
    const upgrade = upgradeBytes({ headers });
    for (;;) {
      const { ending } = openSocket(target, { upgrade, localAddress: target.address });
      await Promise.race([ending, wait(PACE_MS)]);
      await wait(PACE_MS);
    }
  };
}

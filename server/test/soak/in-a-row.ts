import { Agent } from 'node:http';
import { isDeepStrictEqual } from 'node:util';
import { rawCall } from '../support/raw-call.ts';
import { GAME, STAGE } from '../support/server.ts';
import type { ServerProcess } from '../support/server-process.ts';
import { connectRaw, DISCONNECTED, type Roster } from './players.ts';
import { inTime, type Tally } from './tally.ts';

/** How many players are connected at once. */
const LANES = 8;
/** The addresses of these players begin above those of the abusers. */
const FIRST_ADDRESS = 1 << 21;
/** How long one player may take, from the connect to the close. */
const ONE_MS = 20_000;
/** How long all of them together may take. */
const ALL_MS = 240_000;
const PROGRESS_EVERY = 1_000;

interface InARow {
  readonly server: ServerProcess;
  readonly tally: Tally;
  readonly roster: Roster;
  readonly times: number;
  say(text: string): void;
}

/**
 * Disconnects `times` players, each as soon as it is welcomed, and lets the next one come at once. It is a fault unless
 * each answer names that one connection, each player learns the reason, and all of this is done within a bound.
 */
export async function disconnectInARow({ times, say, ...stage }: InARow): Promise<void> {
  const { tally } = stage;
  const agent = new Agent({ keepAlive: true });
  const tooLate = AbortSignal.timeout(ALL_MS);
  let [begun, done] = [0, 0];
  const playOn = async () => {
    while (begun < times && !tooLate.aborted) {
      begun += 1;
      const number = FIRST_ADDRESS + begun;
      // The first fault ends its lane, because what follows would only fail in the same way.
      if (!(await inTime(tally, ONE_MS, 'a disconnect in a row', disconnectNewPlayer(stage, number, agent)))) return;
      tally.count('disconnects in a row');
      done += 1;
      if (done % PROGRESS_EVERY === 0) say(`${done} of ${times} disconnects in a row, ${tally.faultCount} faults`);
    }
  };
  await Promise.all(Array.from({ length: LANES }, playOn));
  agent.destroy();
  if (done < times) tally.fault(`only ${done} of ${times} disconnects in a row went well within ${ALL_MS / 1000} s`);
}

/** Resolves when the player is gone. Rejects when the answer or the close is not as promised. */
async function disconnectNewPlayer(
  { server, roster }: Omit<InARow, 'times' | 'say'>,
  number: number,
  agent: Agent,
): Promise<true> {
  const { playerId, connectionId, closed } = await connectRaw({ server }, number);
  roster.open.set(connectionId, playerId);
  closed.then(({ code }) => roster.left(connectionId, code));
  const path = `/runtime/game/${GAME}/stage/${STAGE}/player/${playerId}/disconnect`;
  const { credentials } = server;
  const { status, json } = await rawCall(server, 'POST', path, { credentials, agent });
  const expected = { DisconnectSuccesses: [connectionId], DisconnectFailures: [] };
  if (status !== 200 || !isDeepStrictEqual(json, expected))
    throw new Error(`${connectionId} should be the only success, got ${status} ${JSON.stringify(json)}`);
  const { code, reason } = await closed;
  if (code !== DISCONNECTED) throw new Error(`${connectionId} was closed with ${code} ${reason}`);
  return true;
}

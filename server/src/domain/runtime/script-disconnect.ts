import type { Clock } from '../../clock.ts';
import { type RandomBytes, uuidV7 } from '../../random.ts';
import type { Arns } from '../arn.ts';
import type { Players } from '../players/players.ts';
import type { HostApiParts } from './host-api.ts';

/** `Player(id).Disconnect(reason)`: what an operator's DisconnectPlayer does, on record with the handler as its actor. */
export function createScriptDisconnect({
  players,
  arns,
  clock,
  random,
}: {
  players: Pick<Players, 'disconnect'>;
  arns: Arns;
  clock: Clock;
  random: RandomBytes;
}): HostApiParts['disconnect'] {
  return async ({ stage: { gameName, stageName }, handler, requestId }, playerId, reason) => {
    const change = {
      // One message may disconnect several players, and each of them is a change of its own.
      requestId: uuidV7(random, clock.now()),
      cause: 'script',
      actor: handler,
      sourceAddress: '',
      operation: 'DisconnectPlayer',
      resource: arns.player(gameName, stageName, playerId),
      details: { message: requestId },
    } as const;
    return await players.disconnect({ gameName, stageName, playerId }, change, reason);
  };
}

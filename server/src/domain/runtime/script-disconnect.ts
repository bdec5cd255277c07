import type { Clock } from '../../clock.ts';
import { ServiceError } from '../../errors.ts';
import { type RandomBytes, uuidV7 } from '../../random.ts';
import { createTokenBuckets } from '../../token-bucket.ts';
import type { Arns } from '../arn.ts';
import type { Players } from '../players/players.ts';
import type { HostApiParts } from './host-api.ts';

/** A stage that was idle for this long may use all that its rate allows in that time at once. */
const BURST_SECONDS = 5;
const MAX_STAGES = 10_000;

/**
 * `Player(id).Disconnect(reason)`: what an operator's DisconnectPlayer does, on record with the handler as its actor.
 * The scripts of one stage have a limited rate, because each call leaves a record, whether or not there is such a
 * player: beyond it, the script gets the error `throttled`, and nothing is done or recorded.
 */
export function createScriptDisconnect({
  players,
  arns,
  clock,
  random,
  settings,
}: {
  players: Pick<Players, 'disconnect'>;
  arns: Arns;
  clock: Clock;
  random: RandomBytes;
  settings: { readonly scriptDisconnectsPerSecond: number };
}): HostApiParts['disconnect'] {
  const ratePerSecond = settings.scriptDisconnectsPerSecond;
  const buckets = createTokenBuckets({
    ...{ ratePerSecond, burst: BURST_SECONDS * ratePerSecond, maxKeys: MAX_STAGES, clock },
  });
  return async ({ stage: { stageId, gameName, stageName }, handler, requestId }, playerId, reason) => {
    const retryAfterMs = buckets.take(stageId);
    if (retryAfterMs > 0) {
      const message = `the scripts of a stage may disconnect ${ratePerSecond} players a second (RESPARK_SCRIPT_DISCONNECTS_PER_SECOND): catch the code "throttled", and try again later`;
      throw new ServiceError('throttled', message, { retryAfterMs });
    }
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
    return await players.disconnect({ gameName, stageName, playerId }, change, { closeText: reason });
  };
}

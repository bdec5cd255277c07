import type { Clock } from '../../clock.ts';
import { type Cluster, DirectoryUnavailable } from '../../cluster/cluster.ts';
import type { SignedInPlayer } from '../../player-key.ts';
import type { Outcome } from '../runtime/message.ts';
import { holderOf } from './bars/bars.ts';
import { type PlayerTokens, type Session, SessionEnded } from './player-tokens.ts';

/** Gives a connected player a token to come back with, unless they could not come back now. */
export type RenewToken = (player: SignedInPlayer, session: Session | undefined) => Promise<Outcome>;

export function createTokenRenewal({
  tokens,
  cluster,
  clock,
}: {
  tokens: Pick<PlayerTokens, 'issue'>;
  cluster: Pick<Cluster, 'findBar'>;
  clock: Clock;
}): RenewToken {
  return async (player, session) => {
    // The token says when the player signed in: a revocation that the directory does not know yet refuses it, although it
    // may be of an earlier moment than the token.
    const issuedAtMs = clock.now();
    try {
      const barred = await cluster.findBar(player, holderOf(player, issuedAtMs));
      if (barred !== undefined)
        return failed('not_allowed', 'you get no token, because you may not connect at present');
    } catch (error) {
      if (!(error instanceof DirectoryUnavailable)) throw error;
      return failed('busy', 'the server cannot tell whether you may have a token: try again');
    }
    try {
      const times = { issuedAtMs, signedInAtMs: player.signedInAt };
      const token = tokens.issue(player.stageId, player.playerId, session, times);
      return { isHandled: true, payloadJson: JSON.stringify({ AuthenticationToken: token }) };
    } catch (error) {
      if (!(error instanceof SessionEnded)) throw error;
      return failed('bad_request', error.message);
    }
  };
}

function failed(code: 'not_allowed' | 'busy' | 'bad_request', message: string): Outcome {
  return { isHandled: false, code, message };
}

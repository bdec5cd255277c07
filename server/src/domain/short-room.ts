import type { Clock } from '../clock.ts';
import { ServiceError } from '../errors.ts';
import { createTokenBuckets } from '../token-bucket.ts';
import type { Audit, Change } from './audit/audit.ts';

/** Changes that end something: they are urgent, need little room, or give some back. */
const ENDING = /^(?:Disconnect|Delete|Block|Revoke)/;
/** Changes that give room back, for which there must always be some left. */
const GIVING_BACK = /^Delete/;

/**
 * Each record takes half a kilobyte of the reserve. An actor may make a few changes a second, and all actors together not many
 * more, so that no key can use up the reserve before an operator has made room.
 */
const OF_ACTOR = { ratePerSecond: 2, burst: 20, maxKeys: 1_000 };
const IN_ALL = { ratePerSecond: 5, burst: 50, maxKeys: 1 };
/**
 * The same for changes that give room back, so that other changes cannot use up their share. They are limited too, because
 * deleting something that does not exist leaves a record and gives nothing back.
 */
const DELETIONS_OF_ACTOR = { ...OF_ACTOR, burst: 100 };
const DELETIONS_IN_ALL = { ...IN_ALL, burst: 200 };

/** The scripts of all games count as one actor: a record names the handler, and the author of scripts chooses its name. */
const SCRIPTS = 'the scripts of all games';

/** Whether the disk has room, as far as the rules must know. */
export interface RoomForChanges {
  isShort(): boolean;
}

/**
 * While the disk is full, refuses every change that does not end something, with a retryable `internal`, and more of
 * those that do than there is room for, with `throttled`.
 */
export function createAuditWithinRoom({
  audit,
  room,
  clock,
}: {
  audit: Audit;
  room: RoomForChanges;
  clock: Clock;
}): Audit {
  const others = {
    ofActor: createTokenBuckets({ ...OF_ACTOR, clock }),
    inAll: createTokenBuckets({ ...IN_ALL, clock }),
  };
  const deletions = {
    ofActor: createTokenBuckets({ ...DELETIONS_OF_ACTOR, clock }),
    inAll: createTokenBuckets({ ...DELETIONS_IN_ALL, clock }),
  };

  function assertRoom({ operation, cause, actor }: Change): void {
    if (!ENDING.test(operation)) {
      throw new ServiceError(
        'internal',
        'The disk of the server is full, so nothing was done: until there is room, players can be disconnected, and games and stages deleted. Make room, and try again.',
      );
    }
    const { ofActor, inAll } = GIVING_BACK.test(operation) ? deletions : others;
    const waitMs = ofActor.take(cause === 'script' ? SCRIPTS : actor) || inAll.take('');
    if (waitMs === 0) return;
    const message = `The disk of the server is full, and what is held back for urgent changes must last: try again in ${waitMs} ms`;
    throw new ServiceError('throttled', message, { retryAfterMs: waitMs });
  }

  return {
    around(change, rule, detailsOf) {
      try {
        if (room.isShort()) assertRoom(change);
      } catch (error) {
        return Promise.reject(error);
      }
      return audit.around(change, rule, detailsOf);
    },
  };
}

import type { Clock } from '../../clock.ts';
import { Counts } from '../../counts.ts';
import { createTokenBuckets } from '../../token-bucket.ts';
import { MAX_POSTS_AT_ONCE } from './post-webhook.ts';

/**
 * Spaces out the posts of all webhooks: one in a turn of the event loop, and only so many a second. So they cost the calls
 * and players of the node little, however many events wait or are replayed. Receivers decide how long a post takes, so the
 * posts under way are limited too. A game may have about as many of these places as it leaves free, so no game has all.
 */
export interface PostPace {
  /**
   * Has `post` called once, when it is the turn of its game, and of its receiver within the game. `post` returns a promise that
   * settles when the post is over, and must not reject, or undefined if it has posted nothing, and then nothing is counted.
   * Returns a function that takes the request back.
   */
  ask(gameId: string, receiverId: string, post: Post): () => void;
  /** Takes a place for a post that does not wait for its turn. Returns a function that frees it; undefined if there is none. */
  enter(gameId: string): (() => void) | undefined;
}

type Post = () => Promise<void> | undefined;

/** The share of the node's posts that one game may use. */
const SHARE_OF_GAME = 0.5;
/** The share of the places that is for games that have none yet: without it, games that come one after the other would take all. */
const SHARE_OF_FIRST = 0.125;
/** The part of a second's posts that may go out without a pause. */
const BURST_SECONDS = 0.1;
const MAX_GAMES = 10_000;

export function createPostPace({
  postsPerSecond,
  clock,
  later = setImmediate,
  maxUnderWay = MAX_POSTS_AT_ONCE,
}: {
  readonly postsPerSecond: number;
  readonly clock: Clock;
  readonly maxUnderWay?: number;
  /** Runs a task in the next turn of the event loop. */
  readonly later?: (task: () => void) => unknown;
}): PostPace {
  const bucketsOf = (ratePerSecond: number, maxKeys: number) =>
    createTokenBuckets({ ratePerSecond, burst: Math.max(1, ratePerSecond * BURST_SECONDS), maxKeys, clock });
  const ofNode = bucketsOf(postsPerSecond, 1);
  const ofGame = bucketsOf(postsPerSecond * SHARE_OF_GAME, MAX_GAMES);
  /** Game → receiver → its post. Whose turn it is comes first. A game without one is not there. */
  const games = new Map<string, Map<string, Post>>();
  const underWay = createPlaces(maxUnderWay);
  let isPlanned = false;
  let cancelTimer: (() => void) | undefined;

  function plan(): void {
    cancelTimer?.();
    cancelTimer = undefined;
    if (isPlanned || games.size === 0) return;
    isPlanned = true;
    later(postOne);
  }

  function postOne(): void {
    isPlanned = false;
    let waitMs = Number.POSITIVE_INFINITY;
    for (const [gameId, asking] of games) {
      // The end of a post looks again.
      if (!underWay.hasPlace(gameId)) continue;
      const left = Math.max(ofNode.peek(''), ofGame.peek(gameId));
      waitMs = Math.min(waitMs, left);
      if (left > 0) continue;
      const [[receiverId, post] = []] = asking;
      games.delete(gameId);
      if (receiverId !== undefined) asking.delete(receiverId);
      if (asking.size > 0) games.set(gameId, asking);
      const posting = post?.();
      if (posting !== undefined) {
        ofNode.take('');
        ofGame.take(gameId);
        void posting.then(enter(gameId));
      }
      plan();
      return;
    }
    if (waitMs !== Number.POSITIVE_INFINITY) cancelTimer = clock.after(waitMs, plan);
  }

  function enter(gameId: string): () => void {
    underWay.take(gameId);
    return () => {
      underWay.free(gameId);
      plan();
    };
  }

  return {
    ask(gameId, receiverId, post) {
      const asking = games.get(gameId) ?? new Map<string, Post>();
      asking.set(receiverId, post);
      games.set(gameId, asking);
      plan();
      return () => {
        if (asking.get(receiverId) !== post) return;
        asking.delete(receiverId);
        if (asking.size === 0 && games.get(gameId) === asking) games.delete(gameId);
      };
    },
    enter: (gameId) => (underWay.hasPlace(gameId) ? enter(gameId) : undefined),
  };
}

/** Places of which a game may have about as many as are free, so that however many others want, there are some for each. */
function createPlaces(max: number) {
  const ofGame = new Counts();
  const ofMany = max * (1 - SHARE_OF_FIRST);
  let taken = 0;
  return {
    hasPlace(gameId: string): boolean {
      const own = ofGame.of(gameId);
      return own === 0 ? taken < max : own < ofMany - taken;
    },
    take(gameId: string): void {
      taken += 1;
      ofGame.add(gameId);
    },
    free(gameId: string): void {
      taken -= 1;
      ofGame.add(gameId, -1);
    },
  };
}

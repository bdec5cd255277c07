import type { Clock } from '../../clock.ts';
import { createTokenBuckets } from '../../token-bucket.ts';

/**
 * Spaces out the posts of all webhooks, so that whatever waits for receivers, and whoever has it sent again, costs the
 * calls and players of the node little: one post in a turn of the event loop, and so many a second.
 */
export interface PostPace {
  /**
   * Has `post` called once, when it is the turn of its game, and of its receiver within the game. It gives whether it has
   * posted; otherwise nothing is counted. Gives what takes that back.
   */
  ask(gameId: string, receiverId: string, post: () => boolean): () => void;
}

/** One game may use so much of what the node may post. */
const SHARE_OF_GAME = 0.5;
/** So much of a second's posts may go out without a pause. */
const BURST_SECONDS = 0.1;
const MAX_GAMES = 10_000;

export function createPostPace({
  postsPerSecond,
  clock,
  later = setImmediate,
}: {
  readonly postsPerSecond: number;
  readonly clock: Clock;
  /** Runs a task in the next turn of the event loop. */
  readonly later?: (task: () => void) => unknown;
}): PostPace {
  const bucketsOf = (ratePerSecond: number, maxKeys: number) =>
    createTokenBuckets({ ratePerSecond, burst: Math.max(1, ratePerSecond * BURST_SECONDS), maxKeys, clock });
  const ofNode = bucketsOf(postsPerSecond, 1);
  const ofGame = bucketsOf(postsPerSecond * SHARE_OF_GAME, MAX_GAMES);
  /** Game → receiver → its post. Whose turn it is comes first. A game without one is not there. */
  const games = new Map<string, Map<string, () => boolean>>();
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
      const left = Math.max(ofNode.peek(''), ofGame.peek(gameId));
      waitMs = Math.min(waitMs, left);
      if (left > 0) continue;
      const [[receiverId, post] = []] = asking;
      games.delete(gameId);
      if (receiverId !== undefined) asking.delete(receiverId);
      if (asking.size > 0) games.set(gameId, asking);
      if (post?.() === true) {
        ofNode.take('');
        ofGame.take(gameId);
      }
      plan();
      return;
    }
    if (games.size > 0) cancelTimer = clock.after(waitMs, plan);
  }

  return {
    ask(gameId, receiverId, post) {
      const asking = games.get(gameId) ?? new Map<string, () => boolean>();
      asking.set(receiverId, post);
      games.set(gameId, asking);
      plan();
      return () => {
        if (asking.get(receiverId) !== post) return;
        asking.delete(receiverId);
        if (asking.size === 0 && games.get(gameId) === asking) games.delete(gameId);
      };
    },
  };
}

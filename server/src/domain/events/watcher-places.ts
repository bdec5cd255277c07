import { Counts } from '../../counts.ts';
import { ServiceError } from '../../errors.ts';

/** One caller must not take the streams of all others. */
const MAX_OF_CALLER = 10;
/** The watchers of one game, by however many keys, leave one place in so many to those of others. */
const PLACES_FOR_ONE_LEFT = 20;
const RETRY_AFTER_MS = 5_000;

/** How many streams of events there are on this node, and whose. */
export interface WatcherPlaces {
  /** Takes a place, or throws `throttled`. Returns a function to call when the stream is over; a second call does no harm. */
  take(caller: string, gameName: string): () => void;
  /** Refuses every later `take`. */
  close(): void;
}

export function createWatcherPlaces({ max }: { readonly max: number }): WatcherPlaces {
  const byCaller = new Counts();
  const byGame = new Counts();
  const maxOfGame = max - Math.floor(max / PLACES_FOR_ONE_LEFT);
  let taken = 0;
  let isClosed = false;

  function refuse(message: string): never {
    throw new ServiceError('throttled', message, { retryAfterMs: RETRY_AFTER_MS });
  }

  function assertFree(caller: string, gameName: string): void {
    if (isClosed) refuse('this node is about to stop: try again');
    if (byCaller.of(caller) >= MAX_OF_CALLER) {
      refuse(`this access key has ${MAX_OF_CALLER} streams of events on this node, as many as it may have: end one`);
    }
    if (taken >= max || byGame.of(gameName) >= maxOfGame) {
      refuse(
        `this node has ${taken} watchers of events, as many as it may have: try again later, or raise RESPARK_EVENTS_MAX_WATCHERS`,
      );
    }
  }

  function change(caller: string, gameName: string, by: 1 | -1): void {
    taken += by;
    byCaller.add(caller, by);
    byGame.add(gameName, by);
  }

  return {
    take(caller, gameName) {
      assertFree(caller, gameName);
      change(caller, gameName, 1);
      let isLeft = false;
      return () => {
        if (isLeft) return;
        isLeft = true;
        change(caller, gameName, -1);
      };
    },
    close() {
      isClosed = true;
    },
  };
}

import type { Clock } from '../../clock.ts';
import type { Log } from '../../log.ts';
import type { EventFilter, EventLog, PlacedEvent } from '../../store/events/event-log.ts';
import type { Store } from '../../store/store.ts';
import { getGame, isGameThere } from '../games.ts';
import { createListShare } from '../list-turns.ts';
import { isWanted } from './event-filter.ts';
import type { Interest } from './interest.ts';
import { createWatcherPlaces } from './watcher-places.ts';
import { createWatchers, WATCH_MS, type WatcherSink } from './watchers.ts';

export interface EventsAsked extends EventFilter {
  /** A position; events behind it are given. */
  readonly after?: number | undefined;
  /** Only events of this time or later, as far as the order of the log allows. */
  readonly since?: number | undefined;
}

export interface EventRecordsPage {
  readonly events: readonly PlacedEvent[];
  /** Where the next page begins, and where the log can be followed from. */
  readonly cursor: number;
  readonly isEnd: boolean;
  readonly missed: number;
}

/** A stream that can begin. */
export interface Watch {
  /** Begins to write events. Returns a function that must be called when the watcher is gone. */
  start(sink: WatcherSink): () => void;
}

export interface EventRecords {
  /** One page of what is kept of a game's events, the oldest first. Throws `not_found`, and `throttled` when too many searches wait. */
  list(gameName: string, asked: EventsAsked & { readonly limit: number }): Promise<EventRecordsPage>;
  /**
   * Follows a game's events as server-sent events; without a position or a time, from now on. Throws `not_found`, and
   * `throttled` when the caller, by its id, or the node has as many watchers as it may have.
   */
  watch(gameName: string, asked: EventsAsked, caller: string): Promise<Watch>;
  /** Ends all watchers, and lets none begin. */
  drain(): void;
}

const MAX_EXAMINED = 2_000;
/** A stream that has not begun by then never will: its client went away while the call was answered. */
const START_MS = 5_000;

interface Parts {
  readonly store: Pick<Store, 'games'>;
  readonly eventLog: Pick<EventLog, 'read' | 'ends' | 'positionBefore' | 'onMoved' | 'watch'>;
  readonly interest: Pick<Interest, 'add'>;
  readonly clock: Clock;
  readonly log: Pick<Log, 'warn'>;
  readonly settings: { readonly eventsMaxWatchers: number };
}

export function createEventRecords(parts: Parts): EventRecords {
  const { store, eventLog, interest, clock, settings } = parts;
  const share = createListShare(clock);
  const watchers = createWatchers(parts);
  const places = createWatcherPlaces({ max: settings.eventsMaxWatchers });

  async function startOf(gameId: string, { after, since }: EventsAsked): Promise<number | undefined> {
    const from = since === undefined ? undefined : await share(gameId, () => eventLog.positionBefore(gameId, since));
    return after === undefined || from === undefined ? (after ?? from) : Math.max(after, from);
  }

  async function prepare(gameName: string, asked: EventsAsked) {
    const { id } = await getGame(store, gameName);
    const game = { id, name: gameName };
    await eventLog.watch(game, clock.now() + WATCH_MS);
    interest.add(game);
    return { game, position: (await startOf(id, asked)) ?? (await eventLog.ends(id)).last };
  }

  return {
    async list(gameName, { limit, ...asked }) {
      const { id } = await getGame(store, gameName);
      const isSearch = asked.playerId !== undefined || asked.types.length > 0 || asked.stages.length > 0;
      const events: PlacedEvent[] = [];
      let cursor = (await startOf(id, asked)) ?? (await eventLog.ends(id)).first - 1;
      let missed = 0;
      for (let examined = 0; ; ) {
        const query = { after: cursor, limit: limit - events.length, filter: asked };
        const read = () => eventLog.read(id, query);
        // Most of what a search looks at may be none of what is meant.
        const page = await (isSearch ? share(id, read) : read());
        missed += page.missed;
        examined += page.cursor - cursor - page.missed;
        cursor = page.cursor;
        events.push(...page.events.filter(({ event }) => isWanted(event, asked)));
        const isOver = page.isEnd || events.length >= limit || examined >= MAX_EXAMINED;
        if (isOver) return { events, cursor, isEnd: page.isEnd, missed };
      }
    },

    async watch(gameName, asked, caller) {
      // Before anything is waited for: calls that come together must not all find the same place free.
      const leave = places.take(caller, gameName);
      try {
        const from = await prepare(gameName, asked);
        const cancel = clock.after(START_MS, leave);
        return {
          start(sink) {
            cancel();
            return watchers.add({
              ...from,
              filter: asked,
              sink,
              isThere: () => isGameThere(store, from.game),
              ended: leave,
            });
          },
        };
      } catch (error) {
        leave();
        throw error;
      }
    },

    drain() {
      places.close();
      watchers.drain();
    },
  };
}

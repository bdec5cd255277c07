import type { Clock } from '../../clock.ts';
import { ServiceError } from '../../errors.ts';
import type { Log } from '../../log.ts';
import type { EventLog, PlacedEvent } from '../../store/events/event-log.ts';
import type { Store } from '../../store/store.ts';
import { getGame } from '../games.ts';
import { type EventFilter, isWanted, toWire } from './event-filter.ts';
import type { Interest } from './interest.ts';

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

/** Where the events of a watcher are written to. */
export interface WatcherSink {
  write(text: string): void;
  /** Bytes that the watcher has not taken yet. */
  readonly bufferedBytes: number;
  /** Ends the stream after what was written, or cuts it off when the watcher does not take that. */
  end(): void;
}

/** A stream that can begin. */
export interface Watch {
  /** Begins to write events. Gives what must be called when the watcher is gone. */
  start(sink: WatcherSink): () => void;
}

export interface EventRecords {
  /** One page of what is kept of a game's events, the oldest first. Throws `not_found`. */
  list(gameName: string, asked: EventsAsked & { readonly limit: number }): Promise<EventRecordsPage>;
  /**
   * Follows a game's events as server-sent events; without a position or a time, from now on. Throws `not_found`, and
   * `throttled` when there are as many watchers as the settings allow.
   */
  watch(gameName: string, asked: EventsAsked): Promise<Watch>;
  /** Ends all watchers, and lets none begin. */
  drain(): void;
}

const MAX_EXAMINED = 5_000;
const BATCH = 500;
const POLL_MS = 500;
const HEARTBEAT_MS = 15_000;
/** No more is read for a watcher that has so much to take; one that takes nothing of it for so long is cut off. */
const MAX_BUFFERED_BYTES = 262_144;
const SLOW_MS = 30_000;
/** Nodes record a watched game's events for so long after they have last heard of the watcher. */
const WATCH_MS = 30_000;
const WATCH_RENEWAL_MS = 10_000;

type WatcherParts = Parts & {
  readonly game: { readonly id: string; readonly name: string };
  readonly asked: EventFilter;
  readonly sink: WatcherSink;
  readonly ended: () => void;
};

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
  const watchers = new Set<Watcher>();
  let isDraining = false;

  async function startOf(gameId: string, { after, since }: EventsAsked): Promise<number | undefined> {
    const from = since === undefined ? undefined : await eventLog.positionBefore(gameId, since);
    return after === undefined || from === undefined ? (after ?? from) : Math.max(after, from);
  }

  return {
    async list(gameName, asked) {
      const { id } = await getGame(store, gameName);
      const events: PlacedEvent[] = [];
      let cursor = (await startOf(id, asked)) ?? (await eventLog.ends(id)).first - 1;
      let missed = 0;
      for (let examined = 0; examined < MAX_EXAMINED; ) {
        const page = await eventLog.read(id, { after: cursor, limit: BATCH });
        missed += page.missed;
        cursor += page.missed;
        if (page.events.length === 0) return { events, cursor, isEnd: true, missed };
        for (const placed of page.events) {
          cursor = placed.position;
          examined += 1;
          if (isWanted(placed.event, asked)) events.push(placed);
          if (events.length === asked.limit) return { events, cursor, isEnd: false, missed };
        }
      }
      return { events, cursor, isEnd: false, missed };
    },

    async watch(gameName, asked) {
      const { id } = await getGame(store, gameName);
      if (isDraining || watchers.size >= settings.eventsMaxWatchers) {
        const message = `this node has ${watchers.size} watchers of events, as many as it may have: try again later, or raise RESPARK_EVENTS_MAX_WATCHERS`;
        throw new ServiceError('throttled', message, { retryAfterMs: 5_000 });
      }
      const game = { id, name: gameName };
      await eventLog.watch(game, clock.now() + WATCH_MS);
      interest.add(game);
      const position = (await startOf(id, asked)) ?? (await eventLog.ends(id)).last;
      return {
        start(sink) {
          const watcher = new Watcher({ ...parts, game, asked, position, sink, ended: () => watchers.delete(watcher) });
          watchers.add(watcher);
          if (isDraining) watcher.end('draining');
          return () => watcher.gone();
        },
      };
    },

    drain() {
      isDraining = true;
      for (const watcher of watchers) watcher.end('draining');
    },
  };
}

/** One stream. It reads on only as fast as its watcher does. */
class Watcher {
  readonly #parts: WatcherParts;
  #position: number;
  #isReading = false;
  #isEnded = false;
  #fullSince: number | undefined;
  #renewAt: number;
  #heartbeatAt: number;
  #cancel = () => {};
  readonly #endListening: () => void;

  constructor({ position, ...parts }: WatcherParts & { position: number }) {
    this.#parts = parts;
    this.#position = position;
    const now = parts.clock.monotonic();
    this.#renewAt = now + WATCH_RENEWAL_MS;
    this.#heartbeatAt = now + HEARTBEAT_MS;
    // So that clients see at once that the stream is there.
    parts.sink.write(`retry: 1000\n: position ${position}\n\n`);
    this.#endListening = parts.eventLog.onMoved(() => this.#tick());
    this.#tick();
  }

  /** Ends the stream and says why. */
  end(reason: string): void {
    if (this.#isEnded) return;
    this.#parts.sink.write(`event: end\ndata: ${JSON.stringify({ reason })}\n\n`);
    this.gone();
    this.#parts.sink.end();
  }

  /** Must be called when the client is gone. */
  gone(): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#cancel();
    this.#endListening();
    this.#parts.ended();
  }

  #tick(): void {
    if (this.#isEnded) return;
    this.#cancel();
    this.#cancel = this.#parts.clock.after(POLL_MS, () => this.#tick());
    const now = this.#parts.clock.monotonic();
    this.#renew(now);
    if (this.#isFull(now)) return;
    if (now >= this.#heartbeatAt) this.#write(': heartbeat\n\n', now);
    if (this.#isReading) return;
    this.#isReading = true;
    this.#read().then(
      (isMore) => {
        this.#isReading = false;
        if (isMore) this.#tick();
      },
      (error: unknown) => {
        this.#isReading = false;
        this.#parts.log.warn({ err: error }, 'the events of a watcher could not be read');
      },
    );
  }

  #write(text: string, now: number): void {
    this.#heartbeatAt = now + HEARTBEAT_MS;
    this.#parts.sink.write(text);
  }

  #isFull(now: number): boolean {
    if (this.#parts.sink.bufferedBytes <= MAX_BUFFERED_BYTES) {
      this.#fullSince = undefined;
      return false;
    }
    this.#fullSince ??= now;
    if (now - this.#fullSince >= SLOW_MS) this.end('slow');
    return true;
  }

  #renew(now: number): void {
    const { eventLog, game, clock, log } = this.#parts;
    if (now < this.#renewAt) return;
    this.#renewAt = now + WATCH_RENEWAL_MS;
    eventLog
      .watch(game, clock.now() + WATCH_MS)
      .catch((error: unknown) => log.warn({ err: error }, 'a watcher of events could not be noted'));
  }

  /** Gives whether there may be more. */
  async #read(): Promise<boolean> {
    const { eventLog, game, asked, clock } = this.#parts;
    const { events, missed } = await eventLog.read(game.id, { after: this.#position, limit: BATCH });
    if (this.#isEnded) return false;
    if (missed > 0) {
      this.#position += missed;
      const lost = { type: 'events.lost', timestamp: new Date(clock.now()).toISOString(), game: game.name };
      this.#write(formatted(this.#position, 'events.lost', { ...lost, data: { count: missed } }), clock.monotonic());
    }
    let text = '';
    for (const { position, event } of events) {
      this.#position = position;
      if (isWanted(event, asked)) text += formatted(position, event.type, toWire(event));
    }
    if (text !== '') this.#write(text, clock.monotonic());
    return events.length > 0;
  }
}

/** The id is the position, from which `Last-Event-ID` goes on. */
function formatted(position: number, type: string, event: object): string {
  return `id: ${position}\nevent: ${type}\ndata: ${JSON.stringify(event)}\n\n`;
}

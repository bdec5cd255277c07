import type { Clock } from '../../clock.ts';
import type { Log } from '../../log.ts';
import type { MaybePromise } from '../../maybe-promise.ts';
import { createRareWarnings, type WarnRarely } from '../../rare-warnings.ts';
import type { EventFilter, EventLog } from '../../store/events/event-log.ts';
import { createTurns, inTurn, type Turns } from '../../turns.ts';
import { createListShare, type ListShare } from '../list-turns.ts';
import { readStep, type Told, type WatchedGameName, type WatchedLog } from './event-steps.ts';

/** Where the events of a watcher are written to. */
export interface WatcherSink {
  write(text: string): void;
  /** Bytes that the watcher has not taken yet. */
  readonly bufferedBytes: number;
  /** How long its caller must wait until more may be written, in milliseconds. */
  waitMs(): number;
  /** Whether its caller may still watch these events. */
  isAllowed(): MaybePromise<boolean>;
  /** Ends the stream after what was written, or cuts it off when the watcher does not take that. */
  end(): void;
}

export interface Watchers {
  /** Begins to write the events behind a position. Returns a function that must be called when the watcher is gone. */
  add(watcher: NewWatcher): () => void;
  /** Ends all watchers, and each later one at once. */
  drain(): void;
}

interface NewWatcher {
  readonly game: WatchedGameName;
  readonly position: number;
  readonly filter: EventFilter;
  readonly sink: WatcherSink;
  /** Whether the game still exists. One that is made later under its name is another one. */
  readonly isThere: () => MaybePromise<boolean>;
  /** Called once when the stream is over. */
  readonly ended: () => void;
}

/** What other nodes have moved is looked for so often, and everything else that depends on time. */
const POLL_MS = 500;
const HEARTBEAT_MS = 15_000;
const ACCESS_MS = 1_000;
/** No more is read for a watcher that has so much to take; one that takes nothing of it for so long is cut off. */
const MAX_BUFFERED_BYTES = 262_144;
const SLOW_MS = 30_000;
/** Nodes record a watched game's events for so long after they have last heard of the watcher. */
export const WATCH_MS = 30_000;
const WATCH_RENEWAL_MS = 10_000;
/** How many events are told to all watchers at once, because each write to a socket costs as much as several of them. */
const TOLD_AT_ONCE = 256;
/** How long writing to watchers holds one turn of the event loop up. */
const WRITE_TURN_MS = 1;

interface Parts extends WatchedLog {
  readonly eventLog: Pick<EventLog, 'read' | 'onMoved' | 'watch'>;
  readonly clock: Clock;
  readonly log: Pick<Log, 'warn'>;
}

type Shared = Parts & { readonly warnRarely: WarnRarely; readonly turns: Turns; readonly share: ListShare };

export function createWatchers(parts: Parts): Watchers {
  const { eventLog, clock } = parts;
  const shared = {
    ...parts,
    warnRarely: createRareWarnings(parts),
    turns: createTurns({ clock, turnMs: WRITE_TURN_MS }),
    // There are only so many watchers, and none of them asks twice at once.
    share: createListShare(clock, { maxWaiting: Number.POSITIVE_INFINITY }),
  };
  /** By the id of the game. One without a watcher is not there. */
  const games = new Map<string, WatchedGame>();
  let stopLooking: (() => void) | undefined;
  let isDraining = false;

  function tick(): void {
    for (const game of games.values()) game.tick();
  }

  /** Looks at the log for as long as somebody watches. */
  function beginLooking(): () => void {
    let cancel = () => {};
    const plan = () => {
      cancel = clock.after(POLL_MS, () => {
        plan();
        tick();
      });
    };
    plan();
    const endListening = eventLog.onMoved(() => {
      for (const game of games.values()) game.look();
    });
    return () => {
      cancel();
      endListening();
    };
  }

  function find(game: WatchedGameName): WatchedGame {
    const known = games.get(game.id);
    if (known !== undefined) return known;
    const watched = new WatchedGame(shared, game);
    games.set(game.id, watched);
    return watched;
  }

  return {
    add(asked) {
      const watched = find(asked.game);
      const watcher = new Watcher(shared, watched, {
        ...asked,
        ended() {
          watched.remove(watcher);
          if (watched.isEmpty) games.delete(asked.game.id);
          if (games.size === 0) {
            stopLooking?.();
            stopLooking = undefined;
          }
          asked.ended();
        },
      });
      watched.add(watcher);
      stopLooking ??= beginLooking();
      watcher.begin();
      if (isDraining) watcher.end('draining');
      return () => watcher.gone();
    },
    drain() {
      isDraining = true;
      for (const game of [...games.values()]) game.end('draining');
    },
  };
}

/**
 * A game that is watched. What comes at the end of its log is read, and made text, once for all of its watchers that have
 * come so far; the others read on by themselves.
 */
class WatchedGame {
  readonly game: WatchedGameName;
  readonly #shared: Shared;
  readonly #watchers = new Set<Watcher>();
  /** Those that have everything up to the position below. */
  readonly #followers = new Set<Watcher>();
  /** How far the log was read for the followers. */
  #position = 0;
  #isReading = false;
  /** Whether there may be more than the read that is under way will find. */
  #isMore = false;
  #renewAt: number;

  constructor(shared: Shared, game: WatchedGameName) {
    this.#shared = shared;
    this.game = game;
    this.#renewAt = shared.clock.monotonic() + WATCH_RENEWAL_MS;
  }

  get isEmpty(): boolean {
    return this.#watchers.size === 0;
  }

  add(watcher: Watcher): void {
    this.#watchers.add(watcher);
  }

  remove(watcher: Watcher): void {
    this.#watchers.delete(watcher);
    this.#followers.delete(watcher);
  }

  end(reason: string): void {
    for (const watcher of [...this.#watchers]) watcher.end(reason);
  }

  tick(): void {
    const { eventLog, clock, warnRarely } = this.#shared;
    const now = clock.monotonic();
    for (const watcher of [...this.#watchers]) watcher.tick(now);
    this.look();
    if (now < this.#renewAt) return;
    this.#renewAt = now + WATCH_RENEWAL_MS;
    eventLog.watch(this.game, clock.now() + WATCH_MS).catch((error: unknown) => {
      warnRarely(this.game.id, { err: error, gameName: this.game.name }, 'a watcher of events could not be noted');
    });
  }

  /** Has a watcher follow that has come to the end of the log; false when the followers are further by now. */
  join(watcher: Watcher): boolean {
    if (this.#followers.size === 0 && !this.#isReading) this.#position = watcher.position;
    if (watcher.position < this.#position) {
      // Unless the watcher reads on, the log has lost what was read for the followers, and they go back.
      this.look();
      return false;
    }
    this.#followers.add(watcher);
    // What has come since the watcher has read would otherwise wait for the next tick.
    if (this.#followers.size === 1) this.look();
    return true;
  }

  leave(watcher: Watcher): void {
    this.#followers.delete(watcher);
  }

  /** Tells the followers what has come. */
  look(): void {
    if (this.#followers.size === 0) return;
    this.#isMore = true;
    if (this.#isReading) return;
    this.#isReading = true;
    this.#tellAll().then(
      () => {
        this.#isReading = false;
      },
      (error: unknown) => {
        this.#isReading = false;
        const facts = { err: error, gameName: this.game.name };
        this.#shared.warnRarely(this.game.id, facts, 'the events of watchers could not be read');
      },
    );
  }

  async #tellAll(): Promise<void> {
    while (this.#isMore && this.#followers.size > 0) {
      this.#isMore = false;
      const told = await this.#read();
      for (const watcher of [...this.#followers]) {
        if (told.length === 0) break;
        await inTurn(this.#shared.turns, this.game.id, async () => {
          if (this.#followers.has(watcher)) watcher.take(told);
        });
      }
    }
  }

  async #read(): Promise<Told[]> {
    const told: Told[] = [];
    for (;;) {
      const page = await readStep(this.#shared, this.game, { after: this.#position });
      told.push(...page.told);
      if (page.cursor < this.#position) for (const watcher of this.#followers) watcher.setBack(page.cursor);
      this.#position = page.cursor;
      if (!page.isEnd && told.length < TOLD_AT_ONCE) continue;
      if (!page.isEnd) this.#isMore = true;
      return told;
    }
  }
}

/** One stream. It reads on only as fast as its watcher takes it, and as its caller may have bytes. */
class Watcher {
  readonly #shared: Shared;
  readonly #watched: WatchedGame;
  readonly #parts: NewWatcher;
  #position: number;
  #state: 'behind' | 'reading' | 'following' | 'ended' = 'behind';
  #fullSince: number | undefined;
  #isChecking = false;
  #checkAt: number;
  #heartbeatAt: number;

  constructor(shared: Shared, watched: WatchedGame, parts: NewWatcher) {
    this.#shared = shared;
    this.#watched = watched;
    this.#parts = parts;
    this.#position = parts.position;
    const now = shared.clock.monotonic();
    this.#checkAt = now + ACCESS_MS;
    this.#heartbeatAt = now + HEARTBEAT_MS;
  }

  /** Everything up to here was told, or is not wanted. */
  get position(): number {
    return this.#position;
  }

  begin(): void {
    // So that clients see at once that the stream is there.
    this.#write(`retry: 1000\n: position ${this.#position}\n\n`);
    this.#readOn();
  }

  /** Ends the stream and says why. */
  end(reason: string): void {
    if (this.#state === 'ended') return;
    this.#parts.sink.write(`event: end\ndata: ${JSON.stringify({ reason })}\n\n`);
    this.gone();
    this.#parts.sink.end();
  }

  /** Must be called when the client is gone. */
  gone(): void {
    if (this.#state === 'ended') return;
    this.#state = 'ended';
    this.#parts.ended();
  }

  tick(now: number): void {
    if (now >= this.#checkAt) this.#check(now);
    if (this.#isFull()) {
      this.#fullSince ??= now;
      if (now - this.#fullSince >= SLOW_MS) this.end('slow');
      return;
    }
    this.#fullSince = undefined;
    if (now >= this.#heartbeatAt) this.#write(': heartbeat\n\n');
    if (this.#state === 'behind') this.#readOn();
  }

  /** The log ends there now, as it does when a crash of the database has undone its newest events. */
  setBack(position: number): void {
    this.#position = Math.min(this.#position, position);
  }

  /** Writes what it wants of these, which follow its position. */
  take(told: readonly Told[]): void {
    let text = '';
    for (const each of told) {
      // It may have read some of them itself.
      if (each.position <= this.#position) continue;
      this.#position = each.position;
      if (each.isWanted(this.#parts.filter)) text += each.text();
    }
    if (text !== '') this.#write(text);
    if (this.#state !== 'following' || !this.#isHeldBack()) return;
    // The others do not wait for it. It goes on by itself.
    this.#watched.leave(this);
    this.#state = 'behind';
  }

  #write(text: string): void {
    if (this.#state === 'ended') return;
    this.#heartbeatAt = this.#shared.clock.monotonic() + HEARTBEAT_MS;
    this.#parts.sink.write(text);
  }

  #isFull(): boolean {
    return this.#parts.sink.bufferedBytes > MAX_BUFFERED_BYTES;
  }

  #isHeldBack(): boolean {
    return this.#isFull() || this.#parts.sink.waitMs() > 0;
  }

  /** Ends the stream of a game that is gone, and of a caller whose key was revoked, or may no longer watch. */
  #check(now: number): void {
    if (this.#isChecking) return;
    this.#isChecking = true;
    this.#checkAt = now + ACCESS_MS;
    const { game, sink, isThere } = this.#parts;
    const findReason = async () => {
      if (!(await isThere())) return 'deleted';
      return (await sink.isAllowed()) ? undefined : 'access';
    };
    findReason().then(
      (reason) => {
        this.#isChecking = false;
        if (reason !== undefined) this.end(reason);
      },
      (error: unknown) => {
        this.#isChecking = false;
        const facts = { err: error, gameName: game.name };
        this.#shared.warnRarely(game.id, facts, 'whether a watcher of events may go on could not be found out');
      },
    );
  }

  #readOn(): void {
    this.#state = 'reading';
    this.#catchUp().then(
      (isAtEnd) => this.#settle(isAtEnd ? 'following' : 'behind'),
      (error: unknown) => {
        this.#settle('behind');
        const { id, name: gameName } = this.#parts.game;
        this.#shared.warnRarely(id, { err: error, gameName }, 'the events of a watcher could not be read');
      },
    );
  }

  #settle(state: 'following' | 'behind'): void {
    if (this.#state === 'reading') this.#state = state;
  }

  /** Returns whether it follows with the others now; it goes on later otherwise. */
  async #catchUp(): Promise<boolean> {
    const { game, filter } = this.#parts;
    while (this.#state === 'reading' && !this.#isHeldBack()) {
      const read = async () =>
        this.#state === 'reading' ? await readStep(this.#shared, game, { after: this.#position, filter }) : undefined;
      const page = await this.#shared.share(game.id, read);
      if (page === undefined || this.#state !== 'reading') return false;
      this.take(page.told);
      this.#position = page.cursor;
      if (page.isEnd && !this.#isHeldBack() && this.#watched.join(this)) return true;
    }
    return false;
  }
}

import { type Clock, type Moment, momentOf, withTimeout } from '../../clock.ts';
import type { Log } from '../../log.ts';
import type { Metrics } from '../../metrics.ts';
import { type RandomBytes, uuidV7 } from '../../random.ts';
import type { EventCursor, EventLog, LoggedEvent } from '../../store/events/event-log.ts';
import { isWanted } from './event-filter.ts';
import type { PostPace } from './post-pace.ts';
import type { WebhookPost } from './post-webhook.ts';
import type { Receiver } from './receiver.ts';
import { attemptOf, type Outcome, type RecentAttempts } from './recent-attempts.ts';
import { type SentEvent, sendEvent } from './send-event.ts';

export interface DeliveryParts {
  readonly eventLog: Pick<EventLog, 'read' | 'onMoved' | 'save'>;
  readonly post: Pick<WebhookPost, 'post'>;
  readonly pace: PostPace;
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly log: Pick<Log, 'warn' | 'debug'>;
  readonly metrics: Pick<Metrics, 'events'>;
  readonly attempts: Pick<RecentAttempts, 'note'>;
  /**
   * How long an event waits for earlier ones of its player that are still on their way from other nodes; 0 where there
   * are none.
   */
  readonly holdMs: number;
  readonly settings: { readonly webhookMaxParallel: number; readonly webhookDisableAfterHours: number };
}

/** So many events of one webhook are in memory, and so far may the settled ones be ahead of the oldest that is not. */
const MAX_UNSETTLED = 1_000;
const MAX_AHEAD = 10_000;
const PAGE = 250;
/** Events that other nodes have moved are looked for so often. */
const POLL_MS = 500;
/** After how long an event is tried again that failed while others were accepted, each time it fails; then it is given up. */
const RETRY_MS = [5_000, 15_000, 60_000, 300_000, 600_000, 600_000, 600_000] as const;
/** A receiver that fails is tried again after a twentieth of the time for which it has failed, within these. */
const PAUSE_SHARE = 20;
const MIN_PAUSE_MS = 1_000;
const MAX_PAUSE_MS = 300_000;
const MAX_RETRY_AFTER_MS = 3_600_000;
const HOUR_MS = 3_600_000;
/** How long a stop waits for the answers to what is being sent. */
const STOP_GRACE_MS = 1_000;

interface Entry {
  readonly position: number;
  readonly event: LoggedEvent;
  /** Monotonic time before which it waits for earlier ones. */
  readonly readyAt: number;
  attempts: number;
  failures: number;
  lastFailedAt: number;
}

/** What one player's events wait in, in the order in which they are sent. It is in one of these states, or is dropped. */
interface Lane {
  readonly key: string;
  readonly entries: Entry[];
  state: 'ready' | 'delayed' | 'sending';
  /** Monotonic time at which a delayed lane becomes ready. */
  until: number;
}

/**
 * Sends one webhook's events, from its cursor on. Each player's are sent one after the other: the next when the one before
 * was accepted or given up. Players do not wait for each other. After any failure the whole webhook pauses, and one event
 * at a time tries whether the receiver is back.
 */
export class Delivery {
  readonly owner: string;
  readonly #parts: DeliveryParts;
  readonly #ended: (reason: string, url: string) => void;
  #receiver: Receiver;
  /** What was read and is not settled, by position, in that order. */
  readonly #unsettled = new Map<number, Entry>();
  readonly #lanes = new Map<string, Lane>();
  readonly #ready = new Set<Lane>();
  readonly #delayed = new Set<Lane>();
  readonly #sending = new Set<Promise<void>>();
  /** What has failed since something was accepted. */
  readonly #failed = new Set<Entry>();
  #readTo: number;
  /** Since when nothing is accepted; it is counted on the monotonic clock, because the other may be set forward. */
  #failing: Moment | undefined;
  #lastAcceptedAt = Number.NEGATIVE_INFINITY;
  #pausedUntil = Number.NEGATIVE_INFINITY;
  #isReading = false;
  /** Whether the last read came to the end of the log. */
  #isAtEnd = false;
  #isStopped = false;
  #cancelWake = () => {};
  #cancelPoll = () => {};
  /** Only while it has asked for its turn to send. */
  #cancelAsking: (() => void) | undefined;
  readonly #endListening: () => void;

  /** `ended` is called once when the webhook must be switched off, with the reason and the URL that it is about. */
  constructor({
    receiver,
    owner,
    cursor,
    ended,
    ...parts
  }: DeliveryParts & {
    receiver: Receiver;
    owner: string;
    cursor: EventCursor;
    ended: (reason: string, url: string) => void;
  }) {
    this.#parts = parts;
    this.#receiver = receiver;
    this.#ended = ended;
    this.owner = owner;
    this.#readTo = cursor.position;
    const { failingSince: wall } = cursor;
    const { wall: now, monotonic } = momentOf(parts.clock);
    this.#failing = wall === undefined ? undefined : { wall, monotonic: monotonic - Math.max(0, now - wall) };
    this.#endListening = parts.eventLog.onMoved(() => this.#look());
    this.#look();
  }

  get gameId(): string {
    return this.#receiver.gameId;
  }

  /** Everything up to here is settled. */
  get #position(): number {
    for (const position of this.#unsettled.keys()) return position - 1;
    return this.#readTo;
  }

  /** How far the receiver is behind the end of the log, and since when the oldest event has waited. */
  lag(last: number): { events: number; oldestAt: number | undefined } {
    const [oldest] = this.#unsettled.values();
    return { events: Math.max(0, last - this.#position), oldestAt: oldest?.event.at };
  }

  /** How many events are not settled, of those that were read and of all behind them. */
  waiting(last: number): number {
    return this.#unsettled.size + Math.max(0, last - this.#readTo);
  }

  /** From now on events go there; to another URL at once, whatever became of the one before. */
  change(receiver: Receiver): void {
    const isElsewhere = receiver.url !== this.#receiver.url;
    this.#receiver = receiver;
    if (!isElsewhere) return;
    this.#pausedUntil = Number.NEGATIVE_INFINITY;
    this.#failing = undefined;
    this.#pump();
  }

  /** Writes down how far it is; false when another node has taken over, and this delivery must stop. */
  save(): Promise<boolean> {
    const cursor = { position: this.#position, failingSince: this.#failing?.wall };
    return this.#parts.eventLog.save(this.#receiver.id, this.owner, cursor);
  }

  /** Sends nothing further, and waits a moment for the answers to what was sent. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#endListening();
    this.#cancelWake();
    this.#cancelPoll();
    this.#cancelAsking?.();
    await withTimeout(Promise.all(this.#sending), STOP_GRACE_MS, this.#parts.clock).catch(() => {});
  }

  #look(): void {
    if (this.#isStopped) return;
    this.#isAtEnd = false;
    this.#fill();
  }

  #fill(): void {
    const isFull = this.#unsettled.size >= MAX_UNSETTLED || this.#readTo - this.#position >= MAX_AHEAD;
    if (this.#isStopped || this.#isReading || this.#isAtEnd || isFull) return;
    this.#isReading = true;
    this.#cancelPoll();
    // Set before the read, so that what is moved during it is looked for.
    this.#isAtEnd = true;
    this.#read().then(
      (found) => {
        this.#isReading = false;
        if (found) this.#isAtEnd = false;
        else this.#poll();
        this.#pump();
        this.#fill();
      },
      (error: unknown) => {
        this.#isReading = false;
        this.#parts.log.debug({ err: error, webhookId: this.#receiver.id }, 'events could not be read');
        this.#poll();
      },
    );
  }

  #poll(): void {
    if (!this.#isStopped) this.#cancelPoll = this.#parts.clock.after(POLL_MS, () => this.#look());
  }

  async #read(): Promise<boolean> {
    const { eventLog, clock, random, holdMs, metrics } = this.#parts;
    const { gameId, gameName, filter } = this.#receiver;
    const { events, missed, cursor, isEnd } = await eventLog.read(gameId, { after: this.#readTo, limit: PAGE, filter });
    if (this.#isStopped) return false;
    const now = clock.now();
    if (missed > 0) {
      metrics.events.lost(missed);
      const position = this.#readTo + missed;
      const data = { count: missed };
      const gap = { id: uuidV7(random, now), type: 'events.lost', at: now, game: gameName, node: this.owner, data };
      this.#take(position, gap, 0);
      this.#readTo = position;
    }
    for (const { position, event } of events) {
      this.#readTo = position;
      // A clock that is ahead must not hold events up.
      const left = Math.min(holdMs, Math.max(0, event.at + holdMs - now));
      if (isWanted(event, this.#receiver.filter)) this.#take(position, event, left);
    }
    if (cursor < this.#readTo) this.#setBack(cursor);
    this.#readTo = cursor;
    return !isEnd;
  }

  /** A crash of the database has undone what came behind. It is still sent; others may come in its places, and count there. */
  #setBack(position: number): void {
    for (const each of this.#unsettled.keys()) if (each > position) this.#unsettled.delete(each);
  }

  #take(position: number, event: LoggedEvent, holdMs: number): void {
    const readyAt = this.#parts.clock.monotonic() + holdMs;
    const entry = { position, event, readyAt, attempts: 0, failures: 0, lastFailedAt: Number.NEGATIVE_INFINITY };
    this.#unsettled.set(position, entry);
    // What is not about a player need not wait for anything. A block in the whole game is about the player in every stage.
    const key = event.player === undefined ? `event ${event.id}` : `player ${event.player}`;
    const known = this.#lanes.get(key);
    if (known === undefined) {
      const lane: Lane = { key, entries: [entry], state: 'ready', until: readyAt };
      this.#lanes.set(key, lane);
      this.#queue(lane);
      return;
    }
    // By time, and what came first among those of one time; but not before what is being sent, or was already.
    const first = known.state === 'sending' || (known.entries[0]?.failures ?? 0) > 0 ? 1 : 0;
    let index = known.entries.length;
    while (index > first && (known.entries[index - 1] as Entry).event.at > event.at) index -= 1;
    known.entries.splice(index, 0, entry);
  }

  /** Has the lane wait until its first event may be sent. */
  #queue(lane: Lane): void {
    const now = this.#parts.clock.monotonic();
    const entry = lane.entries[0];
    if (entry === undefined) {
      this.#lanes.delete(lane.key);
      return;
    }
    lane.until = Math.max(entry.readyAt, entry.lastFailedAt + (RETRY_MS[entry.failures - 1] ?? 0));
    lane.state = lane.until <= now ? 'ready' : 'delayed';
    this.#ready.delete(lane);
    this.#delayed.delete(lane);
    (lane.state === 'ready' ? this.#ready : this.#delayed).add(lane);
  }

  #pump(): void {
    if (this.#isStopped) return;
    const now = this.#parts.clock.monotonic();
    for (const lane of this.#delayed) if (lane.until <= now) this.#queue(lane);
    this.#ask();
    this.#planWake(now);
  }

  /** Has the next event sent as soon as the pace of all webhooks lets it. */
  #ask(): void {
    if (this.#cancelAsking !== undefined || !this.#canSend()) return;
    this.#cancelAsking = this.#parts.pace.ask(this.gameId, this.#receiver.id, () => {
      this.#cancelAsking = undefined;
      return this.#sendNext();
    });
  }

  #canSend(): boolean {
    const { clock, settings } = this.#parts;
    const most = this.#failing === undefined ? settings.webhookMaxParallel : 1;
    const isOpen = !this.#isStopped && clock.monotonic() >= this.#pausedUntil;
    return isOpen && this.#ready.size > 0 && this.#sending.size < most;
  }

  /** Undefined if there was nothing to send. */
  #sendNext(): Promise<void> | undefined {
    const [lane] = this.#ready;
    if (lane === undefined || !this.#canSend()) return undefined;
    this.#ready.delete(lane);
    lane.state = 'sending';
    const sending = this.#send(lane, lane.entries[0] as Entry).finally(() => {
      this.#sending.delete(sending);
      this.#pump();
      this.#fill();
    });
    this.#sending.add(sending);
    this.#ask();
    return sending;
  }

  #planWake(now: number): void {
    this.#cancelWake();
    let at = this.#pausedUntil > now ? this.#pausedUntil : Number.POSITIVE_INFINITY;
    for (const { until } of this.#delayed) at = Math.min(at, Math.max(until, this.#pausedUntil));
    if (at !== Number.POSITIVE_INFINITY) this.#cancelWake = this.#parts.clock.after(at - now, () => this.#pump());
  }

  /** Never rejects. */
  async #send(lane: Lane, entry: Entry): Promise<void> {
    const { clock, attempts } = this.#parts;
    const { id, url, secrets } = this.#receiver;
    const [at, begun] = [clock.now(), clock.monotonic()];
    entry.attempts += 1;
    const sent = await sendEvent({ event: entry.event, url, secrets }, this.#parts);
    if (this.#isStopped && !sent.isAccepted) return;
    const tookMs = clock.monotonic() - begun;
    const outcome = this.#settleAttempt(lane, entry, { ...sent, url });
    attempts.note(id, attemptOf({ ...entry, number: entry.attempts, at, tookMs }, sent, outcome));
  }

  #settleAttempt(lane: Lane, entry: Entry, sent: SentEvent & { readonly url: string }): Outcome {
    if (sent.isAccepted) return this.#accepted(lane, entry);
    if (sent.url !== this.#receiver.url) {
      // The answer of the old URL says nothing about the new one.
      this.#queue(lane);
      return { outcome: 'to_be_retried', retryAt: this.#parts.clock.now() };
    }
    if (sent.status === 410) return this.#end('the receiver has answered 410 (Gone)');
    return this.#refused(lane, entry, sent);
  }

  #accepted(lane: Lane, entry: Entry): Outcome {
    this.#parts.metrics.events.delivered('accepted');
    this.#lastAcceptedAt = this.#parts.clock.monotonic();
    if (this.#failing !== undefined) {
      this.#failing = undefined;
      this.#pausedUntil = Number.NEGATIVE_INFINITY;
      this.#forgive();
    }
    this.#settle(lane, entry);
    return { outcome: 'delivered' };
  }

  /** When several have failed, the receiver was away, and that is not held against any of them. */
  #forgive(): void {
    const failed = [...this.#failed];
    this.#failed.clear();
    if (failed.length < 2) return;
    for (const entry of failed) entry.failures = Math.max(0, entry.failures - 1);
    for (const lane of [...this.#delayed]) this.#queue(lane);
  }

  #settle(lane: Lane, entry: Entry): void {
    if (this.#unsettled.get(entry.position) === entry) this.#unsettled.delete(entry.position);
    this.#failed.delete(entry);
    lane.entries.shift();
    this.#queue(lane);
  }

  #refused(lane: Lane, entry: Entry, { message: reason, retryAfterMs = 0 }: SentEvent): Outcome {
    const { clock, metrics, log, settings, random } = this.#parts;
    metrics.events.delivered('failed');
    this.#failing ??= momentOf(clock);
    const now = clock.monotonic();
    const failedForMs = now - this.#failing.monotonic;
    log.debug({ webhookId: this.#receiver.id, reason, failedForMs }, 'a webhook was not accepted');
    if (failedForMs >= settings.webhookDisableAfterHours * HOUR_MS) {
      return this.#end(`nothing was accepted for ${settings.webhookDisableAfterHours} hours: ${reason}`);
    }
    const pause = Math.min(MAX_PAUSE_MS, Math.max(MIN_PAUSE_MS, failedForMs / PAUSE_SHARE));
    const jitter = 0.75 + ((random(1)[0] ?? 0) / 255) * 0.5;
    this.#pausedUntil = now + Math.max(pause * jitter, Math.min(retryAfterMs, MAX_RETRY_AFTER_MS));
    // While nothing is accepted, that is not the fault of this event.
    if (this.#lastAcceptedAt > entry.lastFailedAt) entry.failures += 1;
    entry.lastFailedAt = now;
    this.#failed.add(entry);
    if (entry.failures <= RETRY_MS.length) {
      this.#queue(lane);
      const retryAt = clock.now() + Math.max(lane.until, this.#pausedUntil) - now;
      return { outcome: 'to_be_retried', retryAt };
    }
    metrics.events.delivered('given_up');
    log.warn({ webhookId: this.#receiver.id, eventId: entry.event.id, reason }, 'a webhook’s event was given up');
    this.#settle(lane, entry);
    return { outcome: 'given_up' };
  }

  #end(reason: string): Outcome {
    this.#isStopped = true;
    // When it is enabled again, it has as much time as a new one.
    this.#failing = undefined;
    this.#ended(reason, this.#receiver.url);
    return { outcome: 'switched_off' };
  }
}

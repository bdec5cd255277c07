import { CLOSE_CODES, type CloseFacts, type CloseName, formatCloseReason, type HelloFrame } from '@respark/protocol';
import { type Clock, withTimeout } from '../clock.ts';
import { type Cluster, DirectoryUnavailable, type Lease } from '../cluster/cluster.ts';
import { type ConnectionEvents, NO_CONNECTION_EVENTS } from '../domain/events/events.ts';
import type { Admission, NotAdmitted, Players } from '../domain/players/players.ts';
import type { Runtimes } from '../domain/runtime/runtimes.ts';
import { mayPass } from '../errors.ts';
import type { Log } from '../log.ts';
import { andThen, type MaybePromise, orElse } from '../maybe-promise.ts';
import type { Metrics } from '../metrics.ts';
import { keyOf } from '../player-key.ts';
import { type RandomBytes, uuidV7 } from '../random.ts';
import { answerOtherNodes } from './answers.ts';
import { Connection, type ConnectionHost, type Why } from './connection.ts';
import { Deadlines } from './deadlines.ts';
import { type Limits, RETRY_WHEN_FULL_MS } from './limits.ts';
import { Membership } from './membership.ts';
import { Outboxes } from './outboxes.ts';
import { paced } from './paced.ts';
import type { PlayerSocket } from './player-socket.ts';
import { type ListingFault, refusalBy, returnHint } from './refusal.ts';
import { createMakeRoom, type RoomSettings } from './room.ts';
import { type WelcomeSettings, welcomeFrame } from './welcome-frame.ts';

export interface GatewaySettings extends RoomSettings, WelcomeSettings {
  readonly authTimeoutMs: number;
  readonly closeGraceMs: number;
  /** How many players a draining node sends away per second; 0 for all at once. */
  readonly drainConnectionsPerSecond: number;
  readonly maxOutboxBytes: number;
  readonly outboxMemoryBytes: number;
}

/** A node whose lease has ended closes its connections in this time. Nothing passes them any more. */
const FENCE_SPREAD_MS = 1_000;

/** A client sends its hello at once, which has come by then over most networks. */
const YOUNG_MS = 1_000;

/** Ends after which waiting messages are dropped. After others, such as a drain, handlers still get what came before. */
const SENT_AWAY: ReadonlySet<CloseName> = new Set(['disconnected', 'blocked', 'token_refused']);

/** How often a hello is looked up anew because its stage got another runtime meanwhile. */
const MAX_LOOK_UPS = 5;

type GatewayMetrics = Pick<Metrics, 'ofStage' | 'forgetStage' | 'closed' | 'slowClose' | 'outbox'>;

/**
 * This node's connections, from the upgrade until the directory has let go of them. Every connection ends through
 * `#end`, whatever the reason. The gateway knows sockets only by their contract.
 */
export class Gateway implements ConnectionHost {
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: GatewayMetrics;
  readonly settings: GatewaySettings;
  readonly #players: Pick<Players, 'admit'>;
  readonly #events: ConnectionEvents;
  readonly #cluster: Cluster;
  readonly #membership: Membership;
  readonly #limits: Limits;
  readonly #random: RandomBytes;
  /** Every connection whose socket is not closed yet. */
  readonly #sockets = new Set<Connection>();
  /** Those of them that have a place, were never welcomed and have been stopped. Their clients may take their time to go. */
  readonly #refused = new Set<Connection>();
  /** Those whose places others have already. */
  readonly #replaced = new WeakSet<Connection>();
  /** Those that came when there was no place for them. */
  readonly #placeless = new WeakSet<Connection>();
  /** Connection that is being closed → settles when its end is proven and the directory has let go of it. */
  readonly #closings = new Map<Connection, Promise<void>>();
  readonly #outboxes: Outboxes<Connection>;
  readonly #unwelcomed: Deadlines<Connection>;
  readonly #heartbeats: Deadlines<Connection>;
  readonly #flushes: Deadlines<Connection>;
  readonly #graces: Deadlines<Connection>;
  #isDraining = false;
  #whenEmpty: (() => void) | undefined;

  constructor({
    players,
    runtimes,
    cluster,
    limits,
    clock,
    random,
    log,
    metrics,
    events = NO_CONNECTION_EVENTS,
    settings,
  }: {
    players: Pick<Players, 'admit' | 'forgetStage'>;
    runtimes: Pick<Runtimes, 'enter'>;
    cluster: Cluster;
    limits: Limits;
    clock: Clock;
    random: RandomBytes;
    log: Log;
    metrics: GatewayMetrics;
    events?: ConnectionEvents;
    settings: GatewaySettings;
  }) {
    this.clock = clock;
    this.log = log;
    this.metrics = metrics;
    this.settings = settings;
    this.#players = players;
    this.#events = events;
    this.#cluster = cluster;
    cluster.onLeaseEnd((lease) => this.#closeFenced(lease));
    this.#membership = new Membership({
      ...{ cluster, runtimes, clock, settings },
      makeRoom: createMakeRoom({ cluster, clock, log, settings }),
    });
    this.#limits = limits;
    this.#random = random;
    this.#outboxes = new Outboxes({
      ...{ budgetBytes: settings.outboxMemoryBytes, ownerOf: ({ player }) => player?.gameId ?? '' },
      close: (connection) => this.close(connection, 'slow_consumer'),
    });
    const deadlines = (delayMs: number, expire: (connection: Connection, lateMs: number) => void) =>
      new Deadlines<Connection>({ clock, delayMs, expire });
    this.#unwelcomed = deadlines(settings.authTimeoutMs, (connection, lateMs) => {
      // The hello may be there, unread, because the server was held up.
      if (lateMs > settings.authTimeoutMs / 2) this.#unwelcomed.add(connection);
      else if (connection.isAwaitingHello) this.close(connection, 'heartbeat_missed', 'no hello in time');
      else this.close(connection, 'try_again_later', 'the server could not welcome you in time');
    });
    this.#heartbeats = deadlines(settings.heartbeatMs / 2, (connection, lateMs) =>
      this.#checkHeartbeat(connection, lateMs),
    );
    this.#flushes = deadlines(settings.closeFlushMs, (connection) => {
      metrics.slowClose();
      connection.destroy();
    });
    this.#graces = deadlines(settings.closeGraceMs, (connection) => connection.destroy());
    answerOtherNodes({
      ...{ cluster, membership: this.#membership, players, clock, random, metrics, settings },
      end: (connection, why) => this.#end(connection, why),
      silence: (connection, forMs) => this.#silence(connection, forMs),
    });
  }

  get isDraining(): boolean {
    return this.#isDraining;
  }

  /** What the gateway holds at the moment; all zero when every player is gone. */
  get counts(): { sockets: number; listed: number; closing: number; deadlines: number; outboxBytes: number } {
    let outboxBytes = 0;
    for (const connection of this.#sockets) outboxBytes += connection.outboxBytes;
    return {
      outboxBytes,
      sockets: this.#sockets.size,
      listed: this.#membership.size,
      closing: this.#closings.size,
      deadlines: this.#unwelcomed.size + this.#heartbeats.size + this.#flushes.size + this.#graces.size,
    };
  }

  /**
   * Takes over a socket after its upgrade. The caller passes what the peer sends to the returned connection, and
   * reports the socket's end to `socketClosed`. One without a place must be closed in the same turn.
   */
  accept(socket: PlayerSocket, addressGroup: string, { hasPlace = true } = {}): Connection {
    const id = uuidV7(this.#random, this.clock.now());
    const connection = new Connection(this, socket, { id, addressGroup });
    this.#sockets.add(connection);
    if (!hasPlace) this.#placeless.add(connection);
    this.#limits.opened(addressGroup, { hasPlace });
    this.#unwelcomed.add(connection);
    if (this.#isDraining) this.#sendBack(connection);
    return connection;
  }

  /** Must be called when the socket is gone, with the code of the peer's close frame, or 1006 when none came. */
  socketClosed(connection: Connection, code: number): void {
    this.#sockets.delete(connection);
    this.#refused.delete(connection);
    this.#graces.delete(connection);
    this.metrics.closed(code);
    if (!this.#replaced.has(connection)) this.#giveBackPlace(connection);
    if (connection.isWelcomed && !connection.isStopped) this.#events.closed(connection, { code });
    this.close(connection, 'normal');
    if (this.#sockets.size === 0) this.#whenEmpty?.();
  }

  #giveBackPlace(connection: Connection): void {
    const { addressGroup, isWelcomed: wasWelcomed } = connection;
    this.#limits.closed(addressGroup, { wasWelcomed, hadPlace: !this.#placeless.has(connection) });
  }

  noteOutbox(connection: Connection): void {
    this.#outboxes.note(connection);
  }

  close(connection: Connection, name: CloseName, text?: string, facts: CloseFacts = {}): void {
    // `#unlist` has logged the failure. The connection stays listed, and the next attempt to end it tries again.
    void orElse(
      () => this.#end(connection, { name, text, facts }),
      () => {},
    );
  }

  findExcess({ addressGroup }: Connection, sent: { frames: number; bytes: number }): 'messages' | 'bytes' | undefined {
    return this.#limits.findExcess(addressGroup, sent);
  }

  /**
   * The connection that may have to give way to a new one: one that was refused and whose client has not gone, or else the
   * one that has been silent for longest, or else the one that has waited longest for another of its player to end. Clients
   * decide how long each of these takes, and could fill all places with them. A connection that has only just come is the last.
   */
  findYielding(): Connection | undefined {
    const [refused] = this.#refused;
    if (refused !== undefined) return refused;
    const silent = this.#findSilent();
    const isOld = silent !== undefined && this.clock.monotonic() - silent.lastFrameAt >= YOUNG_MS;
    return isOld ? silent : (this.#membership.findAwaitingRoom() ?? silent);
  }

  #findSilent(): Connection | undefined {
    for (const connection of this.#unwelcomed.items()) if (connection.isAwaitingHello) return connection;
    return undefined;
  }

  /** Ends a connection for the sake of another, which has its place from now on: more may come before its socket is gone. */
  giveWay(connection: Connection): void {
    const text = 'the server has too many connections that are not welcomed yet';
    this.close(connection, 'try_again_later', text, { retryAfterMs: RETRY_WHEN_FULL_MS });
    connection.destroy();
    this.#refused.delete(connection);
    this.#replaced.add(connection);
    this.#giveBackPlace(connection);
  }

  admit(connection: Connection, hello: HelloFrame): void {
    if (hello.token === undefined && this.#limits.hasOnlyReserve) {
      const text = 'the last places of this node are for players with a token';
      this.close(connection, 'node_full', text, { retryAfterMs: RETRY_WHEN_FULL_MS });
      return;
    }
    this.#admit(connection, hello).catch((error: unknown) => {
      const isAway = error instanceof DirectoryUnavailable || mayPass(error);
      const facts = { err: error, connectionId: connection.id };
      this.log[isAway ? 'debug' : 'error'](facts, 'a player could not be admitted');
      this.close(connection, isAway ? 'try_again_later' : 'server_error');
    });
  }

  /** Refuses new players from now on; those who are connected are served as before. */
  turnAway(): void {
    this.#isDraining = true;
  }

  /**
   * Refuses new players, and closes those who are connected with a hint to come back after a random time. Resolves when
   * the directory lists none of them and every socket is gone, or after `timeoutMs`; the remaining sockets are then
   * destroyed.
   */
  async drain(timeoutMs: number): Promise<void> {
    this.turnAway();
    await withTimeout(this.#sendAway(), timeoutMs, this.clock).catch(() => {
      this.log.warn({ left: this.#sockets.size }, 'players did not leave in time and were cut off');
    });
    for (const connection of this.#sockets) {
      this.#sendBack(connection);
      connection.destroy();
    }
    for (const deadlines of [this.#unwelcomed, this.#heartbeats, this.#flushes, this.#graces]) deadlines.close();
  }

  #sendBack(connection: Connection): void {
    this.close(connection, 'draining', undefined, returnHint(this.#random));
  }

  /** The player's silence then has no consequence, so that only the client can find out that something is wrong. */
  #silence(connection: Connection, forMs: number): void {
    this.#heartbeats.delete(connection);
    connection.silence();
    this.clock.after(forMs, () => this.close(connection, 'abnormal'));
  }

  /** Resolves when every player has been closed and has gone. */
  async #sendAway(): Promise<void> {
    const { drainConnectionsPerSecond: ratePerSecond } = this.settings;
    await paced(this.#sockets, { ratePerSecond, clock: this.clock }, (connection) => this.#sendBack(connection));
    const empty = new Promise<void>((resolve) => {
      if (this.#sockets.size === 0) resolve();
      else this.#whenEmpty = resolve;
    });
    await Promise.allSettled([...this.#closings.values(), empty]);
  }

  async #admit(connection: Connection, hello: HelloFrame): Promise<void> {
    let admission: Admission | NotAdmitted;
    let fault: ListingFault | undefined;
    let lookUps = 0;
    do {
      // Taken first, so that the directory knows all that is announced of the stage from here on.
      const era = this.#cluster.era();
      admission = await this.#players.admit(hello);
      if (connection.isStopped) return;
      if (!admission.isAdmitted) {
        this.close(connection, admission.reason, admission.text, admission.facts);
        return;
      }
      fault = await this.#membership.register(connection, admission, era);
      // A connection that was stopped while the directory answered has its entry removed by the code that stopped it.
      if (connection.isStopped) return;
      lookUps += 1;
    } while (fault === 'runtime_changed' && lookUps < MAX_LOOK_UPS);
    if (fault !== undefined) {
      const refusal = refusalBy(fault, { now: this.clock.now(), random: this.#random, ...this.settings });
      return this.close(connection, refusal.name, refusal.text, refusal.facts);
    }
    // The listener for the lease's end closes it.
    if (connection.lease?.mayAct() !== true) return;
    // A deployment is over when the nodes have heard of it, so a connection that they list already must not open late.
    if (connection.runtime?.isOutdated()) return this.close(connection, 'try_again_later');
    this.#welcome(connection, admission);
  }

  #welcome(connection: Connection, admission: Admission): void {
    const { player, runtime, session } = admission;
    this.#limits.welcomed(connection.addressGroup);
    this.#unwelcomed.delete(connection);
    this.#heartbeats.add(connection);
    // First, because the welcome may be too much for a slow reader, which ends the connection at once.
    this.#events.opened(connection);
    connection.open(
      welcomeFrame(connection.id, admission, this.settings),
      this.metrics.ofStage(runtime.stage),
      session,
    );
    this.log.debug(() => ({ connectionId: connection.id, ...keyOf(player) }), 'player connected');
  }

  /**
   * The one way to end a connection: stops it in this turn, and settles when the end is proven and the directory no
   * longer lists it. A second call waits for the same end. Fails when the directory does; the next call asks the
   * directory again.
   */
  #end(connection: Connection, why: Why): MaybePromise<void> {
    if (SENT_AWAY.has(why.name)) connection.sendAway();
    const underway = this.#closings.get(connection);
    if (underway !== undefined) return underway;
    const isFirst = !connection.isStopped;
    if (!isFirst && this.#membership.find(connection.id) === undefined) return;
    const ended = isFirst ? this.#stop(connection, why) : connection.ended;
    const unlisted = andThen(ended, () => this.#unlist(connection));
    if (!(unlisted instanceof Promise)) return;
    const closing = unlisted.finally(() => this.#closings.delete(connection));
    this.#closings.set(connection, closing);
    return closing;
  }

  #stop(connection: Connection, { name, text, facts, reasonCode, farewell }: Why): MaybePromise<void> {
    const { code, meaning } = CLOSE_CODES[name];
    const ended = connection.stop(code, formatCloseReason(text ?? meaning, facts), farewell);
    this.#unwelcomed.delete(connection);
    this.#heartbeats.delete(connection);
    this.#outboxes.delete(connection);
    if (this.#sockets.has(connection)) {
      if (connection.isWelcomed) this.#events.closed(connection, { name, text, facts, reasonCode });
      else if (!this.#placeless.has(connection)) this.#refused.add(connection);
      this.#graces.add(connection);
      if (ended instanceof Promise) {
        this.#flushes.add(connection);
        void ended.then(() => this.#flushes.delete(connection));
      }
    }
    this.log.debug(
      () => ({ connectionId: connection.id, ...keyOf(connection.player), close: name, text, ...facts }),
      'connection stopped',
    );
    return ended;
  }

  /** Has the directory let go of a connection whose end is proven. */
  #unlist(connection: Connection): MaybePromise<void> {
    return orElse(
      () => this.#membership.unlist(connection),
      (error) => {
        const { id: connectionId } = connection;
        this.log.warn({ err: error, connectionId }, 'a closed connection could not be removed from the directory');
        throw error;
      },
    );
  }

  /**
   * Closes the connections of a lease that has ended, a few at a time. Other nodes drop their entries, and may say that the
   * players are gone, so the directory is not asked, and what waits for handlers is dropped at once.
   */
  #closeFenced(lease: Lease): void {
    for (const connection of this.#membership.ofLease(lease)) {
      connection.sendAway();
      const [random = 0] = this.#random(1);
      this.clock.after((random / 256) * FENCE_SPREAD_MS, () => {
        this.close(connection, 'node_fenced', undefined, returnHint(this.#random));
        this.#membership.abandon(connection);
      });
    }
  }

  /**
   * Runs twice in each heartbeat period. A player silent for one and a half is pinged, and has half a period to answer:
   * browsers wake the timers of a hidden page so rarely that heartbeats stop, yet they answer pings.
   */
  #checkHeartbeat(connection: Connection, lateMs: number): void {
    const { heartbeatMs } = this.settings;
    const silentPeriods = (this.clock.monotonic() - connection.lastFrameAt) / heartbeatMs;
    // Only a player whom the server has pinged, and whose answer it would have read by now, is known to be silent.
    const mayHaveAnswered = !connection.isPongAwaited || lateMs > heartbeatMs / 4;
    if (silentPeriods >= 2 && !mayHaveAnswered) {
      this.close(connection, 'heartbeat_missed');
      return;
    }
    if (silentPeriods >= 1.5) connection.ping();
    this.#heartbeats.add(connection);
  }
}

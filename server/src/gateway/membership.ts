import { type Clock, momentOf } from '../clock.ts';
import type { Barred, Cluster, DirectoryEntry, Lease, RegistrationFault } from '../cluster/cluster.ts';
import { newcomerOf } from '../domain/players/bars/bars.ts';
import type { RuntimeName } from '../domain/runtime/message.ts';
import type { Runtimes } from '../domain/runtime/runtimes.ts';
import { andThen, type MaybePromise } from '../maybe-promise.ts';
import type { SignedInPlayer } from '../player-key.ts';
import type { Connection } from './connection.ts';
import type { ListingFault } from './refusal.ts';
import type { MakeRoom } from './room.ts';

/**
 * How often a connection registers when others of its player take each place that is made. It is far more than there are
 * newcomers at once, and ends the attempts if the directory contradicts itself.
 */
const MAX_ATTEMPTS = 20;

/** Connections that are remembered because of their messages; beyond that, the one that ended first is forgotten. */
const MAX_OUTLASTED = 10_000;

/** This node's connections that the directory may list, by id: the node's own account of what it told the directory. */
export class Membership {
  readonly #cluster: Cluster;
  readonly #runtimes: Pick<Runtimes, 'enter'>;
  readonly #clock: Clock;
  readonly #makeRoom: MakeRoom;
  readonly #maxConnectionsPerPlayer: number;
  /** Connection id → connection, from before the directory may list it until after it no longer does. */
  readonly #listed = new Map<string, Connection>();
  /** Those that were listed, and some of whose messages have outlasted them: the first to end comes first. */
  readonly #outlasted = new Map<string, Connection>();
  /** The connections whose players have too many others, while the server finds out whether one of those ends. */
  readonly #awaitingRoom = new Set<Connection>();
  /** Registrations that the directory has not answered yet. */
  readonly #registrations = new Map<Connection, Promise<unknown>>();

  constructor({
    cluster,
    runtimes,
    clock,
    makeRoom,
    settings,
  }: {
    cluster: Cluster;
    runtimes: Pick<Runtimes, 'enter'>;
    clock: Clock;
    makeRoom: MakeRoom;
    settings: { readonly maxConnectionsPerPlayer: number };
  }) {
    this.#cluster = cluster;
    this.#runtimes = runtimes;
    this.#clock = clock;
    this.#makeRoom = makeRoom;
    this.#maxConnectionsPerPlayer = settings.maxConnectionsPerPlayer;
  }

  get size(): number {
    return this.#listed.size;
  }

  /** The connection that has waited longest for another one of its player to end. */
  findAwaitingRoom(): Connection | undefined {
    for (const connection of this.#awaitingRoom) {
      if (!connection.isStopped) return connection;
      this.#awaitingRoom.delete(connection);
    }
    return undefined;
  }

  find(connectionId: string): Connection | undefined {
    return this.#listed.get(connectionId);
  }

  /** Has the messages dropped that still wait for their handlers, of connections that have ended by themselves. */
  dropMessages(connectionIds: readonly string[]): void {
    for (const id of connectionIds) this.#outlasted.get(id)?.sendAway();
  }

  /** In the order in which they registered. Connections may come and go while somebody iterates over them. */
  all(): Iterable<Connection> {
    return this.#listed.values();
  }

  ofStage(stageId: string): readonly Connection[] {
    return [...this.#listed.values()].filter(({ player }) => player?.stageId === stageId);
  }

  ofLease(lease: Lease): readonly Connection[] {
    return [...this.#listed.values()].filter((connection) => connection.lease === lease);
  }

  /**
   * Puts the connection on its runtime, then has the directory list it; returns the fault when the directory refuses. When
   * the player has too many connections, it makes room and registers again, unless the connection has stopped meanwhile.
   * `era` is what the directory knew before the player was looked up. Whatever the outcome, even a rejection, the
   * connection must be unlisted when it ends; after `runtime_changed` it may register once more, as it was looked up anew.
   */
  async register(
    connection: Connection,
    { player, runtime }: { readonly player: SignedInPlayer; readonly runtime: RuntimeName },
    era: string,
  ): Promise<ListingFault | undefined> {
    const { runtime: former } = connection;
    const { lease } = this.#cluster;
    const registered = momentOf(this.#clock);
    connection.register(player, this.#runtimes.enter(runtime), lease, registered);
    former?.leave();
    // The node must know the connection before the directory lists it: a disconnect that reads the entry looks for it
    // here.
    this.#listed.set(connection.id, connection);
    const entry = {
      connectionId: connection.id,
      node: lease.node,
      createdAt: registered.wall,
      runtimeId: runtime.id,
    };
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt += 1) {
      const fault = await this.#list(connection, player, entry, era);
      if (fault !== 'player_full' || connection.isStopped) return fault;
      this.#awaitingRoom.add(connection);
      const room = await this.#makeRoom(player).finally(() => this.#awaitingRoom.delete(connection));
      // A connection that was stopped meanwhile may be unlisted already, and must not be listed again.
      if (connection.isStopped || room === 'none') return fault;
      if (room === 'unknown') return 'player_maybe_full';
    }
    return 'player_maybe_full';
  }

  async #list(
    connection: Connection,
    player: SignedInPlayer,
    entry: DirectoryEntry,
    era: string,
  ): Promise<RegistrationFault | Barred | undefined> {
    const newcomer = newcomerOf(player, this.#clock.now());
    const expected = { era, maxConnectionsPerPlayer: this.#maxConnectionsPerPlayer, newcomer };
    const registration = this.#cluster.register(player, entry, expected);
    if (!(registration instanceof Promise)) return registration;
    this.#registrations.set(connection, registration);
    try {
      return await registration;
    } finally {
      this.#registrations.delete(connection);
    }
  }

  /**
   * Has the directory let go of a connection whose end is proven, and takes it off its runtime. Does nothing for a
   * connection that never registered. Fails when the directory does; the connection stays listed for the next try.
   */
  unlist(connection: Connection): MaybePromise<void> {
    const { player, runtime } = connection;
    if (player === undefined || runtime === undefined) return;
    // A registration that is still on its way would list the connection again afterwards.
    const registered = this.#registrations.get(connection)?.catch(() => {});
    const unregistered = andThen(registered, () => this.#cluster.unregister(player, [connection.id]));
    return andThen(unregistered, () => this.abandon(connection));
  }

  /** Forgets a connection without a word to the directory, and takes it off its runtime. */
  abandon(connection: Connection): void {
    if (!this.#listed.delete(connection.id)) return;
    connection.runtime?.leave();
    for (const [id, outlasted] of this.#outlasted) {
      if (outlasted.hasMessages && this.#outlasted.size < MAX_OUTLASTED) break;
      this.#outlasted.delete(id);
    }
    if (connection.hasMessages) this.#outlasted.set(connection.id, connection);
  }
}

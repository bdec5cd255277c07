import type { Clock } from '../clock.ts';
import type { Cluster, RegistrationFault } from '../cluster/cluster.ts';
import type { RuntimeName, Runtimes } from '../domain/runtime/runtimes.ts';
import type { PlayerKey } from '../player-key.ts';
import type { Connection } from './connection.ts';

/** This node's connections that the directory may list, by id: the node's own account of what it told the directory. */
export class Membership {
  readonly #cluster: Cluster;
  readonly #runtimes: Pick<Runtimes, 'enter'>;
  readonly #clock: Clock;
  readonly #maxConnectionsPerPlayer: number;
  /** Connection id → connection, from before the directory may list it until after it no longer does. */
  readonly #listed = new Map<string, Connection>();
  /** Registrations that the directory has not answered yet. */
  readonly #registrations = new Map<Connection, Promise<unknown>>();

  constructor({
    cluster,
    runtimes,
    clock,
    settings,
  }: {
    cluster: Cluster;
    runtimes: Pick<Runtimes, 'enter'>;
    clock: Clock;
    settings: { readonly maxConnectionsPerPlayer: number };
  }) {
    this.#cluster = cluster;
    this.#runtimes = runtimes;
    this.#clock = clock;
    this.#maxConnectionsPerPlayer = settings.maxConnectionsPerPlayer;
  }

  get size(): number {
    return this.#listed.size;
  }

  find(connectionId: string): Connection | undefined {
    return this.#listed.get(connectionId);
  }

  ofStage(stageId: string): readonly Connection[] {
    return [...this.#listed.values()].filter(({ player }) => player?.stageId === stageId);
  }

  /**
   * Puts the connection on its runtime, then has the directory list it; returns the fault when the directory refuses.
   * Whatever the outcome, even a rejection, the connection must be unlisted when it ends.
   */
  async register(
    connection: Connection,
    { player, runtime }: { readonly player: PlayerKey; readonly runtime: RuntimeName },
  ): Promise<RegistrationFault | undefined> {
    connection.register(player, this.#runtimes.enter(runtime));
    // The node must know the connection before the directory lists it: a disconnect that reads the entry looks for it
    // here.
    this.#listed.set(connection.id, connection);
    const entry = {
      connectionId: connection.id,
      node: this.#cluster.node,
      createdAt: this.#clock.now(),
      runtimeId: runtime.id,
    };
    const expected = { era: this.#cluster.era(), maxConnectionsPerPlayer: this.#maxConnectionsPerPlayer };
    const registration = this.#cluster.register(player, entry, expected);
    this.#registrations.set(connection, registration);
    try {
      return await registration;
    } finally {
      this.#registrations.delete(connection);
    }
  }

  /**
   * Has the directory let go of a connection whose end is proven, and takes it off its runtime. Does nothing for a
   * connection that never registered. Rejects when the directory fails; the connection stays listed for the next try.
   */
  async unlist(connection: Connection): Promise<void> {
    const { player, runtime } = connection;
    if (player === undefined || runtime === undefined) return;
    // A registration that is still on its way would list the connection again afterwards.
    await this.#registrations.get(connection)?.catch(() => {});
    await this.#cluster.unregister(player, [connection.id]);
    this.#listed.delete(connection.id);
    runtime.leave();
  }
}

import { type Clock, withTimeout } from '../clock.ts';
import type { Cluster, DirectoryEntry } from '../cluster/cluster.ts';
import type { Log } from '../log.ts';
import type { PlayerKey } from '../player-key.ts';

export interface RoomSettings {
  readonly maxConnectionsPerPlayer: number;
  readonly whenPlayerFull: 'refuse' | 'replace_oldest';
  readonly probeTimeoutMs: number;
  readonly closeFlushMs: number;
}

/**
 * `made`: one of the player's connections has ended; another newcomer may still take its place. `none`: all of them are
 * alive. `unknown`: neither could be found out.
 */
type Room = 'made' | 'none' | 'unknown';

/**
 * Makes room for one more connection of a player who has as many as allowed. A player whose network died silently leaves
 * connections behind that nothing has ended yet, so those that do not answer a ping give way; with `replace_oldest` the
 * oldest does, whether or not it is alive. Rejects when the directory does not say which there are.
 */
export type MakeRoom = (player: PlayerKey) => Promise<Room>;

/** How long the directory and the links between nodes may take, beside what an owner does. */
const LINK_MS = 1_000;

export function createMakeRoom({
  cluster,
  clock,
  log,
  settings,
}: {
  cluster: Pick<Cluster, 'list' | 'request'>;
  clock: Clock;
  log: Log;
  settings: RoomSettings;
}): MakeRoom {
  const { maxConnectionsPerPlayer, whenPlayerFull, probeTimeoutMs, closeFlushMs } = settings;
  /** Stage and player → the attempt under way, which newcomers of the same player share. */
  const underway = new Map<string, Promise<Room>>();

  /** Asks each owner about its own among the entries. An owner that does not answer is left out of the replies. */
  async function askOwners<Kind extends 'probe' | 'replace'>(
    kind: Kind,
    player: PlayerKey,
    entries: readonly DirectoryEntry[],
    timeoutMs: number,
  ) {
    const owners = [...new Set(entries.map(({ node }) => node))];
    const replies = owners.map(async (node) => {
      const connectionIds = entries.flatMap((entry) => (entry.node === node ? [entry.connectionId] : []));
      try {
        return [await cluster.request(node, kind, { player, connectionIds }, timeoutMs + closeFlushMs + LINK_MS)];
      } catch (error) {
        log.warn({ err: error, node, ...player }, 'a node did not make room for a connection of a player');
        return [];
      }
    });
    return (await Promise.all(replies)).flat();
  }

  async function probe(player: PlayerKey, entries: readonly DirectoryEntry[]): Promise<Room> {
    const replies = await askOwners('probe', player, entries, probeTimeoutMs);
    if (replies.some(({ closedIds }) => closedIds.length > 0)) return 'made';
    const alive = new Set(replies.flatMap(({ aliveIds }) => aliveIds));
    return entries.every(({ connectionId }) => alive.has(connectionId)) ? 'none' : 'unknown';
  }

  async function replace(player: PlayerKey, entries: readonly DirectoryEntry[]): Promise<Room> {
    const oldest = entries.toSorted(byAge).slice(0, entries.length - maxConnectionsPerPlayer + 1);
    const replies = await askOwners('replace', player, oldest, 0);
    const closed = new Set(replies.flatMap(({ closedIds }) => closedIds));
    return oldest.every(({ connectionId }) => closed.has(connectionId)) ? 'made' : 'unknown';
  }

  async function make(player: PlayerKey): Promise<Room> {
    const { entries } = await withTimeout(cluster.list(player), LINK_MS, clock);
    if (entries.length < maxConnectionsPerPlayer) return 'made';
    return await (whenPlayerFull === 'replace_oldest' ? replace : probe)(player, entries);
  }

  return async function makeRoom(player) {
    const key = `${player.stageId} ${player.playerId}`;
    // What an attempt that began earlier has found alive may have died since.
    if ((await underway.get(key)) === 'made') return 'made';
    const shared = underway.get(key);
    if (shared !== undefined) return await shared;
    const making = make(player).finally(() => underway.delete(key));
    underway.set(key, making);
    return await making;
  };
}

/** Ids are in the order in which they were made. */
function byAge(one: DirectoryEntry, other: DirectoryEntry): number {
  return one.createdAt - other.createdAt || (one.connectionId < other.connectionId ? -1 : 1);
}

import type { Clock } from '../../clock.ts';
import type { Cluster, DirectoryEntry, Listing } from '../../cluster/cluster.ts';
import type { Log } from '../../log.ts';
import { all, andThen, inSteps, type MaybePromise, orElse, type Steps, settled } from '../../maybe-promise.ts';
import type { PlayerKey } from '../../player-key.ts';
import { listConnections } from './directory-look-up.ts';

/** The share of a disconnect's time kept back for the last look at the directory. */
const LAST_LOOK_SHARE = 0.1;

export interface DisconnectResult {
  /** Their owner neither takes nor sends a message on them any more, and the directory no longer lists them. */
  readonly successes: readonly string[];
  /** Still listed, and nothing proves their end: ask again. */
  readonly failures: readonly string[];
}

/**
 * Closes every connection of the player and says of each whether its end is proven. Throws `internal` when the directory
 * cannot say what there is to close: never an empty success. Answers within `timeoutMs` whatever the owners do.
 */
export type Disconnect = (call: {
  readonly player: PlayerKey;
  readonly requestId: string;
  /** What the close frames say; without it, what they always say. */
  readonly reason?: string | undefined;
  readonly timeoutMs: number;
}) => MaybePromise<DisconnectResult>;

export function createDisconnect({ cluster, clock, log }: { cluster: Cluster; clock: Clock; log: Log }): Disconnect {
  /** Adds to `closed` the ids that the owner proves closed. */
  const askOwner = inSteps(function* (
    node: string,
    request: { player: PlayerKey; connectionIds: readonly string[]; requestId: string; reason: string | undefined },
    timeoutMs: number,
    closed: Set<string>,
  ): Steps<void> {
    try {
      const reply = yield* settled(cluster.request(node, 'disconnect', request, timeoutMs));
      for (const id of reply.closedIds) closed.add(id);
    } catch (error) {
      const { requestId } = request;
      log.warn({ err: error, node, requestId }, 'a node did not prove that it closed its connections to a player');
    }
  });

  /** The ids among `entries` that their owners proved closed. */
  function closeAtOwners(
    player: PlayerKey,
    entries: readonly DirectoryEntry[],
    { requestId, reason }: { requestId: string; reason: string | undefined },
    timeoutMs: number,
  ): MaybePromise<Set<string>> {
    const closed = new Set<string>();
    const asked = [...idsByOwner(entries)].map(([node, connectionIds]) =>
      askOwner(node, { player, connectionIds, requestId, reason }, timeoutMs, closed),
    );
    return andThen(all(asked), () => closed);
  }

  return inSteps(function* ({ player, requestId, reason, timeoutMs }): Steps<DisconnectResult> {
    const deadline = clock.monotonic() + timeoutMs;
    const leftMs = () => deadline - clock.monotonic();

    const before = yield* settled(listConnections({ cluster, clock, player, timeoutMs }));
    const ownersMs = leftMs() - timeoutMs * LAST_LOOK_SHARE;
    const closed = yield* settled(closeAtOwners(player, before.entries, { requestId, reason }, ownersMs));
    const ids = before.entries.map((entry) => entry.connectionId);
    const unproven = new Set(ids.filter((id) => !closed.has(id)));
    const orphans = new Set<string>();
    if (unproven.size > 0) {
      // An owner unlists a connection before it answers: what the same era no longer lists has ended, and only the
      // answer was lost.
      const owners = [...idsByOwner(before.entries.filter(({ connectionId: id }) => unproven.has(id))).keys()];
      const lookAgain = () => listConnections({ cluster, clock, player, owners, timeoutMs: leftMs() });
      const after = yield* settled(orElse<Listing | undefined>(lookAgain, () => undefined));
      const ended = new Set(after?.era === before.era ? after.endedOwners : []);
      if (after?.era === before.era) {
        const listed = new Set(after.entries.map((entry) => entry.connectionId));
        for (const id of unproven) if (!listed.has(id)) unproven.delete(id);
      }
      // An owner that has died meanwhile has ended its connections without closing them: they are neither, also when
      // another node has removed them from the directory since.
      for (const { node, connectionId: id } of before.entries) {
        if (closed.has(id) || !(ended.has(node) || cluster.isProvenDead(node))) continue;
        unproven.delete(id);
        orphans.add(id);
      }
    }
    const isEnded = (id: string) => !unproven.has(id) && !orphans.has(id);
    return { successes: ids.filter(isEnded), failures: [...unproven] };
  });
}

/** Node → the ids of the connections that it owns. */
export function idsByOwner(entries: readonly DirectoryEntry[]): Map<string, string[]> {
  const byOwner = new Map<string, string[]>();
  for (const { node, connectionId } of entries) {
    const ids = byOwner.get(node);
    if (ids === undefined) byOwner.set(node, [connectionId]);
    else ids.push(connectionId);
  }
  return byOwner;
}

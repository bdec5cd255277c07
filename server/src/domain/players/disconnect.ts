import type { Clock } from '../../clock.ts';
import type { Cluster, DirectoryEntry, Listing } from '../../cluster/cluster.ts';
import type { DisconnectOrder, EndProof, ProvenEnd } from '../../disconnect-order.ts';
import type { Log } from '../../log.ts';
import { all, andThen, inSteps, type MaybePromise, orElse, type Steps, settled } from '../../maybe-promise.ts';
import type { PlayerKey } from '../../player-key.ts';
import { listConnections } from './directory-look-up.ts';

/** The share of a disconnect's time kept back for the last look at the directory. */
const LAST_LOOK_SHARE = 0.1;

export interface DisconnectResult {
  /** Ids of connections that have ended: no message passes them any more, and the directory no longer lists them. */
  readonly successes: readonly string[];
  /** Ids of connections that are still listed, and whose end nothing proves: ask again. */
  readonly failures: readonly string[];
  /** What became of each connection, if asked for: those of both lists, and those of which a third thing is true. */
  readonly connections?: readonly ConnectionOutcome[] | undefined;
}

/**
 * How the end of a connection is known, by its owner or otherwise. `not_listed`: the directory no longer lists the
 * connection, in the era in which the call began, or never did for this player. `owner_dead`: its node is proven dead.
 */
type OutcomeProof = EndProof | 'not_listed' | 'owner_dead';

/** What became of one connection. */
export interface ConnectionOutcome {
  readonly connectionId: string;
  /**
   * `closed` and `unproven` are what a success and a failure are. `gone_already`: it had ended before its owner was asked; a
   * success, unless the directory had no entry of it or its node has died. `would_close`: it is open, and the call asked
   * only for that.
   */
  readonly outcome: 'closed' | 'gone_already' | 'unproven' | 'would_close';
  /** Missing as long as nothing proves the end, and where an owner of an earlier version does not say how it did. */
  readonly proof?: OutcomeProof | undefined;
  /** When its owner has proven the end, milliseconds since 1970 by the owner's clock. */
  readonly closedAt?: number | undefined;
  /** The incarnation that owns it, and when it was registered; missing for what the directory has no entry of. */
  readonly node?: string | undefined;
  readonly createdAt?: number | undefined;
}

/** Which of a player's connections are meant; without either list, all. */
export interface ConnectionSelection {
  readonly only?: readonly string[] | undefined;
  readonly except?: readonly string[] | undefined;
}

/**
 * Closes the selected connections of the player and says of each whether its end is proven. Throws `internal` when the
 * directory cannot say what there is to close: never an empty success. Answers within `timeoutMs` whatever the owners do.
 */
export type Disconnect = (call: {
  readonly player: PlayerKey;
  readonly order: DisconnectOrder;
  readonly timeoutMs: number;
  readonly selection?: ConnectionSelection | undefined;
  /** Whether the result has the outcome of each connection. */
  readonly isDetailed?: boolean | undefined;
  /** Whether to close nothing and only list what would be closed. The result is then a detailed one, without successes. */
  readonly isDryRun?: boolean | undefined;
  /**
   * Called once after the player's connections were listed, if there are any. Unless it returns true they stay, and are failures:
   * this shows that the reason to close them still held after each of them had registered.
   */
  readonly isStillMeant?: (() => MaybePromise<boolean>) | undefined;
  /**
   * If given, connections stay whose players have signed in at that time or later, milliseconds since 1970. The result has none of
   * those.
   */
  readonly signedInBefore?: number | undefined;
}) => MaybePromise<DisconnectResult>;

type OwnersRequest = DisconnectOrder & {
  readonly player: PlayerKey;
  readonly connectionIds: readonly string[];
  readonly isDetailed: boolean | undefined;
  readonly signedInBefore: number | undefined;
};

/** The ids that are proven closed → the proof, where the owner has given one. */
type ProvenEnds = Map<string, ProvenEnd | undefined>;

/** What the owners say of their connections. */
interface OwnersAnswers {
  readonly closed: ProvenEnds;
  /** The ids of those that stay, because of `signedInBefore`. */
  readonly kept: Set<string>;
}

/** What is known of the connections that no owner has proven closed. One that is in neither set has ended. */
interface Doubt {
  readonly unproven: ReadonlySet<string>;
  /** Those that have ended because their node has died. */
  readonly orphans: ReadonlySet<string>;
}

const NO_DOUBT: Doubt = { unproven: new Set(), orphans: new Set() };

export function createDisconnect({ cluster, clock, log }: { cluster: Cluster; clock: Clock; log: Log }): Disconnect {
  /** Adds what the owner says. */
  const askOwner = inSteps(function* (
    node: string,
    request: OwnersRequest,
    timeoutMs: number,
    { closed, kept }: OwnersAnswers,
  ): Steps<void> {
    try {
      const reply = yield* settled(cluster.request(node, 'disconnect', request, timeoutMs));
      for (const id of reply.closedIds) closed.set(id, undefined);
      for (const id of reply.keptIds ?? []) kept.add(id);
      for (const end of reply.ends ?? []) if (closed.has(end.connectionId)) closed.set(end.connectionId, end);
    } catch (error) {
      const { requestId } = request;
      log.warn({ err: error, node, requestId }, 'a node did not prove that it closed its connections to a player');
    }
  });

  /** What becomes of `entries`, as their owners say. */
  function closeAtOwners(
    player: PlayerKey,
    entries: readonly DirectoryEntry[],
    {
      order: { requestId, reason, close, farewell },
      isDetailed,
      signedInBefore,
    }: Pick<OwnersRequest, 'isDetailed' | 'signedInBefore'> & { order: DisconnectOrder },
    timeoutMs: number,
  ): MaybePromise<OwnersAnswers> {
    const answers: OwnersAnswers = { closed: new Map(), kept: new Set() };
    const request = { player, requestId, reason, close, farewell, isDetailed, signedInBefore };
    const asked = [...idsByOwner(entries)].map(([node, connectionIds]) =>
      askOwner(node, { ...request, connectionIds }, timeoutMs, answers),
    );
    return andThen(all(asked), () => answers);
  }

  /** Has the directory say once more what it knows of connections whose owners did not prove them closed. */
  function* lookAgain(
    entries: readonly DirectoryEntry[],
    { player, era, timeoutMs }: { player: PlayerKey; era: string; timeoutMs: number },
  ): Steps<Doubt> {
    const unproven = new Set(entries.map(({ connectionId }) => connectionId));
    const orphans = new Set<string>();
    const owners = [...idsByOwner(entries).keys()];
    const look = () => listConnections({ cluster, clock, player, owners, timeoutMs });
    const after = yield* settled(orElse<Listing | undefined>(look, () => undefined));
    // An owner unlists a connection before it answers: what the same era no longer lists has ended, and only the answer
    // was lost. Another era says nothing of these connections.
    const sameEra = after?.era === era ? after : undefined;
    if (sameEra !== undefined) {
      const listed = new Set(sameEra.entries.map((entry) => entry.connectionId));
      for (const id of unproven) if (!listed.has(id)) unproven.delete(id);
    }
    // An owner that has died meanwhile has ended its connections without closing them: they are neither closed nor unproven,
    // even when another node has removed them from the directory since.
    const deadOwners = new Set(sameEra?.endedOwners);
    for (const { node, connectionId: id } of entries) {
      if (!deadOwners.has(node) && !cluster.isProvenDead(node)) continue;
      unproven.delete(id);
      orphans.add(id);
    }
    return { unproven, orphans };
  }

  return inSteps(function* (call): Steps<DisconnectResult> {
    const { player, order, timeoutMs, selection, isDetailed, isStillMeant, signedInBefore } = call;
    const deadline = clock.monotonic() + timeoutMs;
    const leftMs = () => deadline - clock.monotonic();

    const before = yield* settled(listConnections({ cluster, clock, player, timeoutMs }));
    let entries = selection === undefined ? before.entries : before.entries.filter(isIn(selection));
    if (entries.length > 0 && isStillMeant !== undefined && !(yield* settled(isStillMeant()))) {
      const failures = entries.map((entry) => entry.connectionId);
      if (!isDetailed) return { successes: [], failures };
      return { successes: [], failures, connections: outcomesOf({ entries, selection }, () => UNPROVEN) };
    }
    if (call.isDryRun) {
      return { successes: [], failures: [], connections: outcomesOf({ entries, selection }, () => WOULD_CLOSE) };
    }
    const ownersMs = leftMs() - timeoutMs * LAST_LOOK_SHARE;
    const asked = { order, isDetailed, signedInBefore };
    const { closed, kept } = yield* settled(closeAtOwners(player, entries, asked, ownersMs));
    if (kept.size > 0) entries = entries.filter(({ connectionId: id }) => !kept.has(id));
    const ids = entries.map((entry) => entry.connectionId);
    const doubtful = entries.filter(({ connectionId: id }) => !closed.has(id));
    const { unproven, orphans } =
      doubtful.length === 0 ? NO_DOUBT : yield* lookAgain(doubtful, { player, era: before.era, timeoutMs: leftMs() });
    const isEnded = (id: string) => !unproven.has(id) && !orphans.has(id);
    const result = { successes: ids.filter(isEnded), failures: [...unproven] };
    if (!isDetailed) return result;
    const connections = outcomesOf({ entries, selection }, (id) => outcomeOf(id, { closed, unproven, orphans }));
    return { ...result, connections };
  });
}

type WhatBecame = Pick<ConnectionOutcome, 'outcome' | 'proof' | 'closedAt'>;

const WOULD_CLOSE: WhatBecame = { outcome: 'would_close' };
const UNPROVEN: WhatBecame = { outcome: 'unproven' };

function isIn({ only, except = [] }: ConnectionSelection): (entry: DirectoryEntry) => boolean {
  const chosen = only && new Set(only);
  const left = new Set(except);
  return ({ connectionId: id }) => chosen?.has(id) !== false && !left.has(id);
}

/** One outcome for each entry, oldest first, then one for each connection that was named and that the player does not have. */
function outcomesOf(
  { entries, selection }: { entries: readonly DirectoryEntry[]; selection: ConnectionSelection | undefined },
  whatBecame: (connectionId: string) => WhatBecame,
): ConnectionOutcome[] {
  const listed = new Set(entries.map(({ connectionId }) => connectionId));
  const absent = [...new Set(selection?.only)].filter((id) => !listed.has(id));
  return [
    ...[...entries]
      .sort((one, other) => one.createdAt - other.createdAt)
      .map(({ connectionId, node, createdAt }) => ({ connectionId, ...whatBecame(connectionId), node, createdAt })),
    ...absent.map((connectionId) => ({ connectionId, outcome: 'gone_already', proof: 'not_listed' }) as const),
  ];
}

function outcomeOf(id: string, { closed, unproven, orphans }: Doubt & { readonly closed: ProvenEnds }): WhatBecame {
  if (unproven.has(id)) return UNPROVEN;
  if (orphans.has(id)) return { outcome: 'gone_already', proof: 'owner_dead' };
  if (!closed.has(id)) return { outcome: 'closed', proof: 'not_listed' };
  const end = closed.get(id);
  const outcome = end?.proof === 'already_ended' ? 'gone_already' : 'closed';
  return { outcome, proof: end?.proof, closedAt: end?.at };
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

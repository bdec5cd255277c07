import { type Clock, withTimeout } from '../clock.ts';
import type { Cluster, DirectoryEntry, Listing, PlayerKey } from '../cluster/cluster.ts';
import { ServiceError } from '../errors.ts';
import type { Log } from '../log.ts';
import { type RandomBytes, randomAlphanumeric } from '../random.ts';
import type { StageRecord, Store } from '../store/store.ts';
import type { PlayerTokens } from './player-tokens.ts';

/** The runtime of a stage to which nothing has been deployed: it has no handlers of its own. */
const EMPTY_RUNTIME_ID = 'empty';

/** 27 letters and digits hold 160 random bits: nobody guesses a guest. */
const GUEST_ID_LENGTH = 27;

/** The share of a disconnect's deadline kept back for the last look at the directory. */
const LAST_LOOK_SHARE = 0.1;

/** A player who may connect, and where. */
export interface Admission {
  readonly isAdmitted: true;
  readonly player: PlayerKey;
  readonly runtimeId: string;
}

export interface Refusal {
  readonly isAdmitted: false;
  readonly reason: 'unknown_game_key' | 'token_refused' | 'stage_deleted';
}

interface NamedPlayer {
  readonly gameName: string;
  readonly stageName: string;
  readonly playerId: string;
}

export interface Players {
  /** Says who a hello is from: the token's player, or a new guest when there is none. Nothing is stored for a guest. */
  admit(hello: { gameKey: string; token?: string | undefined }): Promise<Admission | Refusal>;

  /** A token for a later hello of this player. */
  issueToken(player: PlayerKey): Promise<string>;

  /** The player's connections on every node, oldest first. Throws `not_found`, or `internal` when the directory is away. */
  connections(player: NamedPlayer): Promise<readonly DirectoryEntry[]>;

  /**
   * Closes every connection of the player and says of each whether its end is proven. Throws `not_found` for a stage that
   * is unknown or being deleted, and `internal` when the directory cannot say what there is to close: never an empty
   * success. Answers within `disconnectDeadlineMs` whatever the owners do.
   */
  disconnect(player: NamedPlayer & { requestId: string }): Promise<{
    /** Their owner neither takes nor sends a message on them any more, and the directory no longer lists them. */
    readonly successes: readonly string[];
    /** Still listed, and nothing proves their end: ask again. */
    readonly failures: readonly string[];
  }>;
}

export function createPlayers({
  store,
  cluster,
  tokens,
  clock,
  random,
  log,
  settings,
}: {
  store: { readonly stages: Pick<Store['stages'], 'find' | 'findByGameKey'> };
  cluster: Cluster;
  tokens: PlayerTokens;
  clock: Clock;
  random: RandomBytes;
  log: Log;
  settings: { readonly disconnectDeadlineMs: number };
}): Players {
  /** What the store or the directory answers in time; their silence and their faults are ours, and may pass. */
  async function answerOf<T>(source: string, answer: Promise<T>, timeoutMs: number): Promise<T> {
    try {
      return await withTimeout(answer, timeoutMs, clock);
    } catch (error) {
      throw new ServiceError('internal', `The ${source} is not available. Try again.`, { cause: error });
    }
  }

  async function getKey({ gameName, stageName, playerId }: NamedPlayer, timeoutMs: number): Promise<PlayerKey> {
    const stage = await answerOf('store', store.stages.find(gameName, stageName), timeoutMs);
    if (stage === undefined || isBeingDeleted(stage)) {
      throw new ServiceError('not_found', `Stage ${stageName} of game ${gameName} does not exist.`);
    }
    return { stageId: stage.id, playerId };
  }

  function list(key: PlayerKey, timeoutMs: number): Promise<Listing> {
    return answerOf('directory of connections', cluster.list(key), timeoutMs);
  }

  /** The ids among `entries` that their owners proved closed. */
  async function closeAtOwners(
    player: PlayerKey,
    entries: readonly DirectoryEntry[],
    requestId: string,
    timeoutMs: number,
  ): Promise<Set<string>> {
    const closed = new Set<string>();
    const askOwner = async (node: string, connectionIds: readonly string[]) => {
      try {
        const request = { kind: 'disconnect', player, connectionIds, requestId } as const;
        const reply = await cluster.request(node, request, timeoutMs);
        for (const id of reply.closedIds) closed.add(id);
      } catch (error) {
        log.warn({ err: error, node, requestId }, 'a node did not prove that it closed its connections of a player');
      }
    };
    await Promise.all([...idsByOwner(entries)].map(([node, ids]) => askOwner(node, ids)));
    return closed;
  }

  return {
    async admit({ gameKey, token }) {
      const stage = await store.stages.findByGameKey(gameKey);
      if (stage === undefined) return { isAdmitted: false, reason: 'unknown_game_key' };
      if (isBeingDeleted(stage)) return { isAdmitted: false, reason: 'stage_deleted' };
      const playerId =
        token === undefined ? randomAlphanumeric(random, GUEST_ID_LENGTH) : await tokens.verify(stage.id, token);
      if (playerId === undefined) return { isAdmitted: false, reason: 'token_refused' };
      return { isAdmitted: true, player: { stageId: stage.id, playerId }, runtimeId: EMPTY_RUNTIME_ID };
    },

    issueToken: (player) => tokens.issue(player.stageId, player.playerId),

    async connections(player) {
      const key = await getKey(player, settings.disconnectDeadlineMs);
      const listing = await list(key, settings.disconnectDeadlineMs);
      return [...listing.entries].sort((a, b) => a.createdAt - b.createdAt);
    },

    async disconnect({ requestId, ...player }) {
      const deadline = clock.monotonic() + settings.disconnectDeadlineMs;
      const lastLookMs = settings.disconnectDeadlineMs * LAST_LOOK_SHARE;
      const leftMs = () => deadline - clock.monotonic();

      const key = await getKey(player, leftMs());
      const before = await list(key, leftMs());
      const closed = await closeAtOwners(key, before.entries, requestId, leftMs() - lastLookMs);
      const ids = before.entries.map((entry) => entry.connectionId);
      const unproven = new Set(ids.filter((id) => !closed.has(id)));
      if (unproven.size > 0) {
        // An owner unlists before it answers: what the same era no longer lists has ended, only its answer was lost.
        const after = await list(key, leftMs()).catch(() => undefined);
        if (after?.era === before.era) {
          const listed = new Set(after.entries.map((entry) => entry.connectionId));
          for (const id of unproven) if (!listed.has(id)) unproven.delete(id);
        }
      }
      return { successes: ids.filter((id) => !unproven.has(id)), failures: [...unproven] };
    },
  };
}

function isBeingDeleted(stage: StageRecord): boolean {
  return stage.state === 'DELETING' || stage.gameState === 'DELETING';
}

function idsByOwner(entries: readonly DirectoryEntry[]): Map<string, string[]> {
  const byOwner = new Map<string, string[]>();
  for (const { node, connectionId } of entries) {
    const ids = byOwner.get(node);
    if (ids === undefined) byOwner.set(node, [connectionId]);
    else ids.push(connectionId);
  }
  return byOwner;
}

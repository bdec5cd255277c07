import type { Clock } from '../../clock.ts';
import type { Cluster, DirectoryEntry } from '../../cluster/cluster.ts';
import { ServiceError } from '../../errors.ts';
import type { RehearsedEnd } from '../../rehearsal-order.ts';
import type { Audit, Change } from '../audit/audit.ts';
import { orUnavailable } from '../or-unavailable.ts';
import { getActiveStageInTime, type Stage, type StagesByName } from '../stages.ts';
import { listConnections } from './directory-look-up.ts';

/** A stage that has this tag, with this value, refuses all rehearsals. */
export const REHEARSAL_TAG = 'respark:rehearsal';
const REFUSED = 'refused';

/** What a rehearsed drain tells the client to wait. */
const RETRY_AFTER_MS = 3_000;
/** Another caller waits so long after the last end, and whatever the client is given for it. */
const PAUSE_MS = 10_000;
const MAX_RUNNING = 1_000;
/** So that the rehearsals of one game leave places for those of others. */
const MAX_RUNNING_OF_GAME = 100;

/** An end that has been played to a client. Times are milliseconds since 1970, by the clock of the node that played it. */
export interface PlayedEnd {
  readonly connectionId: string;
  readonly node: string;
  readonly at: number;
  /** The code of the close frame; undefined where there was none. */
  readonly code: number | undefined;
  /** What the close frame asks the client to wait, and until when it says that the player is kept out. */
  readonly retryAfterMs: number | undefined;
  readonly until: number | undefined;
  /** How long the client hears nothing, if that is the rehearsal. */
  readonly silentForMs: number | undefined;
  readonly heartbeatMs: number;
}

export interface Rehearsals {
  /**
   * Ends the player's only connection as an accident would, on record; nothing else changes: the player may come back at
   * once. Throws `not_found` for a stage that is unknown or being deleted, `conflict` for a stage that refuses rehearsals,
   * for a player who has not exactly one connection and while another caller rehearses with this player, and `internal`
   * when the connection's node does not answer, although it may have ended it.
   */
  play(
    player: { readonly gameName: string; readonly stageName: string; readonly playerId: string },
    asked: { readonly end: RehearsedEnd; readonly windowMs: number },
    change: Change,
  ): Promise<PlayedEnd>;
}

export function createRehearsals({
  store,
  audit,
  cluster,
  clock,
  settings: { disconnectDeadlineMs: timeoutMs, heartbeatMs },
}: {
  store: StagesByName;
  audit: Audit;
  cluster: Cluster;
  clock: Clock;
  settings: { readonly disconnectDeadlineMs: number; readonly heartbeatMs: number };
}): Rehearsals {
  /** Stage id and player id → who rehearses, and until when (monotonic) nobody else may. */
  const running = new Map<string, { readonly gameId: string; readonly actor: string; readonly until: number }>();

  function take(key: string, { gameId, actor, forMs }: { gameId: string; actor: string; forMs: number }): void {
    const now = clock.monotonic();
    for (const [other, { until }] of running) if (until <= now) running.delete(other);
    const current = running.get(key);
    if (current !== undefined && current.actor !== actor) {
      const seconds = Math.ceil((current.until - now) / 1_000);
      throw new ServiceError('conflict', `somebody else rehearses with this player: try again in ${seconds} s`);
    }
    const ofGame = [...running.values()].filter((rehearsal) => rehearsal.gameId === gameId).length;
    if (current === undefined && (running.size >= MAX_RUNNING || ofGame >= MAX_RUNNING_OF_GAME)) {
      const inGame = ofGame >= MAX_RUNNING_OF_GAME ? `${ofGame} players of the game` : `${running.size} players`;
      throw new ServiceError('conflict', `${inGame} are in rehearsals, as many as may be: try again later`);
    }
    running.set(key, { gameId, actor, until: now + forMs });
  }

  async function getOnly(stage: Stage, playerId: string): Promise<DirectoryEntry> {
    const player = { stageId: stage.id, playerId };
    const { entries } = await listConnections({ cluster, clock, player, timeoutMs });
    const [only] = entries;
    if (only !== undefined && entries.length === 1) return only;
    const found = entries.length === 0 ? 'is not connected' : `has ${entries.length} connections`;
    throw new ServiceError('conflict', `player "${playerId}" ${found}: a rehearsal needs a client with one connection`);
  }

  return {
    async play({ gameName, stageName, playerId }, { end, windowMs }, change) {
      const details = { ...change.details, end };
      return await audit.around({ playerId, ...change, details }, async () => {
        const stage = await getActiveStageInTime({ store, timeoutMs, clock }, { gameName, stageName });
        if (stage.tags[REHEARSAL_TAG] === REFUSED) {
          const why = `stage "${stageName}" refuses rehearsals: its tag ${REHEARSAL_TAG} is "${REFUSED}"`;
          throw new ServiceError('conflict', why);
        }
        const { connectionId, node } = await getOnly(stage, playerId);
        // A client notices silence after two periods of the heartbeat; then it has the rest of the time to come back.
        const silentForMs = end === 'silent_network' ? 2 * heartbeatMs + windowMs : 0;
        const forMs = PAUSE_MS + silentForMs + windowMs;
        take(`${stage.id}/${playerId}`, { gameId: stage.gameId, actor: change.actor, forMs });
        const retryAfterMs = end === 'draining' ? RETRY_AFTER_MS : undefined;
        const until = end === 'blocked' ? clock.now() + windowMs : undefined;
        const request = { connectionId, end, requestId: change.requestId, silentForMs, retryAfterMs, until };
        const ask = () => cluster.request(node, 'rehearse', request, timeoutMs);
        const source = `node ${node}, which may have ended the connection all the same,`;
        const { isPlayed, at = clock.now(), code } = await orUnavailable(source, ask, timeoutMs, clock);
        if (!isPlayed) {
          throw new ServiceError('conflict', `connection ${connectionId} ended by itself in that moment: try again`);
        }
        const silence = silentForMs === 0 ? undefined : silentForMs;
        return { connectionId, node, at, code, retryAfterMs, until, silentForMs: silence, heartbeatMs };
      });
    },
  };
}

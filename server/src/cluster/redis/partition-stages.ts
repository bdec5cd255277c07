import type { Clock } from '../../clock.ts';
import { createSettledTime } from '../../settled-time.ts';
import { type DirectoryEntry, DirectoryUnavailable, type StageCounts, type StagePage } from '../cluster.ts';
import type { OpenSession } from './kept-session.ts';
import { type PartitionKeys, playerName } from './keys.ts';
import type { Observation } from './observation.ts';
import type { Joined } from './partition-parts.ts';
import * as scripts from './scripts.ts';
import { decodeEntry, pairsOf } from './values.ts';

/** How many players' entries are read in one step, which holds everything else up. */
const PLAYERS_AT_ONCE = 100;

/**
 * How long an announcement about a stage is remembered: far longer than a handshake can take that looked the stage up before,
 * and than the clocks of nodes differ.
 */
const ANNOUNCEMENT_MEMORY_MS = 30 * 60_000;

interface PartitionStagesParts {
  readonly keys: PartitionKeys;
  readonly clock: Pick<Clock, 'now' | 'monotonic'>;
  /** The connection. Throws `DirectoryUnavailable` when there is none. */
  readonly getJoined: () => Joined;
  /** The same, in an era that has recovered. Throws `DirectoryUnavailable` when there is none. */
  readonly getRecovered: () => Joined;
  readonly observation: Pick<Observation, 'isDead'>;
  /** Gives the connection up, and returns the error to throw. */
  readonly refused: (session: OpenSession, status: string) => DirectoryUnavailable;
}

/** What one partition lists of a stage, and is told of it. */
export class PartitionStages {
  readonly #parts: PartitionStagesParts;
  /** The time by which the directory may forget announcements: a clock may be ahead for a while. */
  readonly #settledTime: () => number;

  constructor(parts: PartitionStagesParts) {
    this.#parts = parts;
    this.#settledTime = createSettledTime(parts.clock, ANNOUNCEMENT_MEMORY_MS);
  }

  /** `news` is the newest runtime of the stage, or that it is closed. */
  async announce(stageId: string, news: string): Promise<void> {
    const { session, era, keys } = this.#parts.getJoined();
    const names = [this.#parts.keys.era, keys.stages, keys.announced];
    const forgottenAt = this.#parts.clock.now() + ANNOUNCEMENT_MEMORY_MS;
    const times = [String(forgottenAt), String(Math.max(0, this.#settledTime()))];
    const [status] = await session.run(scripts.ANNOUNCE, names, [era, stageId, news, ...times]);
    if (status !== 'ok') throw this.#parts.refused(session, status);
  }

  /** The ids of the first players of the page that are in this partition. */
  async players(stageId: string, page: StagePage): Promise<readonly string[]> {
    const { session, era, keys } = this.#parts.getRecovered();
    const names = [this.#parts.keys.era, keys.touch, keys.stage(stageId), keys.nodes, keys.listers];
    const texts = [era, ...rangeOf(page), String(page.limit)];
    const [status, ...ids] = await session.run(scripts.STAGE_PLAYERS, names, texts);
    if (status !== 'ok') throw this.#unavailable(session, status);
    return ids;
  }

  /** The entries of these players of the stage, without those of owners proven dead, by player id. */
  async entries(stageId: string, playerIds: readonly string[]): Promise<Map<string, readonly DirectoryEntry[]>> {
    const found = new Map<string, readonly DirectoryEntry[]>();
    for (let from = 0; from < playerIds.length; from += PLAYERS_AT_ONCE) {
      const some = playerIds.slice(from, from + PLAYERS_AT_ONCE);
      const { session, era, keys } = this.#parts.getRecovered();
      const players = some.map((playerId) => keys.player(playerName({ stageId, playerId })));
      const names = [this.#parts.keys.era, keys.touch, keys.stage(stageId), ...players];
      const [status, ...texts] = await session.run(scripts.PLAYERS_ENTRIES, names, [era, ...some]);
      if (status !== 'ok') throw this.#unavailable(session, status);
      let at = 0;
      for (const playerId of some) {
        const end = at + 1 + 2 * Number(texts[at]);
        const entries = pairsOf(texts.slice(at + 1, end)).map(([id, value]) => decodeEntry(id, value));
        found.set(
          playerId,
          entries.filter(({ node }) => !this.#parts.observation.isDead(node)),
        );
        at = end;
      }
    }
    return found;
  }

  async counts(stageId: string): Promise<StageCounts> {
    const { session, era, keys } = this.#parts.getRecovered();
    const ofStage = [keys.stage(stageId), keys.counts(stageId)];
    const names = [this.#parts.keys.era, keys.touch, ...ofStage, keys.nodes, keys.listers, keys.links];
    const [status, players, ...texts] = await session.run(scripts.STAGE_COUNTS, names, [era]);
    if (status !== 'ok') throw this.#unavailable(session, status);
    const groups = pairsOf(texts).map(([field, connections]) => {
      const [node = '', runtimeId = ''] = field.split('|');
      return { node, runtimeId, connections: Number(connections) };
    });
    return { players: Number(players), groups: groups.filter(({ node }) => !this.#parts.observation.isDead(node)) };
  }

  #unavailable(session: OpenSession, status: string): DirectoryUnavailable {
    if (status !== 'unlisted') return this.#parts.refused(session, status);
    return new DirectoryUnavailable('a node of an earlier version keeps no list of its players: upgrade it first');
  }
}

/** The ends of the range of ids, as Redis has them. */
function rangeOf({ from = '', prefix = '' }: StagePage): [start: string, end: string] {
  const start = from > prefix ? from : prefix;
  // No character of an id comes behind a tilde.
  return [start === '' ? '-' : `[${start}`, prefix === '' ? '+' : `(${prefix}~`];
}

import type { PlayerKey } from '../../player-key.ts';
import type { Entries, Leaving } from './entries.ts';
import type { OpenSession } from './kept-session.ts';
import { type PartitionKeys, playerName } from './keys.ts';
import type { Joined } from './partition-parts.ts';
import { UNREGISTER } from './scripts.ts';

interface DeparturesParts {
  readonly node: string;
  readonly keys: PartitionKeys;
  readonly entries: Entries;
  readonly findJoined: () => Joined | undefined;
  readonly refused: (session: OpenSession, status: string) => unknown;
}

/** Removes entries of one incarnation from one partition of the directory. */
export class Departures {
  readonly #parts: DeparturesParts;
  /** Removals that are sent at the end of the turn. */
  #unsent: Leaving[] = [];

  constructor(parts: DeparturesParts) {
    this.#parts = parts;
  }

  /**
   * Resolves when the directory lists these connections no longer. While it is away, their removal waits for the next
   * join.
   */
  async unregister(key: PlayerKey, ids: readonly string[], era: string): Promise<void> {
    const { entries, findJoined } = this.#parts;
    // Clients come again and again while the directory is away. Those of their connections that it was never asked to
    // list would all be kept until it is back.
    const known = findJoined() === undefined ? ids.filter((id) => entries.isKnown(id)) : ids;
    if (known.length === 0) return;
    const leavings = known.map((id) => entries.leave(key, id, era));
    // Connections of one player that go in the same turn, as in a disconnect, are removed in one step.
    if (this.#unsent.length === 0) queueMicrotask(() => this.#sendUnsent());
    this.#unsent.push(...leavings);
    await Promise.all(leavings.map(({ gone }) => gone));
  }

  /** Sends all removals that are not acknowledged yet, on a new connection. */
  sendAll(joined: Joined): void {
    this.#send(joined, this.#parts.entries.leavings());
  }

  abandon(): void {
    this.#unsent = [];
  }

  #sendUnsent(): void {
    const unsent = this.#unsent;
    this.#unsent = [];
    const joined = this.#parts.findJoined();
    if (joined !== undefined) this.#send(joined, unsent);
  }

  /** Sends one command for each player. */
  #send({ session, era, keys, link }: Joined, leavings: readonly Leaving[]): void {
    const { node, entries, refused } = this.#parts;
    const byPlayer = new Map<string, Leaving[]>();
    for (const leaving of leavings) {
      const player = playerName(leaving.key);
      // A connection that was listed only in an earlier era is not in this one.
      if (leaving.sentIn !== era) entries.left(leaving);
      else byPlayer.set(player, [...(byPlayer.get(player) ?? []), leaving]);
    }
    for (const [player, group] of byPlayer) {
      const [at, ...ofStage] = keys.entriesOf(player);
      const names = [this.#parts.keys.era, keys.links, at, keys.index(node), ...ofStage];
      const texts = [era, node, link, player, ...group.map(({ id }) => id)];
      session.run(UNREGISTER, names, texts).then(
        ([status]) => {
          if (status !== 'ok') refused(session, status);
          else for (const leaving of group) entries.left(leaving);
        },
        () => {},
      );
    }
  }
}

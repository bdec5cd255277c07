import { ServiceError } from '../../errors.ts';
import type { PlayerKey } from '../../player-key.ts';
import type { PlayerData } from '../../store/player-data/player-data.ts';
import { shown } from '../../text.ts';

/** How often a write is tried again because other keys of the player were written meanwhile. */
const MAX_ATTEMPTS = 10;

/** What one invocation has seen of a player. */
interface Seen {
  version: number;
  /** Key → the JSON text that it had; undefined for one that was not set. */
  readonly values: Map<string, string | undefined>;
  /** Whether all keys were asked for. */
  isAll: boolean;
}

/**
 * The player data of one invocation. A write after a read is made only if what the invocation has read is still so,
 * because what the script writes may rest on it; otherwise it throws `conflict`. Writes of others to other keys are no
 * conflict. A write without a read replaces what was there.
 */
export class ScriptPlayerData {
  readonly #playerData: Pick<PlayerData, 'get' | 'set'>;
  readonly #stageId: string;
  readonly #seen = new Map<string, Seen>();

  constructor({ playerData, stageId }: { playerData: Pick<PlayerData, 'get' | 'set'>; stageId: string }) {
    this.#playerData = playerData;
    this.#stageId = stageId;
  }

  /** The JSON text of an object with the keys that are set; with all that there are without `keys`. */
  async get(playerId: string, keys?: readonly string[]): Promise<string> {
    const { version, values } = await this.#playerData.get(this.#keyOf(playerId), keys);
    const seen = this.#seen.get(playerId) ?? { version, values: new Map(), isAll: false };
    this.#seen.set(playerId, seen);
    // A read that is repeated, perhaps after a conflict, counts from now on for all that it read.
    seen.version = version;
    if (keys === undefined) {
      seen.isAll = true;
      seen.values.clear();
    }
    for (const key of keys ?? values.keys()) seen.values.set(key, values.get(key));
    return `{${[...values].map(([key, text]) => `${JSON.stringify(key)}:${text}`).join(',')}}`;
  }

  /** Sets keys, and removes those whose value is null. */
  async set(playerId: string, changes: Readonly<Record<string, unknown>>): Promise<void> {
    const player = this.#keyOf(playerId);
    const texts = new Map(
      Object.entries(changes).map(([key, value]) => [key, value === null ? undefined : JSON.stringify(value)]),
    );
    const seen = this.#seen.get(playerId);
    if (seen === undefined) {
      await this.#playerData.set(player, texts);
      return;
    }
    for (let attempt = 1; ; attempt += 1) {
      try {
        seen.version = await this.#playerData.set(player, texts, seen.version);
        for (const [key, text] of texts) seen.values.set(key, text);
        return;
      } catch (error) {
        if (!isConflict(error)) throw error;
        if (attempt === MAX_ATTEMPTS || !(await this.#isStillSo(player, seen))) throw conflict(playerId, error);
      }
    }
  }

  /** Whether all that the invocation has read is as it was; if so, later writes count from the version it has now. */
  async #isStillSo(player: PlayerKey, seen: Seen): Promise<boolean> {
    const { version, values } = await this.#playerData.get(player, seen.isAll ? undefined : [...seen.values.keys()]);
    const known = [...seen.values].filter(([, text]) => text !== undefined);
    if (known.length !== values.size || known.some(([key, text]) => values.get(key) !== text)) return false;
    seen.version = version;
    return true;
  }

  #keyOf(playerId: string): PlayerKey {
    return { stageId: this.#stageId, playerId };
  }
}

function conflict(playerId: string, cause: unknown): ServiceError {
  return new ServiceError(
    'conflict',
    `another handler has changed data of player ${shown(playerId)} that this script has read: ` +
      'catch the code "conflict", read again and try again, see docs/cloud-code.md#player-data',
    { cause },
  );
}

function isConflict(error: unknown): boolean {
  return error instanceof ServiceError && error.code === 'conflict';
}

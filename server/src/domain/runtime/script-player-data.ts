import { ServiceError } from '../../errors.ts';
import type { PlayerKey } from '../../player-key.ts';
import type { PlayerData } from '../../store/player-data/player-data.ts';
import { shown } from '../../text.ts';

/**
 * How often a write is tried again because other keys of the player were written meanwhile. Each time, one of the
 * concurrent writers has succeeded, and there are fewer of them than this, because each takes a thread for scripts.
 */
const MAX_ATTEMPTS = 1_000;
/**
 * Beyond so many keys, everything that the player has is looked at before a write. That has a bound, whereas a script may
 * have asked for thousands of long keys that are not there, which a database looks for while nothing else runs.
 */
const MAX_LOOKED_FOR = 100;
/**
 * How long the keys that an invocation has asked for may be together, in characters. Those of a player's data are far shorter,
 * while a script may ask for tens of megabytes of keys that are not there.
 */
const MAX_CHARACTERS = 262_144;

/** What one invocation has seen of a player. */
interface Seen {
  /** The version in which all of it was seen; undefined when parts of it were read at different versions. */
  version: number | undefined;
  /** Key → the JSON text that it had; undefined for one that was not set. */
  readonly values: Map<string, string | undefined>;
  /** Whether all keys were asked for. */
  isAll: boolean;
  /** Whether too much was asked for to remember what. Any change of the player's data is then one of what was read. */
  isForgotten: boolean;
}

/**
 * The player data of one invocation. What a script writes may depend on what it has read, so a write after a read is
 * made only if everything that the invocation has read is unchanged, and throws `conflict` otherwise. For each key the
 * last read counts. A change of other keys by another invocation is no conflict. A write without a read replaces what
 * was there.
 *
 * A script makes one call after the other. What comes of a call that it gave up, because that took too long, does not
 * count as read.
 */
export class ScriptPlayerData {
  readonly #playerData: Pick<PlayerData, 'get' | 'set'>;
  readonly #stageId: string;
  readonly #seen = new Map<string, Seen>();
  /** How long the keys are that have been remembered, of all players. */
  #characters = 0;
  /** The number of the call that the script has made last. */
  #latest = 0;

  constructor({ playerData, stageId }: { playerData: Pick<PlayerData, 'get' | 'set'>; stageId: string }) {
    this.#playerData = playerData;
    this.#stageId = stageId;
  }

  /** The JSON text of an object with those of `keys` that are set; without `keys`, with all that are set. */
  async get(playerId: string, keys?: readonly string[]): Promise<string> {
    this.#latest += 1;
    const call = this.#latest;
    const { version, values } = await this.#playerData.get(this.#keyOf(playerId), keys);
    if (call === this.#latest) {
      const seen = this.#seen.get(playerId) ?? { version, values: new Map(), isAll: false, isForgotten: false };
      this.#seen.set(playerId, seen);
      // What was read before, and is not read again now, may have changed since.
      if (seen.version !== version) seen.version = readsAgain(seen, keys) ? version : undefined;
      if (keys === undefined) {
        seen.isAll = true;
        seen.isForgotten = false;
        seen.values.clear();
      }
      this.#remember(seen, keys ?? [...values.keys()], values);
    }
    return `{${[...values].map(([key, text]) => `${JSON.stringify(key)}:${text}`).join(',')}}`;
  }

  #remember(seen: Seen, keys: readonly string[], values: ReadonlyMap<string, string>): void {
    for (const key of keys) {
      const text = values.get(key);
      // Where all keys were asked for, those that are not there need no entry.
      if (seen.isAll && text === undefined) seen.values.delete(key);
      else if (!seen.isForgotten) {
        if (!seen.values.has(key)) this.#characters += key.length;
        seen.values.set(key, text);
        seen.isForgotten = !seen.isAll && this.#characters > MAX_CHARACTERS;
      }
    }
    if (seen.isForgotten) seen.values.clear();
  }

  /** Sets keys, and removes those whose value is null. */
  async set(playerId: string, changes: Readonly<Record<string, unknown>>): Promise<void> {
    const player = this.#keyOf(playerId);
    const texts = new Map(
      Object.entries(changes).map(([key, value]) => [key, value === null ? undefined : JSON.stringify(value)]),
    );
    const seen = this.#seen.get(playerId);
    this.#latest += 1;
    const call = this.#latest;
    if (seen === undefined) {
      await this.#playerData.set(player, texts);
      return;
    }
    let refusal: unknown;
    for (let attempt = 1; attempt <= MAX_ATTEMPTS; attempt += 1) {
      const version = seen.version ?? (await this.#versionNow(player, seen));
      // The script has made another call since, and this write does not rest on what that has read.
      if (version === undefined || call !== this.#latest) break;
      try {
        const written = await this.#playerData.set(player, texts, version);
        if (call !== this.#latest) return;
        seen.version = written;
        // A key that the script has not read may be written whatever others do to it.
        for (const [key, text] of texts) if (seen.isAll || seen.values.has(key)) seen.values.set(key, text);
        return;
      } catch (error) {
        if (!isConflict(error)) throw error;
        refusal = error;
        if (call !== this.#latest) break;
        seen.version = undefined;
      }
    }
    throw conflict(playerId, refusal);
  }

  /** The version that the player's data has now; undefined if anything that the invocation has read has changed. */
  async #versionNow(player: PlayerKey, seen: Seen): Promise<number | undefined> {
    if (seen.isForgotten) return undefined;
    const keys = seen.isAll || seen.values.size > MAX_LOOKED_FOR ? undefined : [...seen.values.keys()];
    const { version, values } = await this.#playerData.get(player, keys);
    let known = 0;
    for (const [key, text] of seen.values) {
      if (values.get(key) !== text) return undefined;
      if (text !== undefined) known += 1;
    }
    if (seen.isAll && known !== values.size) return undefined;
    return version;
  }

  #keyOf(playerId: string): PlayerKey {
    return { stageId: this.#stageId, playerId };
  }
}

/** Whether a read of these keys, or of all keys, reads again everything that was seen. */
function readsAgain({ values, isAll, isForgotten }: Seen, keys: readonly string[] | undefined): boolean {
  if (keys === undefined) return true;
  return !isAll && !isForgotten && [...values.keys()].every((key) => keys.includes(key));
}

function conflict(playerId: string, cause: unknown): ServiceError {
  return new ServiceError(
    'conflict',
    `another handler has changed data of player ${shown(playerId)} that this script has read: ` +
      'catch the code "conflict", read all of it again and try again, see docs/cloud-code.md#player-data',
    { cause },
  );
}

function isConflict(error: unknown): boolean {
  return error instanceof ServiceError && error.code === 'conflict';
}

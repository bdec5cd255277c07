import type { PlayerKey } from '../../player-key.ts';

/** How much one player, and all players of a stage, may have. */
export interface PlayerDataLimits {
  readonly maxKeysPerPlayer: number;
  /** The keys and values together, as UTF-8. */
  readonly maxBytesPerPlayer: number;
  /** The keys and values of all players of a stage together, and `BYTES_BESIDE_ENTRY` more for each key. */
  readonly maxBytesPerStage: number;
}

/**
 * What a stage is charged for each key of a player, beside the key and its value: about what a database needs to keep
 * them. Without that, a stage of tiny values would take a hundred times as much as it may.
 */
export const BYTES_BESIDE_ENTRY = 128;

/** How much a player has. */
export interface PlayerDataSize {
  readonly keys: number;
  /** The keys and values together, as UTF-8. */
  readonly bytes: number;
}

/** How many bytes a stage is charged for what one player has. */
export function chargeFor({ keys, bytes }: PlayerDataSize): number {
  return bytes + keys * BYTES_BESIDE_ENTRY;
}

export interface PlayerValues {
  /**
   * The version of everything the player has, asked for or not. It is another number after each write, and never one
   * that the player has had before, even if everything was removed in between. It is 0 while the player has nothing,
   * and only then.
   */
  readonly version: number;
  /** Key → JSON text; a key that is not set is absent. */
  readonly values: ReadonlyMap<string, string>;
}

/** Where a page begins, of the version that it was given for: so many values behind the first whose place is `from` or later. */
export interface PlayerDataPosition {
  /** At most 128 characters, or 512 bytes of UTF-8, for which a token of a list has room. */
  readonly from: string;
  readonly skip: number;
}

/** Some of what a player has. The size is that of everything. */
export interface PlayerDataPage extends PlayerDataSize {
  readonly version: number;
  /** Key → JSON text in UTF-8. */
  readonly values: ReadonlyMap<string, Uint8Array>;
  /** Where the next page begins; undefined on the last. */
  readonly next: PlayerDataPosition | undefined;
}

/**
 * What cloud code keeps about players. It is JSON text under keys, because scripts read and write some keys at a time
 * (`GetData([keys])`, `SetData({key: value})`), with one version for each player, because a decision of a script may
 * rest on several keys.
 *
 * A write is on disk when its promise resolves. Each write takes effect as a whole or not at all. The writes of one
 * player take effect one after another, those under way at the same time in any order. Reads see every write that
 * finished before, by this process or another, and never a part of one.
 *
 * Keys and values may be any text without U+0000 and lone surrogates, which databases cannot keep. Values are not
 * parsed. Every method rejects with a `ServiceError('internal')` that may be tried again when the data cannot be
 * reached.
 */
export interface PlayerData {
  /** The values of `keys`, or of all there are, as they stood together at one version. */
  get(player: PlayerKey, keys?: readonly string[]): Promise<PlayerValues>;

  /**
   * The values from `start` on, or from the first on, until a stage is charged more than `maxBytes` for them, and at least
   * one if there is one. All of it stood together at one version. A position is of no use at any other version.
   */
  page(
    player: PlayerKey,
    part: { readonly start?: PlayerDataPosition | undefined; readonly maxBytes: number },
  ): Promise<PlayerDataPage>;

  /**
   * Sets the keys in `changes`, removes those that are undefined there, leaves all others as they are, and resolves
   * with the version that this makes. Removing a key that is not set is not an error.
   *
   * With `expectedVersion` it writes only if that is still the player's version, and rejects with a
   * `ServiceError('conflict')` otherwise. Without it, the write replaces whatever was written before.
   *
   * Rejects with a `ServiceError('validation')` for text that cannot be kept, and with a
   * `ServiceError('quota_exceeded')` when it sets anything and the player would have more than the limits allow, or when
   * it sets anything, has the stage grow, and its players together would have more. What removes or shrinks always may.
   * The bound of a stage is exact for one process. Several that write at the same time may exceed it, each by what it is
   * writing at that moment.
   */
  set(player: PlayerKey, changes: ReadonlyMap<string, string | undefined>, expectedVersion?: number): Promise<number>;

  /** Removes everything the player has, and resolves with how much that was. A player without data is not an error. */
  remove(player: PlayerKey): Promise<PlayerDataSize>;

  /**
   * Removes the data of all players of the stage, some of it at a time, so that other calls get their turn. What is
   * written there meanwhile may stay. After a rejection a part is gone, and another call goes on with the rest.
   */
  removeStage(stageId: string): Promise<void>;

  /** Waits for what is under way, then releases what is open. Later calls reject. */
  close(): Promise<void>;
}

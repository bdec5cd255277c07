import type { PlayerKey } from '../../player-key.ts';

/** How much one player may have. */
export interface PlayerDataLimits {
  readonly maxKeysPerPlayer: number;
  /** The keys and values together, as UTF-8. */
  readonly maxBytesPerPlayer: number;
}

export interface PlayerValues {
  /**
   * Stands for everything the player has, asked for or not: another number after each write, and never one that the
   * player has had before, even if all was removed in between. 0 while the player has nothing, and only then.
   */
  readonly version: number;
  /** Key → JSON text; a key that is not set is absent. */
  readonly values: ReadonlyMap<string, string>;
}

/**
 * What cloud code keeps of players: JSON text under keys, because scripts read and write some keys at a time
 * (`GetData([keys])`, `SetData({key: value})`), with one version a player, because what a script decides may rest on
 * several keys.
 *
 * A promise that resolves means the write is on disk. Each write takes effect as a whole or not at all, and those of one
 * player one after another; those under way at once do so in any order. Reads see every write that finished before, by
 * this process or another, and never a part of one.
 *
 * Keys and values may be any text without U+0000 and lone surrogates, which databases cannot keep. Values are not looked
 * into. Every method rejects with a `ServiceError('internal')`, and may be tried again, when the data cannot be reached.
 */
export interface PlayerData {
  /** The values of `keys`, or of all there are, as they stood together at one version. */
  get(player: PlayerKey, keys?: readonly string[]): Promise<PlayerValues>;

  /**
   * Sets the keys in `changes`, removes those that are undefined there, leaves all others as they are, and resolves with
   * the version that this makes. Removing a key that is not set is not an error.
   *
   * With `expectedVersion` it writes only if that is still the player's version, and rejects with a
   * `ServiceError('conflict')` otherwise; without it, it writes over what others have written.
   *
   * Rejects with a `ServiceError('validation')` for text that cannot be kept, and with a
   * `ServiceError('quota_exceeded')` when it sets anything and the player would have more than the limits allow.
   */
  set(player: PlayerKey, changes: ReadonlyMap<string, string | undefined>, expectedVersion?: number): Promise<number>;

  /** Removes all that the player has. A player without data is not an error. */
  remove(player: PlayerKey): Promise<void>;

  /**
   * Removes what all players of the stage have: some at a time, so that calls in between are not held up. What is
   * written there meanwhile may stay; after a rejection some are gone, and calling it again is how to go on.
   */
  removeStage(stageId: string): Promise<void>;

  /** Waits for what is under way, then releases what is open. Later calls reject. */
  close(): Promise<void>;
}

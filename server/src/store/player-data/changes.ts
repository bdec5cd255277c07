import { ServiceError } from '../../errors.ts';
import type { PlayerDataLimits, PlayerDataPosition, PlayerDataSize, PlayerValues } from './player-data.ts';

/** What no database keeps in a text. */
export const CANNOT_BE_KEPT = /[\0\p{Surrogate}]/u;

/** What becomes of a key. */
export interface Change {
  readonly key: string;
  /** Undefined removes the key. */
  readonly value: string | undefined;
  /** The size of the key and the value, as UTF-8. */
  readonly bytes: number;
}

/** Throws a `ServiceError('validation')` for text that cannot be kept. */
export function toChange(key: string, value: string | undefined): Change {
  if (CANNOT_BE_KEPT.test(key) || (value !== undefined && CANNOT_BE_KEPT.test(value))) {
    const message =
      'keys and values of player data must have neither U+0000 nor halves of surrogate pairs: remove them';
    throw new ServiceError('validation', message);
  }
  return { key, value, bytes: value === undefined ? 0 : Buffer.byteLength(key) + Buffer.byteLength(value) };
}

export function outdated(expectedVersion: number): ServiceError {
  return new ServiceError('conflict', `the player's data is no longer at version ${expectedVersion}: read it again`);
}

/** What is read of a player's entries. */
export interface Row {
  readonly version: number;
  /** Null in the only row of a player who has none of what was asked for. */
  readonly key: string | null;
  readonly value: string | null;
}

export function toValues(rows: readonly (Row | undefined)[]): PlayerValues {
  const values = new Map<string, string>();
  for (const row of rows)
    if (row !== undefined && row.key !== null && row.value !== null) values.set(row.key, row.value);
  return { version: rows[0]?.version ?? 0, values };
}

/** The size of what a player has who has nothing. */
export const NOTHING: PlayerDataSize = { keys: 0, bytes: 0 };

/** A page may begin behind a key of any length, and its position is to be short. */
const MAX_FROM_CHARACTERS = 128;

export const FIRST: PlayerDataPosition = { from: '', skip: 0 };

/**
 * Where the next page begins behind one that began at `start` and has entries with these keys, in the order of their UTF-8.
 * Keys that begin alike stand together, so those with the beginning of the last one are counted.
 */
export function positionBehind(start: PlayerDataPosition, keys: readonly string[]): PlayerDataPosition {
  const from = [...(keys.at(-1) ?? '').slice(0, 2 * MAX_FROM_CHARACTERS)].slice(0, MAX_FROM_CHARACTERS).join('');
  const alike = keys.filter((key) => key.startsWith(from)).length;
  return { from, skip: start.from === from ? start.skip + alike : alike };
}

/** How many of these entries, and at least the first, have at most so many bytes together, with so many beside each. */
export function countFitting(entries: readonly { readonly bytes: number }[], maxBytes: number, beside: number): number {
  let sum = 0;
  const end = entries.findIndex(({ bytes }, index) => {
    sum += bytes + beside;
    return index > 0 && sum > maxBytes;
  });
  return end < 0 ? entries.length : end;
}

/** Throws a `ServiceError('quota_exceeded')` when a player would have more than the limits allow. */
export function assertWithinLimits(
  { keys, bytes }: PlayerDataSize,
  { maxKeysPerPlayer, maxBytesPerPlayer }: Omit<PlayerDataLimits, 'maxBytesPerStage'>,
): void {
  const refuse = (has: string, may: number) => {
    const message = `the player's data would have ${has}, of which a player may have ${may}: remove something first`;
    throw new ServiceError('quota_exceeded', message);
  };
  if (keys > maxKeysPerPlayer) refuse(`${keys} keys`, maxKeysPerPlayer);
  if (bytes > maxBytesPerPlayer) refuse(`${bytes} bytes`, maxBytesPerPlayer);
}

/** Throws a `ServiceError('quota_exceeded')` when a stage that is charged `total` may not grow by `growth`. */
export function assertStageMayGrow(
  total: number,
  growth: number,
  { maxBytesPerStage }: Pick<PlayerDataLimits, 'maxBytesPerStage'>,
): void {
  if (growth <= 0 || total + growth <= maxBytesPerStage) return;
  const message = `the data of all players of the stage would have ${total + growth} bytes, of which a stage may have ${maxBytesPerStage}: remove data that no player needs, or raise RESPARK_PLAYER_DATA_MAX_BYTES_PER_STAGE`;
  throw new ServiceError('quota_exceeded', message);
}

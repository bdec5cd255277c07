import { ServiceError } from '../../errors.ts';
import { BYTES_BESIDE_ENTRY, type PlayerDataLimits } from './player-data.ts';

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

/** How much a player has. */
export interface Size {
  readonly keys: number;
  /** The bytes of the keys and values as UTF-8. */
  readonly bytes: number;
}

/** How many bytes a stage is charged for what one player has. */
export function chargeFor({ keys, bytes }: Size): number {
  return bytes + keys * BYTES_BESIDE_ENTRY;
}

/** Throws a `ServiceError('quota_exceeded')` when a player would have more than the limits allow. */
export function assertWithinLimits(
  { keys, bytes }: Size,
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

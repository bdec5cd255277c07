import type { Store } from '../store/store.ts';

export interface StoredBytesSettings {
  readonly maxGameBytes: number;
  readonly maxStoredBytes: number;
}

/**
 * Why a game may not get this many more bytes of snapshots and generated code: it would have more than one game may have,
 * or the store more than all may have. Undefined when it may. To be asked in the transaction that writes them.
 */
export async function findExcess(
  store: Pick<Store, 'usage'>,
  gameId: string,
  bytes: number,
  { maxGameBytes, maxStoredBytes }: StoredBytesSettings,
): Promise<string | undefined> {
  if ((await store.usage.ofGame(gameId)) + bytes > maxGameBytes) {
    return `the snapshots and generated code of the game would have more than ${maxGameBytes} bytes, as many as this server allows: raise RESPARK_MAX_GAME_BYTES`;
  }
  if ((await store.usage.inAll()) + bytes > maxStoredBytes) {
    return `everything in the store would have more than ${maxStoredBytes} bytes, as many as this server allows: delete games, or raise RESPARK_MAX_STORED_BYTES`;
  }
  return undefined;
}

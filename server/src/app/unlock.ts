import type { DataDirectory } from '../data-directory/data-directory.ts';
import { findKeyring, type Keyring } from '../keyring.ts';
import type { Store } from '../store/store.ts';

/** Finds out which of the directory's keyrings is that of the store. */
export async function unlock({
  directory,
  store,
  isShared,
  isKeyOfSettings,
}: {
  directory: DataDirectory;
  store: Store;
  isShared: boolean;
  isKeyOfSettings: boolean;
}): Promise<Keyring> {
  const { keyring: current, nextKeyring: next } = directory;
  const keyring = await findKeyring(store, next === undefined ? [current] : [current, next]);
  // A rotation was interrupted when the database had the next key already.
  if (keyring === next && !isShared && !isKeyOfSettings) directory.adoptNextKeyring();
  return keyring;
}

import type { DataDirectory } from '../data-directory/data-directory.ts';
import { ROOT_OF_SETTINGS } from '../domain/access/root-of-settings.ts';
import { RECEIPT_KEY } from '../domain/installation.ts';
import type { RecordLocally } from '../domain/local-changes.ts';
import { type Keyring, setKeyring } from '../keyring.ts';
import { StartupError } from '../startup-error.ts';
import type { Store } from '../store/store.ts';

/** The ids of the secret keys before and after a rotation. */
export interface Rotation {
  readonly from: string;
  readonly to: string;
}

/**
 * Replaces the secret key that secrets are sealed with. No server may run meanwhile. A kill may come anywhere: the next
 * key is on disk before anything is sealed with it, everything is sealed again in one transaction, and whatever opens
 * the data directory finds out which of the two keys is that of the database. `settings` have the secret key and its
 * successor where the directory has not. Throws a `StartupError` when there is no key to change to.
 */
export async function rotateSecretKey({
  directory,
  keyring,
  store,
  record,
  settings,
}: {
  directory: Pick<DataDirectory, 'keyring' | 'nextKeyring' | 'prepareNextKeyring' | 'adoptNextKeyring'>;
  keyring: Keyring;
  store: Store;
  record: RecordLocally;
  settings: { readonly secretKey?: string | undefined; readonly nextSecretKey?: string | undefined };
}): Promise<Rotation> {
  const { secretKey, nextSecretKey } = settings;
  const isOfDirectory = secretKey === undefined;
  // Then an earlier rotation was interrupted when it had done its work.
  const isDone = keyring === directory.nextKeyring;
  const done = { from: directory.keyring.keyId, to: keyring.keyId };
  if (isDone && (!isOfDirectory || nextSecretKey === undefined)) return done;
  const next = isOfDirectory ? directory.prepareNextKeyring(nextSecretKey) : directory.nextKeyring;
  if (next === undefined) {
    throw new StartupError(
      'the secret key is set by RESPARK_SECRET_KEY: set RESPARK_NEXT_SECRET_KEY to its successor, as "openssl rand -base64 32" prints it, for this command, and RESPARK_SECRET_KEY to the same key afterwards',
    );
  }
  if (next.keyId === keyring.keyId) {
    if (isOfDirectory) directory.adoptNextKeyring();
    if (isDone) return done;
    throw new StartupError('RESPARK_NEXT_SECRET_KEY is the secret key already: set it to another one');
  }
  const details = { from: keyring.keyId, to: next.keyId };
  await record({ operation: 'RotateSecretKey', details }, async () => {
    await store.transaction((store) => sealAgain(store, keyring, next));
    if (isOfDirectory) directory.adoptNextKeyring();
  });
  return details;
}

/** Seals with `next` all that the store keeps sealed with `keyring`. */
async function sealAgain(store: Store, keyring: Keyring, next: Keyring): Promise<void> {
  function again(sealed: Uint8Array, associated: string): Uint8Array {
    const opened = keyring.open(sealed, associated);
    if (opened === undefined) throw new Error(`${associated} was not sealed with the secret key of this database`);
    return next.seal(opened, associated);
  }
  for (const { id, sealedSecret } of await store.accessKeys.list()) {
    await store.accessKeys.setSealedSecret(id, again(sealedSecret, id));
  }
  for (const { id, sealedSecret, sealedFormerSecret, updatedAt } of await store.webhooks.listAll()) {
    await store.webhooks.update(id, {
      sealedSecret: again(sealedSecret, id),
      sealedFormerSecret: sealedFormerSecret && again(sealedFormerSecret, id),
      updatedAt,
    });
  }
  for (const name of [ROOT_OF_SETTINGS, RECEIPT_KEY]) {
    const known = await store.meta.get(name);
    if (known === undefined) continue;
    const sealed = again(Buffer.from(known, 'base64'), name);
    await store.meta.set(name, Buffer.from(sealed).toString('base64'));
  }
  await setKeyring(store.meta, next);
}

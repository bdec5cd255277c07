import { ACTIONS } from '../api/every-operation.ts';
import type { Clock } from '../clock.ts';
import type { Settings } from '../config/config.ts';
import type { DataDirectory } from '../data-directory/data-directory.ts';
import { ROOT_CREDENTIALS_FILE } from '../data-directory/local-files.ts';
import { type Access, type AccessKeyPair, createAccess } from '../domain/access/access.ts';
import { createArns } from '../domain/arn.ts';
import type { RecordLocally } from '../domain/local-changes.ts';
import type { Keyring } from '../keyring.ts';
import type { RandomBytes } from '../random.ts';
import type { Store } from '../store/store.ts';

/** The root access key, as `serve` reports it. */
export interface RootKey {
  readonly accessKeyId: string;
  /** Absent when the settings contain the key. */
  readonly secretAccessKey?: string;
  /** Where commands on this machine find the key; absent when the settings contain it. */
  readonly credentialsFile?: string;
  readonly isNew: boolean;
}

export function openAccess({
  keyring,
  store,
  settings,
  record,
  clock,
  random,
}: {
  keyring: Keyring;
  store: Store;
  settings: Settings;
  record: RecordLocally;
  clock: Clock;
  random: RandomBytes;
}): Access {
  const { rootAccessKeyId, rootSecretAccessKey, maxAccessKeys } = settings;
  const rootOverride =
    rootAccessKeyId === undefined || rootSecretAccessKey === undefined
      ? undefined
      : { accessKeyId: rootAccessKeyId, secretAccessKey: rootSecretAccessKey };
  return createAccess({
    store,
    keyring,
    clock,
    random,
    rootOverride,
    maxAccessKeys,
    actions: ACTIONS,
    record,
    arns: createArns(settings),
  });
}

/** Makes sure that there is a root key, and writes it for commands on this machine unless the settings contain it. */
export async function ensureRoot(access: Access, directory: DataDirectory, settings: Settings): Promise<RootKey> {
  const root = await access.ensureRoot();
  // The operator keeps this secret elsewhere, so the server does not copy it.
  if (settings.rootAccessKeyId !== undefined) return { accessKeyId: root.accessKeyId, isNew: false };
  writeRootCredentials(directory, root);
  return { ...root, credentialsFile: directory.file(ROOT_CREDENTIALS_FILE) };
}

/** Writes the root key where commands on this machine can read it to sign: the store has its secret only sealed. */
export function writeRootCredentials(directory: DataDirectory, { accessKeyId, secretAccessKey }: AccessKeyPair): void {
  directory.writeSecretFile(ROOT_CREDENTIALS_FILE, JSON.stringify({ accessKeyId, secretAccessKey }));
}

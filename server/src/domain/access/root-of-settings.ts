import { hash } from 'node:crypto';
import type { Sealer } from '../../keyring.ts';
import type { Store } from '../../store/store.ts';
import type { Arns } from '../arn.ts';
import type { RecordLocally } from '../local-changes.ts';

/** Under this key the store remembers, sealed, which root key the settings had at the last start. */
export const ROOT_OF_SETTINGS = 'root_of_settings';

interface RootKey {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

/** Empty when the settings had no root key. A secret is known again by its digest. */
interface Remembered {
  readonly accessKeyId?: string;
  readonly digest?: string;
}

/** The returned function puts on record that the settings have another root key than at the last start. */
export function createRootNotice({
  store,
  keyring,
  record,
  arns,
  rootOverride,
}: {
  store: Pick<Store, 'meta'>;
  keyring: Sealer;
  record: RecordLocally;
  arns: Pick<Arns, 'accessKey'>;
  rootOverride?: RootKey | undefined;
}): (root: RootKey) => Promise<void> {
  const now: Remembered =
    rootOverride === undefined
      ? {}
      : { accessKeyId: rootOverride.accessKeyId, digest: hash('sha256', JSON.stringify(rootOverride), 'base64') };

  /** What the keyring cannot open counts as unknown: the next start then records the root key of its settings. */
  async function recall(): Promise<Remembered> {
    const sealed = await store.meta.get(ROOT_OF_SETTINGS);
    const opened = keyring.open(Buffer.from(sealed ?? '', 'base64'), ROOT_OF_SETTINGS);
    return opened === undefined ? {} : (JSON.parse(Buffer.from(opened).toString()) as Remembered);
  }

  return async function noticeRootOfSettings(root) {
    const before = await recall();
    if (before.accessKeyId === now.accessKeyId && before.digest === now.digest) return;
    const details = { root: nameOf(now), before: nameOf(before) };
    await record({ operation: 'ChangeRootAccessKey', resource: arns.accessKey(root.accessKeyId), details }, () => {
      const sealed = keyring.seal(Buffer.from(JSON.stringify(now)), ROOT_OF_SETTINGS);
      return store.meta.set(ROOT_OF_SETTINGS, Buffer.from(sealed).toString('base64'));
    });
  };
}

function nameOf({ accessKeyId }: Remembered): string {
  return accessKeyId === undefined ? 'of the data directory' : `${accessKeyId} of the settings`;
}

import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  randomUUID,
  sign,
} from 'node:crypto';
import type { Sealer } from '../keyring.ts';
import { StartupError } from '../startup-error.ts';
import type { MetaTable, Store } from '../store/store.ts';

/** Under this key the store has the private key of the installation, sealed. */
export const RECEIPT_KEY = 'receipt_key';
const INSTALLATION = 'installation_id';

/** A public key as RFC 8037 has it. */
export interface PublicJwk {
  readonly kty: 'OKP';
  readonly crv: 'Ed25519';
  readonly x: string;
}

/** What all servers on one store have in common: an id, and a key that receipts are signed with. */
export interface Installation {
  readonly id: string;
  /** The thumbprint of the public key, as in RFC 7638. */
  readonly keyId: string;
  readonly publicJwk: PublicJwk;
  readonly publicPem: string;
  sign(bytes: Uint8Array): Uint8Array;
}

/** The installation of a store, which is made with its first use. Throws a `StartupError` when the
 * keyring cannot open its key. */
export async function openInstallation({
  store,
  keyring,
}: {
  store: Pick<Store, 'meta' | 'transaction'>;
  keyring: Sealer;
}): Promise<Installation> {
  const { id, sealed } = (await findSealed(store.meta)) ?? (await store.transaction(({ meta }) => make(meta, keyring)));
  const opened = keyring.open(Buffer.from(sealed, 'base64'), RECEIPT_KEY);
  if (opened === undefined) {
    throw new StartupError(
      'the key of receipts is sealed with another secret key than the rest of this database, as an older respark leaves it after "respark keys rotate-secret": restore the backup from before, and replace the secret key with this version',
    );
  }
  const key = createPrivateKey({ key: Buffer.from(opened), format: 'der', type: 'pkcs8' });
  const publicKey = createPublicKey(key);
  const publicJwk = jwkOf(publicKey);
  return {
    id,
    keyId: thumbprintOf(publicJwk),
    publicJwk,
    publicPem: publicKey.export({ format: 'pem', type: 'spki' }).toString(),
    sign: (bytes) => sign(null, bytes, key),
  };
}

interface Sealed {
  readonly id: string;
  readonly sealed: string;
}

async function findSealed(meta: MetaTable): Promise<Sealed | undefined> {
  const [id, sealed] = [await meta.get(INSTALLATION), await meta.get(RECEIPT_KEY)];
  return id === undefined || sealed === undefined ? undefined : { id, sealed };
}

/** Another node may have been first. */
async function make(meta: MetaTable, keyring: Sealer): Promise<Sealed> {
  const known = await findSealed(meta);
  if (known !== undefined) return known;
  const made = { id: randomUUID(), sealed: Buffer.from(keyring.seal(makeKey(), RECEIPT_KEY)).toString('base64') };
  await meta.set(INSTALLATION, made.id);
  await meta.set(RECEIPT_KEY, made.sealed);
  return made;
}

function makeKey(): Buffer {
  return generateKeyPairSync('ed25519').privateKey.export({ format: 'der', type: 'pkcs8' });
}

export function jwkOf(publicKey: KeyObject): PublicJwk {
  const { x = '' } = publicKey.export({ format: 'jwk' });
  return { kty: 'OKP', crv: 'Ed25519', x };
}

/** RFC 7638: the members that a key must have, in the order of their names. */
export function thumbprintOf({ crv, kty, x }: PublicJwk): string {
  return createHash('sha256').update(JSON.stringify({ crv, kty, x })).digest('base64url');
}

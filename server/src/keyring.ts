import { createCipheriv, createDecipheriv, createSecretKey, hkdfSync, randomBytes } from 'node:crypto';
import { StartupError } from './startup-error.ts';
import type { MetaTable, Store } from './store/store.ts';

const KEY_BYTES = 32;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
/** The first byte of everything sealed. It names the form of the rest: nonce, ciphertext, tag. */
const VERSION = 1;

/** Authenticated encryption, bound to a text that is not itself encrypted. */
export interface Sealer {
  /** Encrypts. Only a keyring with the same secret key can `open` the result, given the same `associated` text. */
  seal(plaintext: Uint8Array, associated: string): Uint8Array;
  /** Decrypts; undefined for anything not sealed with this secret key and this `associated` text. Never throws. */
  open(sealed: Uint8Array, associated: string): Uint8Array | undefined;
}

/** Everything that is derived from the server's one secret key, which itself cannot be read from a keyring. */
export interface Keyring extends Sealer {
  /** Names the secret key without revealing anything about it; servers with the same secret key have the same id. */
  readonly keyId: string;
  /** Returns 32 bytes, which are always the same for one purpose and independent of those for any other purpose. */
  deriveKey(purpose: string): Uint8Array;
}

/** `secretKey` is 32 random bytes, not a password: it is not stretched. */
export function createKeyring(secretKey: Uint8Array): Keyring {
  if (secretKey.length !== KEY_BYTES) {
    throw new RangeError(`a secret key has ${KEY_BYTES} bytes, got ${secretKey.length}`);
  }
  const derive = (info: string) => Buffer.from(hkdfSync('sha256', secretKey, '', info, KEY_BYTES));
  const keyId = derive('respark key id').toString('hex', 0, 8);
  const sealingKey = createSecretKey(derive('respark sealing'));
  // The key id has a fixed length, so no two pairs of a key id and a text give the same bytes.
  const associate = (associated: string) => Buffer.from(`${keyId} ${associated}`);

  return {
    keyId,
    // A nonce that is used twice with one key gives both plaintexts away, so this randomness is not passed in.
    seal(plaintext, associated) {
      const nonce = randomBytes(NONCE_BYTES);
      const cipher = createCipheriv('aes-256-gcm', sealingKey, nonce, { authTagLength: TAG_BYTES });
      cipher.setAAD(associate(associated));
      const ciphertext = [cipher.update(plaintext), cipher.final()];
      return Buffer.concat([Buffer.of(VERSION), nonce, ...ciphertext, cipher.getAuthTag()]);
    },
    open(sealed, associated) {
      if (sealed.length < 1 + NONCE_BYTES + TAG_BYTES || sealed[0] !== VERSION) return undefined;
      const nonce = sealed.subarray(1, 1 + NONCE_BYTES);
      const decipher = createDecipheriv('aes-256-gcm', sealingKey, nonce, { authTagLength: TAG_BYTES });
      decipher.setAAD(associate(associated));
      decipher.setAuthTag(sealed.subarray(-TAG_BYTES));
      const plaintext = decipher.update(sealed.subarray(1 + NONCE_BYTES, -TAG_BYTES));
      try {
        return Buffer.concat([plaintext, decipher.final()]);
      } catch {
        return undefined;
      }
    },
    deriveKey: (purpose) => derive(`respark purpose ${purpose}`),
  };
}

/** Under this key the store keeps what only the keyring of its secrets can open. */
const CHECK = 'secret_key_check';

/**
 * Throws a `StartupError` when the store's secrets are sealed with another secret key, because this keyring could not
 * open them. A store counts as sealed with the first keyring that it sees.
 */
export async function verifyKeyring(store: Store, keyring: Keyring): Promise<void> {
  await findKeyring(store, [keyring]);
}

/** The first of the keyrings that opens the store's secrets. Throws as `verifyKeyring` does when there is none. */
export async function findKeyring(store: Store, keyrings: readonly [Keyring, ...Keyring[]]): Promise<Keyring> {
  return await store.transaction(async ({ meta }) => {
    const sealed = await meta.get(CHECK);
    if (sealed === undefined) {
      await setKeyring(meta, keyrings[0]);
      return keyrings[0];
    }
    const found = keyrings.find((keyring) => keyring.open(Buffer.from(sealed, 'base64'), CHECK) !== undefined);
    if (found !== undefined) return found;
    throw new StartupError(
      'the secret key is not the one that this database is sealed with: set RESPARK_SECRET_KEY to that one, or put its secret.key back; after "respark keys rotate-secret" it is the new one',
    );
  });
}

/** Makes this the keyring of the store. Whatever is sealed in it must be sealed with this keyring in one transaction. */
export async function setKeyring(meta: MetaTable, keyring: Keyring): Promise<void> {
  await meta.set(CHECK, Buffer.from(keyring.seal(Buffer.of(), CHECK)).toString('base64'));
}

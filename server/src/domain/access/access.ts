import { hash } from 'node:crypto';
import type { Clock } from '../../clock.ts';
import { ServiceError } from '../../errors.ts';
import { type Keyring, verifyKeyring } from '../../keyring.ts';
import { andThen, type MaybePromise } from '../../maybe-promise.ts';
import { type RandomBytes, randomAlphanumeric } from '../../random.ts';
import type { PageQuery } from '../../store/page-query.ts';
import type { AccessKeyRecord, AccessKeyTable, Store } from '../../store/store.ts';
import type { Arns } from '../arn.ts';
import type { RecordLocally } from '../local-changes.ts';
import { ALLOW_ALL, type ParsedPolicy, type Policy, parsePolicy } from './policy.ts';
import { createRootNotice } from './root-of-settings.ts';

/** What a caller signs with. */
export interface AccessKeyPair {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

/** A key that may sign, and the policies that say what it may do. */
export interface Credential extends AccessKeyPair {
  readonly policies: readonly Policy[];
  /** The person whose key it is, if a sign-in gave it. */
  readonly subject?: string;
}

/** A key without its secret. Times are milliseconds since 1970. */
export interface AccessKeySummary extends Omit<AccessKeyRecord, 'sealedSecret'> {
  /** One that was revoked has not expired. */
  readonly state: 'active' | 'revoked' | 'expired';
}

/**
 * The keys that may sign management requests. Every call asks the store, so a revocation elsewhere counts at once. What
 * changes a key is on record.
 */
export interface Access {
  /**
   * Undefined for a key that is unknown, revoked or expired, or a stored root key while the settings name another. A key
   * that the store remembers is answered at once.
   */
  findCredential(accessKeyId: string): MaybePromise<Credential | undefined>;
  /**
   * The root key: the one from the settings, otherwise the stored one, which is made if there is none. For a start of
   * the server: it puts on record that the settings have another root key than at the last start.
   */
  ensureRoot(): Promise<AccessKeyPair & { readonly isNew: boolean }>;
  /**
   * Makes a key; its secret is told only here. Throws `validation` for a policy that the server could not honour and
   * for a description that is too long, and `quota_exceeded`.
   */
  createKey(
    key: NewKey,
    by?: KeyMaker | Pick<KeyMaker, 'record'>,
  ): Promise<AccessKeyPair & Pick<ParsedPolicy, 'warnings'> & { readonly expiresAt?: number | undefined }>;
  /**
   * In order of id. Revoked and expired keys are listed for at least 90 days, unless there are more than a
   * thousand of those that people have signed in to get, or of the others.
   */
  listKeys(): Promise<AccessKeySummary[]>;
  /** The same by pages, for calls: there may be thousands. */
  listPageOfKeys(page: PageQuery): Promise<AccessKeySummary[]>;
  /** Undefined for a key that is unknown, or was forgotten. */
  findKey(accessKeyId: string): Promise<AccessKeySummary | undefined>;
  /** The active keys that a person has signed in to get, the newest first. */
  listKeysOf(subject: string): Promise<AccessKeySummary[]>;
  /** Throws `not_found`, and `conflict` for the root key. Revoking again changes nothing. */
  revokeKey(accessKeyId: string, by?: Pick<KeyMaker, 'record'>): Promise<void>;
  /** Replaces the stored root key; the old one is refused from then on. Throws `conflict` when the settings name the root key. */
  rotateRoot(): Promise<AccessKeyPair>;
}

/** What a key is made of, beside its id and its secret. */
export interface NewKey {
  readonly policy: string;
  readonly description: string;
  /** When it ends by itself, in milliseconds from now. */
  readonly lifetimeMs?: number | undefined;
  /** The person whose key it is, if a sign-in gave it. */
  readonly subject?: string | undefined;
}

/** The caller of the API that changes a key, in the place of a person on the server's machine. */
export interface KeyMaker {
  readonly record: RecordLocally;
  /** May refuse, on record, to have a key with this policy made. */
  mayGrant(policy: Policy): void;
  /** The key that the maker has signed with, which must still be good when the new one is made. */
  readonly accessKeyId: string;
}

export const MAX_DESCRIPTION_CHARACTERS = 250;
const SECRET_CHARACTERS = 40;
const ENDED_KEY_MEMORY_MS = 90 * 24 * 3_600_000;
/**
 * How many ended keys are remembered: calls can make and revoke them fast, and to count keys all are read. As many again are
 * remembered of those that people got by signing in, so that signing in and out pushes out no key that somebody has made.
 */
const MAX_ENDED_KEYS = 1_000;
/** Beyond this many keys in use, secrets are opened and policies parsed again. */
const MAX_CACHED_CREDENTIALS = 1_000;

interface AccessParts {
  readonly store: Store;
  readonly keyring: Keyring;
  readonly clock: Pick<Clock, 'now'>;
  readonly random: RandomBytes;
  /** The root key from the settings. While it is set, every stored root key is refused. */
  readonly rootOverride?: AccessKeyPair | undefined;
  readonly maxAccessKeys?: number;
  /** Every action that a policy may name. */
  readonly actions: readonly string[];
  readonly record: RecordLocally;
  readonly arns: Pick<Arns, 'accessKey'>;
}

export function createAccess(parts: AccessParts): Access {
  const { store, keyring, clock, rootOverride, actions, record, arns } = parts;
  const openCredential = createCredentialCache(keyring, actions);
  const rootOfSettings = rootOverride && { ...rootOverride, policies: [ALLOW_ALL] };
  const { newPair, addRoot } = createKeyMaker(parts);
  const noticeRootOfSettings = createRootNotice(parts);

  function credentialOf(key: AccessKeyRecord | undefined): Credential | undefined {
    const isRefused = key === undefined || !isLive(key, clock.now()) || (key.isRoot && rootOfSettings !== undefined);
    return isRefused ? undefined : openCredential(key);
  }

  const summaryOf = ({ sealedSecret: _, ...key }: AccessKeyRecord): AccessKeySummary => ({
    ...key,
    state: stateOf(key, clock.now()),
  });

  async function findOpenRoot(accessKeys: AccessKeyTable) {
    const root = await accessKeys.findRoot();
    if (root === undefined) return undefined;
    const { accessKeyId, secretAccessKey } = openCredential(root);
    return { accessKeyId, secretAccessKey, isNew: false };
  }

  async function makeRoot(): Promise<AccessKeyPair & { readonly isNew: boolean }> {
    const pair = newPair();
    const resource = arns.accessKey(pair.accessKeyId);
    return await record({ operation: 'CreateRootAccessKey', cause: 'server', resource }, () =>
      store.transaction(async ({ accessKeys }) => {
        const root = await findOpenRoot(accessKeys);
        if (root !== undefined) return root;
        await addRoot(accessKeys, pair);
        return { ...pair, isNew: true };
      }),
    );
  }

  return {
    findCredential(accessKeyId) {
      if (accessKeyId === rootOfSettings?.accessKeyId) return rootOfSettings;
      return andThen(store.accessKeys.find(accessKeyId), credentialOf);
    },

    async ensureRoot() {
      const override = rootOverride && { ...rootOverride, isNew: false };
      const root = override ?? (await findOpenRoot(store.accessKeys)) ?? (await makeRoot());
      await noticeRootOfSettings(root);
      return root;
    },

    listKeys: async () => (await store.accessKeys.list()).map(summaryOf),
    listPageOfKeys: async (page) => (await store.accessKeys.listPage(page)).map(summaryOf),
    listKeysOf: async (subject) => (await store.accessKeys.listLiveOf(subject, clock.now())).map(summaryOf),
    async findKey(accessKeyId) {
      const key = await store.accessKeys.find(accessKeyId);
      return key && summaryOf(key);
    },

    ...createKeyChanges(parts),
  };
}

/** What commands and calls change. */
function createKeyChanges(parts: AccessParts): Pick<Access, 'createKey' | 'revokeKey' | 'rotateRoot'> {
  const { store, keyring, clock, rootOverride, maxAccessKeys = 1_000, actions, record, arns } = parts;
  const { newPair, addKey, addRoot } = createKeyMaker(parts);

  return {
    async createKey({ policy, description, lifetimeMs, subject }, by) {
      const parsed = parsePolicy(policy, actions);
      const length = [...description].length;
      if (length > MAX_DESCRIPTION_CHARACTERS) {
        const message = `a description has at most ${MAX_DESCRIPTION_CHARACTERS} characters, got ${length}: shorten it`;
        throw new ServiceError('validation', message);
      }
      const pair = newPair();
      const resource = arns.accessKey(pair.accessKeyId);
      const expiresAt = lifetimeMs === undefined ? undefined : clock.now() + lifetimeMs;
      const expires = expiresAt === undefined ? {} : { expires: new Date(expiresAt).toISOString() };
      const details = { policySha256: hash('sha256', policy, 'hex'), description, ...expires };
      const maker = by !== undefined && 'mayGrant' in by ? by : undefined;
      await (by?.record ?? record)({ operation: 'CreateAccessKey', resource, details }, async () => {
        maker?.mayGrant(parsed);
        await store.transaction(async (store) => {
          const { accessKeys } = store;
          if (maker !== undefined && maker.accessKeyId !== rootOverride?.accessKeyId)
            await assertStillLive(accessKeys, maker.accessKeyId, clock.now());
          // The secret key may have been replaced since this process read it.
          await verifyKeyring(store, keyring);
          const count = await accessKeys.countLive(clock.now());
          if (count >= maxAccessKeys) {
            const message = `there are already ${count} access keys: revoke one first, or raise RESPARK_MAX_ACCESS_KEYS`;
            throw new ServiceError('quota_exceeded', message);
          }
          await addKey(accessKeys, pair, { description, policy, isRoot: false, expiresAt, subject });
        });
      });
      return { ...pair, warnings: parsed.warnings, ...(expiresAt !== undefined && { expiresAt }) };
    },

    async revokeKey(accessKeyId, by) {
      if (accessKeyId === rootOverride?.accessKeyId) throw rootIsSet();
      // What names no key is not repeated in a record.
      if ((await store.accessKeys.find(accessKeyId)) === undefined) {
        const message = `there is no access key ${JSON.stringify(accessKeyId)}: "respark keys list" shows those that exist`;
        throw new ServiceError('not_found', message);
      }
      const resource = arns.accessKey(accessKeyId);
      await (by?.record ?? record)({ operation: 'RevokeAccessKey', resource }, () =>
        store.transaction(async ({ accessKeys }) => {
          const key = await accessKeys.find(accessKeyId);
          if (key?.isRoot && key.revokedAt === undefined) {
            const message = `${accessKeyId} is the root access key, which can only be replaced: run "respark keys rotate-root"`;
            throw new ServiceError('conflict', message);
          }
          await accessKeys.revoke(accessKeyId, clock.now());
        }),
      );
    },

    async rotateRoot() {
      if (rootOverride !== undefined) throw rootIsSet();
      const pair = newPair();
      const before = await store.accessKeys.findRoot();
      const details = before && { replaces: before.id };
      await record({ operation: 'RotateRootAccessKey', resource: arns.accessKey(pair.accessKeyId), details }, () =>
        store.transaction(async (store) => {
          const { accessKeys } = store;
          await verifyKeyring(store, keyring);
          const root = await accessKeys.findRoot();
          if (root !== undefined) await accessKeys.revoke(root.id, clock.now());
          await addRoot(accessKeys, pair);
        }),
      );
      return pair;
    },
  };
}

type AddedKey = Pick<AccessKeyRecord, 'description' | 'policy' | 'isRoot' | 'expiresAt' | 'subject'>;

function createKeyMaker({ keyring, clock, random }: Pick<AccessParts, 'keyring' | 'clock' | 'random'>) {
  async function addKey(accessKeys: AccessKeyTable, pair: AccessKeyPair, key: AddedKey): Promise<void> {
    const sealedSecret = keyring.seal(Buffer.from(pair.secretAccessKey), pair.accessKeyId);
    const createdAt = clock.now();
    await accessKeys.insert({ ...key, id: pair.accessKeyId, sealedSecret, createdAt, revokedAt: undefined });
    for (const ofSignIns of [false, true]) {
      const oldest = (await accessKeys.findEnd(MAX_ENDED_KEYS, { by: createdAt, ofSignIns })) ?? 0;
      await accessKeys.removeEndedBefore(Math.max(oldest, createdAt - ENDED_KEY_MEMORY_MS), { ofSignIns });
    }
  }

  return {
    newPair: (): AccessKeyPair => ({
      accessKeyId: newAccessKeyId(random),
      secretAccessKey: randomAlphanumeric(random, SECRET_CHARACTERS),
    }),
    addKey,
    addRoot: (accessKeys: AccessKeyTable, pair: AccessKeyPair) =>
      addKey(accessKeys, pair, {
        ...{ description: 'root', policy: '', isRoot: true },
        ...{ expiresAt: undefined, subject: undefined },
      }),
  };
}

function rootIsSet(): ServiceError {
  return new ServiceError('conflict', 'the root access key is set by RESPARK_ROOT_ACCESS_KEY_ID: change it there');
}

/** A key that is revoked while it makes another one must not live on in that. */
async function assertStillLive(accessKeys: AccessKeyTable, accessKeyId: string, nowMs: number): Promise<void> {
  const key = await accessKeys.find(accessKeyId);
  if (key === undefined || !isLive(key, nowMs)) throw endedMeanwhile(accessKeyId);
}

/**
 * Throws `access_denied` for a key that has ended since it signed a call that has waited. One that the store does not have is
 * the root key of the settings.
 */
export async function assertNotEnded(
  accessKeys: Pick<AccessKeyTable, 'find'>,
  accessKeyId: string,
  nowMs: number,
): Promise<void> {
  const key = await accessKeys.find(accessKeyId);
  if (key !== undefined && !isLive(key, nowMs)) throw endedMeanwhile(accessKeyId);
}

/** The fault of a call whose key has ended while it waited. */
export function endedMeanwhile(accessKeyId: string): ServiceError {
  return new ServiceError('access_denied', `the access key ${accessKeyId} has been revoked or has expired meanwhile`);
}

function isLive(key: AccessKeyRecord, nowMs: number): boolean {
  return stateOf(key, nowMs) === 'active';
}

function stateOf(
  { revokedAt, expiresAt }: Pick<AccessKeyRecord, 'revokedAt' | 'expiresAt'>,
  nowMs: number,
): AccessKeySummary['state'] {
  if (revokedAt !== undefined) return 'revoked';
  return expiresAt !== undefined && expiresAt <= nowMs ? 'expired' : 'active';
}

/** 80 random bits, in letters and digits that are hard to confuse. */
function newAccessKeyId(random: RandomBytes): string {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';
  return `RSPK${Array.from(random(16), (byte) => alphabet[byte % 32]).join('')}`;
}

/** Opens the secret and parses the policy of a key only once, until one of them changes. */
function createCredentialCache(keyring: Keyring, actions: readonly string[]): (record: AccessKeyRecord) => Credential {
  const cache = new Map<string, { record: AccessKeyRecord; credential: Credential }>();
  return (record) => {
    const cached = cache.get(record.id);
    if (cached !== undefined && isSameKey(cached.record, record)) return cached.credential;
    const credential = openCredential(keyring, actions, record);
    if (cache.size >= MAX_CACHED_CREDENTIALS) cache.clear();
    cache.set(record.id, { record, credential });
    return credential;
  };
}

function isSameKey(a: AccessKeyRecord, b: AccessKeyRecord): boolean {
  if (a === b) return true;
  return a.policy === b.policy && a.isRoot === b.isRoot && Buffer.compare(a.sealedSecret, b.sealedSecret) === 0;
}

function openCredential(
  keyring: Keyring,
  actions: readonly string[],
  { id, sealedSecret, policy, isRoot, subject }: AccessKeyRecord,
): Credential {
  const secret = keyring.open(sealedSecret, id);
  if (secret === undefined)
    throw new Error(`the stored secret of access key ${id} was not sealed with this secret key`);
  return {
    accessKeyId: id,
    secretAccessKey: Buffer.from(secret).toString(),
    policies: [isRoot ? ALLOW_ALL : parseStoredPolicy(id, policy, actions)],
    ...(subject !== undefined && { subject }),
  };
}

/** A stored policy was accepted once, so its failure is ours and not the caller's. */
function parseStoredPolicy(id: string, policy: string, actions: readonly string[]): Policy {
  try {
    return parsePolicy(policy, actions);
  } catch (error) {
    throw new Error(`the stored policy of access key ${id} is no longer understood`, { cause: error });
  }
}

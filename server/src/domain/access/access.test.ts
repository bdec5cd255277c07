import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { ACTIONS } from '../../api/every-operation.ts';
import { ServiceError } from '../../errors.ts';
import { createKeyring } from '../../keyring.ts';
import { createSystemRandom } from '../../random.ts';
import type { Store } from '../../store/store.ts';
import { openTestStore, temporaryDirectory } from '../../store/test-store.ts';
import { createArns } from '../arn.ts';
import type { LocalChange, RecordLocally } from '../local-changes.ts';
import { type AccessKeyPair, createAccess } from './access.ts';
import { ALLOW_ALL } from './policy.ts';

const policy = JSON.stringify({
  Version: '2012-10-17',
  Statement: [{ Effect: 'Allow', Action: 'gamesparks:DisconnectPlayer', Resource: '*' }],
});
const arns = createArns({ region: 'us-east-1', accountId: '123456789012' });
const keyring = createKeyring(Buffer.alloc(32, 7));
const ENDLESS = { expiresAt: undefined, subject: undefined };

function accessTo(store: Store, options: { rootOverride?: AccessKeyPair; maxAccessKeys?: number; now?: number } = {}) {
  const clock = { now: () => options.now ?? 1_700_000_000_000 };
  const recorded: LocalChange[] = [];
  const record: RecordLocally = (change, rule) => {
    recorded.push(change);
    return rule();
  };
  const parts = { actions: ACTIONS, store, keyring, clock, random: createSystemRandom(), record, arns };
  return { ...createAccess({ ...parts, ...options }), recorded };
}

async function open(t: TestContext, options: Parameters<typeof accessTo>[1] = {}) {
  const store = await openTestStore(t);
  return { store, access: accessTo(store, options) };
}

function refusedWith(code: string, message: RegExp) {
  return (error: unknown) => {
    assert.ok(error instanceof ServiceError);
    assert.equal(error.code, code);
    assert.match(error.message, message);
    return true;
  };
}

test('a created key is a credential with its secret and its policy', async (t) => {
  const { access } = await open(t);
  const key = await access.createKey({ policy, description: 'moderators' });
  assert.match(key.accessKeyId, /^RSPK[A-Z2-7]{16}$/);
  assert.match(key.secretAccessKey, /^[A-Za-z0-9]{40}$/);
  const credential = await access.findCredential(key.accessKeyId);
  assert.equal(credential?.secretAccessKey, key.secretAccessKey);
  assert.equal(credential?.policies.length, 1);
  assert.notEqual(credential?.policies[0], ALLOW_ALL);
  assert.equal(await access.findCredential('RSPKUNKNOWN'), undefined);
  assert.equal(await access.findCredential(''), undefined);
});

test('a credential is opened and parsed once while its key stays the same', async (t) => {
  const { store, access } = await open(t);
  const { accessKeyId } = await access.createKey({ policy, description: '' });
  const credential = await access.findCredential(accessKeyId);
  assert.equal(await access.findCredential(accessKeyId), credential);
  await store.accessKeys.revoke(accessKeyId, 0);
  await store.accessKeys.removeEndedBefore(1, { ofSignIns: false });
  const sealedSecret = keyring.seal(Buffer.from('another'), accessKeyId);
  const record = { id: accessKeyId, description: '', sealedSecret, policy, isRoot: false, createdAt: 0 };
  await store.accessKeys.insert({ ...record, revokedAt: undefined, ...ENDLESS });
  assert.equal((await access.findCredential(accessKeyId))?.secretAccessKey, 'another');
});

test('a key that is remembered is answered without a promise, until it is revoked', async (t) => {
  const { store, access } = await open(t);
  const { accessKeyId } = await access.createKey({ policy, description: '' });
  const credential = await access.findCredential(accessKeyId);
  assert.equal(access.findCredential(accessKeyId), credential);
  await store.meta.set('fact', 'another');
  assert.equal(access.findCredential(accessKeyId), credential);
  await access.revokeKey(accessKeyId);
  assert.equal(await access.findCredential(accessKeyId), undefined);
  assert.equal(await access.findCredential(accessKeyId), undefined);

  const rootOverride = { accessKeyId: 'MYROOT', secretAccessKey: 'secret' };
  assert.deepEqual(accessTo(store, { rootOverride }).findCredential('MYROOT'), {
    ...rootOverride,
    policies: [ALLOW_ALL],
  });
});

test('secrets are nowhere in the files of the database, and not in the list', async (t) => {
  const file = join(temporaryDirectory(t), 'respark.db');
  const access = accessTo(await openTestStore(t, file));
  const secrets = [await access.ensureRoot(), await access.createKey({ policy, description: 'a key' })];
  const bytes = Buffer.concat([readFileSync(file), readFileSync(`${file}-wal`)]);
  const listed = await access.listKeys();
  for (const { accessKeyId, secretAccessKey } of secrets) {
    assert.ok(bytes.includes(accessKeyId));
    assert.ok(!bytes.includes(secretAccessKey));
    assert.ok(!bytes.includes(Buffer.from(secretAccessKey).toString('base64').slice(0, -4)));
    assert.ok(!JSON.stringify(listed).includes(secretAccessKey));
  }
  assert.deepEqual(
    listed.find(({ isRoot }) => !isRoot),
    {
      id: secrets[1]?.accessKeyId,
      description: 'a key',
      policy,
      isRoot: false,
      createdAt: 1_700_000_000_000,
      revokedAt: undefined,
      ...ENDLESS,
      state: 'active',
    },
  );
});

test('a policy that could not be honoured, or a description too long, makes no key', async (t) => {
  const { access } = await open(t);
  await assert.rejects(access.createKey({ policy: '{}', description: '' }), refusedWith('validation', /Version/));
  await assert.rejects(access.createKey({ policy: '', description: '' }), refusedWith('validation', /./));
  await assert.rejects(
    access.createKey({ policy, description: 'é'.repeat(251) }),
    refusedWith('validation', /^a description has at most 250 characters, got 251: shorten it$/),
  );
  assert.deepEqual(await access.listKeys(), []);
  await access.createKey({ policy, description: '\u{1F600}'.repeat(250) });
});

test('the number of live keys is bounded; the root key and revoked keys do not count', async (t) => {
  const { access } = await open(t, { maxAccessKeys: 2 });
  await access.ensureRoot();
  const first = await access.createKey({ policy, description: '' });
  await access.createKey({ policy, description: '' });
  const third = access.createKey({ policy, description: '' });
  await assert.rejects(
    third,
    refusedWith(
      'quota_exceeded',
      /^there are already 2 access keys: revoke one first, or raise RESPARK_MAX_ACCESS_KEYS$/,
    ),
  );
  await access.revokeKey(first.accessKeyId);
  await access.createKey({ policy, description: '' });
});

test('a revoked key is refused at the next call, and stays revoked', async (t) => {
  const { access } = await open(t);
  const { accessKeyId } = await access.createKey({ policy, description: '' });
  assert.notEqual(await access.findCredential(accessKeyId), undefined);
  await access.revokeKey(accessKeyId);
  await access.revokeKey(accessKeyId);
  assert.equal(await access.findCredential(accessKeyId), undefined);
  assert.equal((await access.listKeys())[0]?.revokedAt, 1_700_000_000_000);
  await assert.rejects(access.revokeKey('x"\n'), refusedWith('not_found', /^there is no access key "x\\"\\n": /));
});

test('what another process revokes or replaces counts at the next call', async (t) => {
  const file = join(temporaryDirectory(t), 'respark.db');
  const server = accessTo(await openTestStore(t, file));
  const command = accessTo(await openTestStore(t, file));
  const key = await command.createKey({ policy, description: '' });
  const root = await server.ensureRoot();
  assert.equal((await server.findCredential(key.accessKeyId))?.secretAccessKey, key.secretAccessKey);
  assert.notEqual(await server.findCredential(root.accessKeyId), undefined);
  await command.revokeKey(key.accessKeyId);
  const next = await command.rotateRoot();
  assert.equal(await server.findCredential(key.accessKeyId), undefined);
  assert.equal(await server.findCredential(root.accessKeyId), undefined);
  assert.equal((await server.findCredential(next.accessKeyId))?.secretAccessKey, next.secretAccessKey);
});

test('keys revoked long ago are forgotten when another is made', async (t) => {
  const store = await openTestStore(t);
  const day = 24 * 3_600_000;
  const access = accessTo(store, { now: 0 });
  const old = await access.createKey({ policy, description: 'old' });
  await access.revokeKey(old.accessKeyId);
  await accessTo(store, { now: 90 * day }).createKey({ policy, description: '' });
  assert.equal((await access.listKeys()).length, 2);
  await accessTo(store, { now: 90 * day + 1 }).createKey({ policy, description: '' });
  assert.ok((await access.listKeys()).every(({ description }) => description !== 'old'));
});

test('whoever signs in and out again and again pushes no revoked key out that was made', async (t) => {
  const { access, store } = await open(t);
  const createdAt = 1_700_000_000_000;
  const before = accessTo(store, { now: createdAt - 5_000 });
  const made = await before.createKey({ policy, description: 'made' });
  await before.revokeKey(made.accessKeyId);
  const ended = { ...ENDLESS, description: '', policy, isRoot: false, sealedSecret: Buffer.alloc(1), subject: 'ada' };
  for (let n = 0; n < 1_001; n += 1)
    await store.accessKeys.insert({ ...ended, id: `ENDED${n}`, createdAt, revokedAt: createdAt - n });
  await access.createKey({ policy, description: 'another' });
  const listed = await access.listKeys();
  assert.ok(listed.some(({ id }) => id === made.accessKeyId));
  assert.equal(listed.filter(({ subject }) => subject === 'ada').length, 1_000);
});

test('the root key is made once, even by two processes at once, and may do everything', async (t) => {
  const { access, store } = await open(t);
  const [root, same] = await Promise.all([access.ensureRoot(), accessTo(store).ensureRoot()]);
  assert.deepEqual([root.isNew, same.isNew], [true, false]);
  assert.deepEqual({ ...same, isNew: true }, root);
  assert.deepEqual((await access.findCredential(root.accessKeyId))?.policies, [ALLOW_ALL]);
  assert.equal((await access.listKeys()).length, 1);
});

test('the root key is replaced, never only revoked', async (t) => {
  const { access } = await open(t);
  const root = await access.ensureRoot();
  await assert.rejects(
    access.revokeKey(root.accessKeyId),
    refusedWith('conflict', /is the root access key, which can only be replaced: run "respark keys rotate-root"$/),
  );
  const next = await access.rotateRoot();
  assert.equal(await access.findCredential(root.accessKeyId), undefined);
  assert.equal((await access.findCredential(next.accessKeyId))?.secretAccessKey, next.secretAccessKey);
  assert.deepEqual(await access.ensureRoot(), { ...next, isNew: false });
  await access.revokeKey(root.accessKeyId);
});

test('the root key can be replaced before there is one', async (t) => {
  const { access } = await open(t);
  const root = await access.rotateRoot();
  assert.deepEqual(await access.ensureRoot(), { ...root, isNew: false });
});

test('a root key in the settings is the only one while it is there', async (t) => {
  const { access, store } = await open(t);
  const stored = await access.ensureRoot();
  const key = await access.createKey({ policy, description: '' });
  const rootOverride = { accessKeyId: 'MYROOT', secretAccessKey: 'my secret' };
  const overridden = accessTo(store, { rootOverride });
  assert.deepEqual(await overridden.ensureRoot(), { ...rootOverride, isNew: false });
  assert.deepEqual(await overridden.findCredential('MYROOT'), { ...rootOverride, policies: [ALLOW_ALL] });
  assert.equal(await overridden.findCredential(stored.accessKeyId), undefined);
  assert.notEqual(await overridden.findCredential(key.accessKeyId), undefined);
  await assert.rejects(overridden.rotateRoot(), refusedWith('conflict', /RESPARK_ROOT_ACCESS_KEY_ID/));
  assert.equal(await access.findCredential('MYROOT'), undefined);
  assert.notEqual(await access.findCredential(stored.accessKeyId), undefined);
});

test('a key whose stored secret or policy cannot be read is a fault of the server, not of the caller', async (t) => {
  const { access, store } = await open(t);
  const record = { description: '', policy, isRoot: false, createdAt: 0, revokedAt: undefined, ...ENDLESS };
  const moved = keyring.seal(Buffer.from('secret'), 'another key');
  await store.accessKeys.insert({ ...record, id: 'moved', sealedSecret: moved });
  const sealedSecret = keyring.seal(Buffer.from('secret'), 'outdated');
  await store.accessKeys.insert({ ...record, id: 'outdated', sealedSecret, policy: '{}' });
  for (const id of ['moved', 'outdated']) {
    await assert.rejects(
      async () => await access.findCredential(id),
      (error) => error instanceof Error && !(error instanceof ServiceError),
    );
  }
});

test('making, revoking and replacing a key is put on record, with the digest of its policy and never a secret', async (t) => {
  const { access } = await open(t);
  const root = await access.ensureRoot();
  await access.ensureRoot();
  const key = await access.createKey({ policy, description: 'mod' });
  await access.revokeKey(key.accessKeyId);
  const next = await access.rotateRoot();
  await assert.rejects(access.revokeKey(next.accessKeyId));
  await assert.rejects(access.revokeKey('RSPKUNKNOWN'));
  const arn = (pair: AccessKeyPair) => arns.accessKey(pair.accessKeyId);
  const policySha256 = createHash('sha256').update(policy).digest('hex');
  assert.deepEqual(access.recorded, [
    { operation: 'CreateRootAccessKey', cause: 'server', resource: arn(root) },
    { operation: 'CreateAccessKey', resource: arn(key), details: { policySha256, description: 'mod' } },
    { operation: 'RevokeAccessKey', resource: arn(key) },
    { operation: 'RotateRootAccessKey', resource: arn(next), details: { replaces: root.accessKeyId } },
    { operation: 'RevokeAccessKey', resource: arn(next) },
  ]);
  for (const { secretAccessKey } of [root, key, next]) {
    assert.ok(!JSON.stringify(access.recorded).includes(secretAccessKey));
  }
});

test('a start with another root key in its settings than the last is on record, once', async (t) => {
  const store = await openTestStore(t);
  const start = async (rootOverride?: AccessKeyPair) => {
    const access = accessTo(store, rootOverride === undefined ? {} : { rootOverride });
    const { accessKeyId } = await access.ensureRoot();
    const changes = access.recorded.filter(({ operation }) => operation === 'ChangeRootAccessKey');
    assert.ok(changes.every(({ resource }) => resource === arns.accessKey(accessKeyId)));
    return changes.map(({ details }) => details);
  };
  const one = { accessKeyId: 'ONE', secretAccessKey: 'secret of one' };
  const other = { ...one, secretAccessKey: 'another secret of one' };
  const stored = 'of the data directory';
  assert.deepEqual(await start(), []);
  assert.deepEqual(await start(one), [{ root: 'ONE of the settings', before: stored }]);
  assert.deepEqual(await start(one), []);
  assert.deepEqual(await start(other), [{ root: 'ONE of the settings', before: 'ONE of the settings' }]);
  assert.deepEqual(await start(), [{ root: stored, before: 'ONE of the settings' }]);
  assert.deepEqual(await start(), []);
});

test('a key that is revoked while it makes another one makes none, and what it may not give away is on record', async (t) => {
  const { access } = await open(t);
  const maker = await access.createKey({ policy, description: '' });
  const tried: string[] = [];
  const by = (mayGrant: () => void) => ({
    accessKeyId: maker.accessKeyId,
    mayGrant,
    record: async <T>({ operation }: LocalChange, rule: () => Promise<T>) => {
      tried.push(operation);
      return await rule();
    },
  });
  const refusal = new ServiceError('access_denied', 'too much');
  const refuse = () => {
    throw refusal;
  };
  await assert.rejects(access.createKey({ policy, description: '' }, by(refuse)), refusal);
  await access.createKey(
    { policy, description: '' },
    by(() => {}),
  );
  await access.revokeKey(maker.accessKeyId);
  await assert.rejects(
    access.createKey(
      { policy, description: '' },
      by(() => {}),
    ),
    refusedWith('access_denied', /has been revoked or has expired meanwhile/),
  );
  assert.deepEqual(tried, ['CreateAccessKey', 'CreateAccessKey', 'CreateAccessKey']);
  assert.equal((await access.listKeys()).length, 2);
});

test('of revoked keys the latest thousand are kept, however fast they are made and revoked', async (t) => {
  const { access, store } = await open(t);
  const now = 1_700_000_000_000;
  await store.transaction(async ({ accessKeys }) => {
    for (let n = 0; n < 1_010; n += 1) {
      const id = `OLD${String(n).padStart(5, '0')}`;
      const record = {
        id,
        description: '',
        policy,
        isRoot: false,
        createdAt: now - 10_000,
        revokedAt: now - 5_000 + n,
        ...ENDLESS,
      };
      await accessKeys.insert({ ...record, sealedSecret: keyring.seal(Buffer.from('secret'), id) });
    }
  });
  const key = await access.createKey({ policy, description: '' });
  const kept = (await access.listKeys()).map(({ id }) => id);
  assert.equal(kept.length, 1_001);
  assert.ok(kept.includes(key.accessKeyId) && kept.includes('OLD01009') && !kept.includes('OLD00009'));
});

test('a key that expires is refused from then on, counts no longer, and is forgotten like a revoked one', async (t) => {
  const store = await openTestStore(t);
  const now = 1_700_000_000_000;
  const at = (later: number) => accessTo(store, { now: now + later, maxAccessKeys: 1 });
  const key = await at(0).createKey({
    policy,
    description: '',
    lifetimeMs: 60_000,
    subject: 'https://login.example ada',
  });
  assert.equal(at(0).recorded.length, 0);
  const [listed] = await at(59_999).listKeys();
  assert.deepEqual(
    [listed?.expiresAt, listed?.subject, listed?.state],
    [now + 60_000, 'https://login.example ada', 'active'],
  );
  const lasting = at(59_999);
  assert.equal((await lasting.findCredential(key.accessKeyId))?.secretAccessKey, key.secretAccessKey);
  await assert.rejects(at(59_999).createKey({ policy, description: '' }), refusedWith('quota_exceeded', /already 1/));
  assert.equal(await at(60_000).findCredential(key.accessKeyId), undefined);
  assert.equal((await at(60_000).listKeys())[0]?.state, 'expired');
  const record: RecordLocally = (_, rule) => rule();
  const maker = { accessKeyId: key.accessKeyId, mayGrant: () => {}, record };
  await assert.rejects(
    at(60_000).createKey({ policy, description: '' }, maker),
    refusedWith('access_denied', /has expired meanwhile/),
  );
  const access = at(60_000);
  await access.createKey({ policy, description: 'next', lifetimeMs: 1_000 });
  assert.deepEqual(access.recorded[0]?.details?.expires, new Date(now + 61_000).toISOString());
  await at(61_000 + 90 * 24 * 3_600_000).createKey({ policy, description: 'much later' });
  assert.deepEqual((await access.listKeys()).map(({ description }) => description).sort(), ['much later', 'next']);
});

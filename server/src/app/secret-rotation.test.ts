import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { crashingStore } from '../../test/support/crashing-store.ts';
import { CHANGE, recordedLog, UNRECORDED } from '../../test/support/domain.ts';
import { NO_METRICS } from '../../test/support/metrics.ts';
import { ACTIONS } from '../api/every-operation.ts';
import { systemClock } from '../clock.ts';
import { loadSettings, type Settings } from '../config/config.ts';
import { type Access, type AccessKeyPair, createAccess } from '../domain/access/access.ts';
import { createArns } from '../domain/arn.ts';
import { createWebhooks, type WebhooksParts } from '../domain/events/webhooks.ts';
import type { LocalChange, RecordLocally } from '../domain/local-changes.ts';
import { createSystemRandom } from '../random.ts';
import { sampleGame } from '../store/store-samples.ts';
import { temporaryDirectory } from '../store/test-store.ts';
import { openBackends, openBackendsAlone, openBackendsBeside } from './backends.ts';
import { Closers } from './closers.ts';
import { rotateSecretKey } from './secret-rotation.ts';

const [clock, random] = [systemClock, createSystemRandom()];
const { log } = recordedLog();
const POLICY = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"gamesparks:GetGame","Resource":"*"}]}';
const secretOf = (byte: number) => Buffer.alloc(32, byte).toString('base64');
const record: RecordLocally = (_, rule) => rule();

type Backends = Awaited<ReturnType<typeof openBackendsAlone>>;

/** Opens a data directory for as long as `work` takes. */
async function within<Opened, T>(
  open: (closers: Closers) => Promise<Opened>,
  work: (opened: Opened) => Promise<T>,
): Promise<T> {
  const closers = new Closers();
  try {
    return await work(await open(closers));
  } finally {
    await closers.close({ clock, log });
  }
}

function accessTo({ store, keyring }: Pick<Backends, 'store' | 'keyring'>, rootOverride?: AccessKeyPair): Access {
  const arns = createArns({ region: 'us-east-1', accountId: '123456789012' });
  return createAccess({ store, keyring, clock, random, actions: ACTIONS, record, arns, rootOverride });
}

/** What a start of a server finds: the id of the secret key, and the secrets of all keys that may sign. */
async function start(settings: Settings) {
  return await within(
    (closers) => openBackends({ metrics: NO_METRICS, settings, log, clock, random, closers }),
    async (backends) => {
      const access = accessTo(backends);
      const { isNew: _, ...root } = await access.ensureRoot();
      const keys = (await access.listKeys()).filter(({ revokedAt }) => revokedAt === undefined);
      const secrets: Record<string, string | undefined> = {};
      for (const { id } of keys) secrets[id] = (await access.findCredential(id))?.secretAccessKey;
      for (const { id, sealedSecret, sealedFormerSecret } of await backends.store.webhooks.listAll()) {
        const sealed = [sealedSecret, sealedFormerSecret ?? Buffer.of()];
        secrets[id] = sealed.map((each) => String(backends.keyring.open(each, id))).join(' ');
      }
      return { keyId: backends.keyring.keyId, root, secrets };
    },
  );
}

/** A data directory that a server has used, with keys, a revoked one, and a start with a root key in the settings. */
async function prepare(t: TestContext, secrets: Partial<Settings> = {}) {
  const dataDir = join(temporaryDirectory(t), 'data');
  const settings = { ...loadSettings({ env: {}, flags: { dataDir } }), ...secrets };
  await start(settings);
  await within(
    (closers) => openBackendsBeside({ settings, closers, log: recordedLog().log, clock: systemClock }),
    async (backends) => {
      await accessTo(backends, { accessKeyId: 'ROOT', secretAccessKey: 'of the settings' }).ensureRoot();
      const access = accessTo(backends);
      const description = '';
      await access.createKey({ policy: POLICY, description });
      const { accessKeyId } = await access.createKey({ policy: POLICY, description });
      await access.revokeKey(accessKeyId);
      const game = sampleGame('Zoo');
      await backends.store.games.insert(game);
      const seal = (text: string) => backends.keyring.seal(Buffer.from(text), 'hook');
      await backends.store.webhooks.insert({
        ...{ id: 'hook', gameId: game.id, url: 'https://hooks.example/', description: '', stages: [], types: [] },
        ...{ state: 'ENABLED', reason: '', sealedSecret: seal('new'), sealedFormerSecret: seal('old') },
        ...{ formerUntil: 2, createdAt: 1, updatedAt: 1 },
      });
    },
  );
  return { dataDir, settings, before: await start(settings) };
}

const rotate = (settings: Settings, change = (backends: Backends) => backends) =>
  within(
    (closers) => openBackendsAlone({ settings, closers, log: recordedLog().log, clock: systemClock }),
    (backends) => rotateSecretKey({ ...change(backends), record, settings }),
  );

test('everything that is sealed is sealed with the new key, and nothing is left that the old key opens', async (t) => {
  const { dataDir, settings, before } = await prepare(t);
  const oldKey = readFileSync(join(dataDir, 'secret.key'), 'utf8');
  const sealed = await within(
    (closers) => openBackendsBeside({ settings, closers, log: recordedLog().log, clock: systemClock }),
    async ({ store }) => (await store.accessKeys.list()).map(({ sealedSecret }) => Buffer.from(sealedSecret)),
  );
  assert.equal(sealed.length, 3);
  const { from, to } = await rotate(settings);
  assert.deepEqual([from, to === from], [before.keyId, false]);
  assert.notEqual(readFileSync(join(dataDir, 'secret.key'), 'utf8'), oldKey);
  assert.ok(!existsSync(join(dataDir, 'secret.key.next')));
  assert.deepEqual(await start(settings), { ...before, keyId: to });
  for (const name of readdirSync(dataDir)) {
    const bytes = readFileSync(join(dataDir, name));
    assert.ok(!bytes.includes(oldKey.trim()), name);
    for (const old of sealed) assert.ok(!bytes.includes(old.toString('base64')), name);
  }
  await within(
    (closers) => openBackendsBeside({ settings, closers, log: recordedLog().log, clock: systemClock }),
    async (backends) => {
      const changes: LocalChange[] = [];
      const noted: RecordLocally = (change, rule) => {
        changes.push(change);
        return rule();
      };
      const rootOverride = { accessKeyId: 'ROOT', secretAccessKey: 'of the settings' };
      const parts = { ...backends, clock, random, actions: ACTIONS, rootOverride, record: noted };
      const arns = createArns({ region: 'us-east-1', accountId: '123456789012' });
      await createAccess({ ...parts, arns }).ensureRoot();
      // The last start of the preparation had no root key in its settings, and that is still known.
      assert.deepEqual(changes[0]?.details, { root: 'ROOT of the settings', before: 'of the data directory' });
    },
  );
});

/** The directory's steps count among those of the store. */
function crashingDirectory(
  directory: Backends['directory'],
  crash: { phase: 'before' | 'after'; stepsLeft: number },
): Backends['directory'] {
  function step<T>(run: () => T): T {
    crash.stepsLeft -= 1;
    const isLast = crash.stepsLeft === 0;
    if (crash.stepsLeft < 0 || (isLast && crash.phase === 'before')) throw new Error('the process has died');
    const result = run();
    if (isLast) throw new Error('the process has died');
    return result;
  }
  return {
    ...directory,
    prepareNextKeyring: (given) => step(() => directory.prepareNextKeyring(given)),
    adoptNextKeyring: () => step(() => directory.adoptNextKeyring()),
  };
}

for (const phase of ['before', 'after'] as const) {
  for (const place of ['directory', 'settings'] as const) {
    const title = `a kill ${phase} any step of a rotation loses nothing, and running it again ends it, with the key of the ${place}`;
    test(title, async (t) => {
      const keys = place === 'settings' ? { secretKey: secretOf(1), nextSecretKey: secretOf(2) } : {};
      let steps = 0;
      for (let isOver = false; !isOver; steps += 1) {
        const { settings, before } = await prepare(t, keys);
        const crash = { phase, stepsLeft: steps + 1 };
        const killed = rotate(settings, (backends) => ({
          ...backends,
          store: crashingStore(backends.store, crash),
          directory: crashingDirectory(backends.directory, crash),
        }));
        isOver = await killed.then(
          () => true,
          (error: Error) => {
            assert.match(error.message, /the process has died/);
            return false;
          },
        );
        const { keyId, ...kept } = await start(settings);
        assert.deepEqual(kept, { root: before.root, secrets: before.secrets }, `step ${steps}`);
        const { to } = await rotate(settings);
        const after = await start(settings);
        assert.deepEqual({ ...after, keyId: undefined }, { ...before, keyId: undefined }, `step ${steps}`);
        assert.notEqual(after.keyId, before.keyId);
        assert.equal(after.keyId, to);
        assert.ok(keyId === before.keyId || place === 'directory' || keyId === to);
      }
      assert.ok(steps > (place === 'settings' ? 8 : 9), `${steps} steps`);
    });
  }
}

test('a rotation that was interrupted after its commit is ended by running it again, which begins no other', async (t) => {
  const { dataDir, settings, before } = await prepare(t);
  const killed = rotate(settings, (backends) => {
    const adoptNextKeyring = () => {
      throw new Error('the process has died');
    };
    return { ...backends, directory: { ...backends.directory, adoptNextKeyring } };
  });
  await assert.rejects(killed, /the process has died/);
  const next = readFileSync(join(dataDir, 'secret.key.next'), 'utf8');
  // A command beside finds the right key and leaves the files alone.
  await within(
    (closers) => openBackendsBeside({ settings, closers, log: recordedLog().log, clock: systemClock }),
    async (backends) => void (await accessTo(backends).createKey({ policy: POLICY, description: 'beside' })),
  );
  assert.ok(existsSync(join(dataDir, 'secret.key.next')));
  const { from } = await rotate(settings);
  assert.equal(from, before.keyId);
  assert.equal(readFileSync(join(dataDir, 'secret.key'), 'utf8'), next);
  assert.ok(!existsSync(join(dataDir, 'secret.key.next')));
  await start(settings);
});

test('the key of the settings is replaced by the one of RESPARK_NEXT_SECRET_KEY, and the old one is refused then', async (t) => {
  const { settings, before } = await prepare(t, { secretKey: secretOf(1) });
  await assert.rejects(rotate(settings), {
    name: 'StartupError',
    message: /set RESPARK_NEXT_SECRET_KEY to its successor/,
  });
  await assert.rejects(rotate({ ...settings, nextSecretKey: secretOf(1) }), /is the secret key already/);
  const { to } = await rotate({ ...settings, nextSecretKey: secretOf(2) });
  assert.deepEqual(await start({ ...settings, secretKey: secretOf(2) }), { ...before, keyId: to });
  assert.deepEqual(await start({ ...settings, nextSecretKey: secretOf(2) }), { ...before, keyId: to });
  await assert.rejects(start(settings), { name: 'StartupError', message: /after "respark keys rotate-secret" it is/ });
});

test('the key of the directory may be replaced by a given one', async (t) => {
  const { dataDir, settings, before } = await prepare(t);
  const { to } = await rotate({ ...settings, nextSecretKey: secretOf(2) });
  assert.equal(readFileSync(join(dataDir, 'secret.key'), 'utf8').trim(), secretOf(2));
  assert.deepEqual(await start({ ...settings, secretKey: secretOf(2) }), { ...before, keyId: to });
});

test('no rotation begins while a server runs, and a command that began before it makes no key with the old one', async (t) => {
  const { settings, before } = await prepare(t);
  await within(
    (closers) => openBackends({ metrics: NO_METRICS, settings, log, clock, random, closers }),
    () => assert.rejects(rotate(settings), { name: 'StartupError', message: /^a server is using/ }),
  );
  await within(
    (closers) => openBackendsBeside({ settings, closers, log: recordedLog().log, clock: systemClock }),
    async (backends) => {
      await rotate(settings);
      const access = accessTo(backends);
      const refused = { name: 'StartupError', message: /^the secret key is not the one/ };
      await assert.rejects(access.createKey({ policy: POLICY, description: '' }), refused);
      await assert.rejects(access.rotateRoot(), refused);
    },
  );
  assert.deepEqual((await start(settings)).secrets, before.secrets);
});

test('a server that still has the old key when it was replaced on another machine seals no secret of a webhook', async (t) => {
  const { settings } = await prepare(t);
  await within(
    (closers) => openBackendsBeside({ settings, closers, log: recordedLog().log, clock: systemClock }),
    async (backends) => {
      await rotate(settings);
      const webhooks = createWebhooks({
        ...{ ...backends, clock, random, audit: UNRECORDED, post: { faultOf: () => undefined } },
        deliveries: { look: async () => {}, ended: async () => {} },
      } as unknown as WebhooksParts);
      const refused = { name: 'StartupError', message: /^the secret key is not the one/ };
      await assert.rejects(webhooks.create('Zoo', { url: 'https://hooks.example/' }, CHANGE), refused);
      await assert.rejects(webhooks.update('Zoo', 'hook', { rotatesSecret: true }, CHANGE), refused);
      assert.equal((await webhooks.update('Zoo', 'hook', { description: 'kept' }, CHANGE)).webhook.description, 'kept');
    },
  );
  // The next rotation must be able to open all of them.
  await rotate(settings);
});

test('a start removes what kills have left of secrets that were being written, but nothing that may still be', async (t) => {
  const { dataDir, settings } = await prepare(t);
  const id = '0f8fad5b-d9cb-469f-a165-70867728950e';
  const [left, written, other] = [`secret.key.next.${id}`, `root-credentials.${id}`, `notes.${id}`];
  for (const name of [left, written, other]) writeFileSync(join(dataDir, name), '', { mode: 0o600 });
  const anHourAgo = Date.now() / 1000 - 3_600;
  for (const name of [left, other]) utimesSync(join(dataDir, name), anHourAgo, anHourAgo);
  await start(settings);
  const found = [left, written, other].filter((name) => existsSync(join(dataDir, name)));
  assert.deepEqual(found, [written, other]);
});

test('a rotation makes no data directory', async (t) => {
  const dataDir = join(temporaryDirectory(t), 'none');
  const settings = loadSettings({ env: {}, flags: { dataDir } });
  await assert.rejects(rotate(settings), { name: 'StartupError', message: /^there is no data directory/ });
  assert.ok(!existsSync(dataDir));
});

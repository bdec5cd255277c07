import assert from 'node:assert/strict';
import { createPublicKey, generateKeyPairSync, sign } from 'node:crypto';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import Libsql from 'libsql';
import { recordedLog } from '../../../test/support/domain.ts';
import { ManualClock } from '../../../test/support/manual-clock.ts';
import { createKeyring } from '../../keyring.ts';
import { uuidV7 } from '../../random.ts';
import { sampleIntent } from '../../store/audit/audit-log.contract.ts';
import { openSqliteAuditLog } from '../../store/audit/sqlite.ts';
import { openTestStore, temporaryDirectory } from '../../store/test-store.ts';
import { openInstallation } from '../installation.ts';
import { readReceipt, readReceiptKey } from './receipt-verification.ts';
import { createReceipts } from './receipts.ts';

const NOW = 1_700_000_000_000;
const ID = uuidV7((count) => new Uint8Array(count).fill(7), NOW);
const keyring = createKeyring(Buffer.alloc(32, 1));
const CLOSED = { error: undefined, durationMs: 1.5, successes: ['c1'], failures: ['c2'] };

async function open(t: TestContext) {
  const directory = temporaryDirectory(t);
  const store = await openTestStore(t);
  const installation = await openInstallation({ store, keyring });
  const clock = new ManualClock(NOW);
  const auditLog = openSqliteAuditLog({ directory, installation: installation.id, clock, log: recordedLog().log });
  t.after(() => auditLog.close());
  const receipts = createReceipts({ auditLog, installation, clock });
  const key = readReceiptKey(JSON.stringify(installation.publicJwk));
  return { directory, store, installation, auditLog, receipts, key };
}

const intent = sampleIntent(ID, { at: NOW + 3, details: { reason: 'cheating', message: 'Out.', evidence: 'demo 7' } });

test('a receipt says who did what to whom, why, when and with what outcome, and where that is in the log', async (t) => {
  const { auditLog, installation, receipts, key } = await open(t);
  await auditLog.begin(intent);
  await auditLog.finish(intent, CLOSED);
  const receipt = await receipts.get(ID);
  const { chain, ...payload } = readReceipt(receipt, key);
  assert.deepEqual(payload, {
    version: 1,
    installation: installation.id,
    requestId: ID,
    time: new Date(NOW + 3).toISOString(),
    cause: 'operator',
    actor: 'AKIAEXAMPLE',
    operation: 'DisconnectPlayer',
    resource: intent.resource,
    game: 'Demo',
    stage: 'Dev',
    player: 'p1',
    details: { reason: 'cheating', message: 'Out.' },
    outcome: { result: 'done', durationMs: 1.5, successes: ['c1'], failures: ['c2'] },
  });
  const [known] = await auditLog.chain.chains();
  const [, link] = await auditLog.chain.links({ writer: 'server', after: 0, limit: 10 });
  assert.deepEqual([chain.id, chain.intent?.link, chain.intent?.hash], [known?.id, 2, link?.hash]);
  assert.deepEqual([chain.intent?.digest, chain.outcome?.digest], link?.digests);
  assert.equal(await receipts.get(ID), receipt, 'a record has one receipt');
  assert.deepEqual(readReceipt(receipt, readReceiptKey(installation.publicPem)).requestId, ID);
});

test('a receipt for a call under way says that its outcome is not known, and an unknown call has none', async (t) => {
  const { auditLog, receipts, key } = await open(t);
  await auditLog.begin(intent);
  const { outcome, chain } = readReceipt(await receipts.get(ID), key);
  assert.deepEqual([outcome, chain.outcome], [null, null]);
  await assert.rejects(receipts.get(uuidV7((count) => new Uint8Array(count), NOW)), { code: 'not_found' });
  await assert.rejects(receipts.get('no-uuid'), { code: 'not_found' });
});

test('a record that is not what was chained gets no receipt, and whoever asks hears what to do', async (t) => {
  const { directory, auditLog, receipts } = await open(t);
  await auditLog.begin(intent);
  await auditLog.finish(intent, CLOSED);
  assert.ok('receipt' in (await receipts.receiptFor(ID)));
  const database = new Libsql(join(directory, 'audit.sqlite'));
  t.after(() => database.close());
  const forged = uuidV7((count) => new Uint8Array(count).fill(8), NOW);
  database.exec(`CREATE TEMP TABLE copied AS SELECT * FROM audit;
    UPDATE copied SET request_id = '${forged}', actor = 'AKIAINNOCENT'; INSERT INTO audit SELECT * FROM copied`);
  const refusal = { code: 'not_found', message: /does not fit the chain.*audit verify/ };
  await assert.rejects(receipts.get(forged), refusal);
  assert.match(JSON.stringify(await receipts.receiptFor(forged)), /"missing":"There is no receipt: the record/);
  assert.ok('receipt' in (await receipts.receiptFor(ID)), 'the real one still has its receipt');
});

test('while the database is locked a receipt may be asked for again, and whoever needs none says why there is none', async (t) => {
  const { directory, auditLog, receipts } = await open(t);
  const other = new Libsql(join(directory, 'audit.sqlite'));
  t.after(() => other.close());
  other.exec('BEGIN IMMEDIATE');
  await auditLog.begin(intent);
  await assert.rejects(receipts.get(ID), { code: 'internal', retryAfterMs: 1_000 });
  assert.match(JSON.stringify(await receipts.receiptFor(ID)), /"missing":"The audit log cannot take the record in/);
  other.exec('ROLLBACK');
  assert.ok('receipt' in (await receipts.receiptFor(ID)));
});

test('the key of an installation stays, is sealed, and can be opened with its secret key only', async (t) => {
  const { store, installation } = await open(t);
  const again = await openInstallation({ store, keyring });
  assert.deepEqual(
    [again.id, again.keyId, again.publicPem],
    [installation.id, installation.keyId, installation.publicPem],
  );
  const sealed = Buffer.from((await store.meta.get('receipt_key')) ?? '', 'base64');
  assert.equal(sealed.includes(Buffer.from(installation.publicJwk.x, 'base64url')), false);
  await assert.rejects(openInstallation({ store, keyring: createKeyring(Buffer.alloc(32, 2)) }), /secret key/);
});

test('the key id is the thumbprint of RFC 8037’s example key', async () => {
  const { thumbprintOf } = await import('../installation.ts');
  const x = '11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo';
  assert.equal(thumbprintOf({ kty: 'OKP', crv: 'Ed25519', x }), 'kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k');
});

test('whatever is wrong with a receipt is named', async (t) => {
  const { auditLog, receipts, installation, key } = await open(t);
  await auditLog.begin(intent);
  const receipt = await receipts.get(ID);
  const [header = '', payload = '', signature = ''] = receipt.split('.');
  const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const decoded = JSON.parse(Buffer.from(payload, 'base64url').toString());
  const kid = installation.keyId;
  const typ = 'respark-receipt+jws';
  const resigned = (head: object, body: object) => {
    const text = `${encode(head)}.${encode(body)}`;
    return `${text}.${Buffer.from(installation.sign(Buffer.from(text))).toString('base64url')}`;
  };
  const other = generateKeyPairSync('ed25519');
  const byOther = `${header}.${payload}.${sign(null, Buffer.from(`${header}.${payload}`), other.privateKey).toString('base64url')}`;
  for (const [text, reason] of [
    [`${encode({ alg: 'none', typ, kid })}.${payload}.`, /algorithm "none"/],
    [`${encode({ alg: 'HS256', typ, kid })}.${payload}.${signature}`, /algorithm "HS256"/],
    [`${header}.${encode({ ...decoded, actor: 'nobody' })}.${signature}`, /it was changed/],
    [byOther, /it was changed/],
    [resigned({ alg: 'EdDSA', typ: 'JWT', kid }, decoded), /no receipt, but a "JWT"/],
    [resigned({ alg: 'EdDSA', typ, kid, crit: ['b64'] }, decoded), /critical/],
    [resigned({ alg: 'EdDSA', typ, kid }, { ...decoded, version: 2 }), /version 2/],
    [resigned({ alg: 'EdDSA', typ, kid }, { version: 1 }), /not say what a receipt says/],
    [resigned({ alg: 'EdDSA', typ, kid }, { ...decoded, chain: null }), /not say what a receipt says/],
    [resigned({ alg: 'EdDSA', typ, kid }, { ...decoded, outcome: 5 }), /not say what a receipt says/],
    [resigned({ alg: 'EdDSA', typ, kid }, { ...decoded, outcome: { successes: 'c1' } }), /not say what a receipt says/],
    [
      resigned({ alg: 'EdDSA', typ, kid }, { ...decoded, outcome: { connections: [null] } }),
      /not say what a receipt says/,
    ],
    [`${receipt}=`, /signature is not base64url/],
    ['hello', /not three parts/],
    ['a.b.c', /header is not/],
  ] as const) {
    assert.throws(() => readReceipt(text, key), { name: 'ReceiptFault', message: reason }, text);
  }
  assert.throws(() => readReceipt(receipt, other.publicKey), /signed with the key/);
  assert.equal(readReceipt(`${receipt}\n`, createPublicKey(installation.publicPem)).requestId, ID);
  const rsa = generateKeyPairSync('rsa', { modulusLength: 2_048 }).publicKey.export({ format: 'pem', type: 'spki' });
  assert.throws(() => readReceiptKey(rsa.toString()), /for rsa/);
  assert.throws(() => readReceiptKey('{"kty":"OKP"}'), /neither a JWK nor a PEM/);
});

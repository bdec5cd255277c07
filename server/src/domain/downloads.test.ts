import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { CHANGE, openDomain } from '../../test/support/domain.ts';
import { createKeyring } from '../keyring.ts';
import type { Access } from './access/access.ts';
import { createDownloads } from './downloads.ts';

const CLIENT = '192.0.2.7';

const anyKey = async (accessKeyId: string) => ({ accessKeyId, secretAccessKey: 'secret', policies: [] });

async function openWithSnapshot(t: TestContext, findCredential: Access['findCredential'] = anyKey) {
  const domain = await openDomain(t, { findCredential });
  const { id: gameId } = await domain.games.create({ name: 'Demo' }, CHANGE);
  const { id: snapshotId } = await domain.snapshots.create('Demo', undefined, CHANGE);
  const snapshot = { kind: 'snapshot', gameId, snapshotId } as const;
  return { ...domain, snapshot };
}

test('a URL is valid until it expires', async (t) => {
  const { downloads, snapshot, clock } = await openWithSnapshot(t);
  const { url, expiresAt } = await downloads.urlOf(snapshot, 'a.json', 10_000, 'AKIA');
  assert.equal(expiresAt, clock.now() + 10_000);
  assert.ok(url.startsWith('/download/') && url.endsWith('/a.json') && url.length < 2_048, url);
  clock.advance(9_999);
  const file = await downloads.open(url, CLIENT);
  assert.deepEqual([file?.fileName, file?.contentType], ['a.json', 'application/json']);
  assert.deepEqual(JSON.parse(String(Buffer.from(file?.body ?? []))), { Document: { Type: 'Game', Sections: {} } });
  clock.advance(1);
  assert.equal(await downloads.open(url, CLIENT), undefined);
});

test('a URL tells nothing of what it is for, and no part of it can be changed', async (t) => {
  const { downloads, snapshot, store, longWork, clock } = await openWithSnapshot(t);
  const { url: path } = await downloads.urlOf(snapshot, 'a.json', 10_000, 'AKIA');
  const token = path.split('/')[2] ?? '';
  assert.ok(!Buffer.from(token, 'base64url').includes(snapshot.gameId));
  const sealer = createKeyring(new Uint8Array(32).fill(8));
  const foreign = createDownloads({ store, findCredential: anyKey, sealer, longWork, clock });
  for (const changed of [
    (await foreign.urlOf(snapshot, 'a.json', 10_000, 'AKIA')).url,
    path.replace('a.json', 'b.json'),
    path.replace('/a.json', ''),
    `${path}/`,
    `/x${path}`,
    path.replace(token, token.slice(0, -2)),
    path.replace(token, `${token}AAAA`),
    path.replace(
      token,
      token.replace(/^./, (first) => (first === 'A' ? 'B' : 'A')),
    ),
    path.replace(token, ''),
    '/download/',
    '/download//',
    '/download/../../a.json',
  ]) {
    assert.equal(await downloads.open(changed, CLIENT), undefined, changed);
  }
  assert.ok(await downloads.open(path, CLIENT));
});

test('a file that is gone cannot be downloaded any more', async (t) => {
  const { downloads, snapshot, games } = await openWithSnapshot(t);
  const { url } = await downloads.urlOf(snapshot, 'a.json', 10_000, 'AKIA');
  const job = await downloads.urlOf({ kind: 'generated_code', jobId: 'gone' }, 'a.zip', 10_000, 'AKIA');
  assert.equal(await downloads.open(job.url, CLIENT), undefined);
  await games.delete('Demo', CHANGE);
  await games.create({ name: 'Demo' }, CHANGE);
  assert.equal(await downloads.open(url, CLIENT), undefined);
});

test('one file is made twenty times at once and then twice a second, however many URLs it has', async (t) => {
  const { downloads, snapshots, snapshot, clock } = await openWithSnapshot(t);
  const openFirst = async () => downloads.open((await downloads.urlOf(snapshot, 'a.json', 60_000, 'AKIA')).url, CLIENT);
  for (let i = 0; i < 20; i += 1) assert.ok(await openFirst());
  await assert.rejects(openFirst, {
    name: 'ServiceError',
    code: 'throttled',
    retryAfterMs: 500,
    message: 'this file is downloaded more than 2 times a second: try again in 500 ms',
  });
  const { id: snapshotId } = await snapshots.create('Demo', undefined, CHANGE);
  assert.ok(
    await downloads.open((await downloads.urlOf({ ...snapshot, snapshotId }, 'b.json', 60_000, 'AKIA')).url, CLIENT),
  );
  clock.advance(500);
  assert.ok(await openFirst());
  await assert.rejects(openFirst, { code: 'throttled' });
});

test('an address may download fifty files at once and then five a second, and no other address waits for it', async (t) => {
  const { downloads, snapshot, store, clock } = await openWithSnapshot(t);
  const made = await store.snapshots.find(snapshot.gameId, snapshot.snapshotId);
  assert.ok(made);
  const open = async (number: number, client: string) => {
    const snapshotId = `${snapshot.snapshotId}${number}`;
    await store.snapshots.insert({ ...made, id: snapshotId }).catch(() => {});
    return await downloads.open(
      (await downloads.urlOf({ ...snapshot, snapshotId }, 'a.json', 60_000, 'AKIA')).url,
      client,
    );
  };
  for (let number = 0; number < 50; number += 1) assert.ok(await open(number, CLIENT));
  await assert.rejects(open(50, CLIENT), {
    name: 'ServiceError',
    code: 'throttled',
    retryAfterMs: 200,
    message: 'this address downloads more than 5 files a second: try again in 200 ms',
  });
  assert.ok(await open(50, '192.0.2.8'));
  clock.advance(200);
  assert.ok(await open(51, CLIENT));
});

test('a URL works no longer than the access key that asked for it, with the secret that the key had then', async (t) => {
  const secrets = new Map([
    ['AKIA', 'secret'],
    ['OTHER', 'secret'],
  ]);
  const { downloads, snapshot } = await openWithSnapshot(t, async (accessKeyId) => {
    const secretAccessKey = secrets.get(accessKeyId);
    return secretAccessKey === undefined ? undefined : { accessKeyId, secretAccessKey, policies: [] };
  });
  const { url } = await downloads.urlOf(snapshot, 'a.json', 60_000, 'AKIA');
  const { url: another } = await downloads.urlOf(snapshot, 'a.json', 60_000, 'OTHER');
  const open = () => downloads.open(url, CLIENT);
  assert.ok(await open());
  const refused = {
    name: 'ServiceError',
    code: 'access_denied',
    message: /key that asked .* revoked or replaced: ask/,
  };
  secrets.set('AKIA', 'another secret');
  await assert.rejects(open, refused);
  secrets.delete('AKIA');
  await assert.rejects(open, refused);
  await assert.rejects(downloads.urlOf(snapshot, 'a.json', 60_000, 'AKIA'), { code: 'access_denied' });
  assert.ok(await downloads.open(another, CLIENT));
  secrets.set('AKIA', 'secret');
  assert.ok(await open());
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { exportJWK, generateKeyPair, importJWK } from 'jose';
import { ManualClock } from '../../test/support/manual-clock.ts';
import { startWebServer } from '../../test/support/outside.ts';
import { systemClock } from '../clock.ts';
import { createKeySets } from './key-sets.ts';
import { SYSTEM_LOOK_UPS } from './look-up.ts';
import { createAskProvider } from './provider-requests.ts';
import { createFetchPublishedKeys } from './published-keys.ts';

test('an RSA key that would take long to check a token with cannot be used', async (t) => {
  const { publicKey } = await generateKeyPair('RS256', { extractable: true });
  const good = { ...(await exportJWK(publicKey)), kid: 'good' };
  const { n = '' } = good;
  const costly = [
    { ...good, kid: 'as long as the modulus', e: n },
    { ...good, kid: 'of 72 bits', e: 'AQAAAAAAAAAB' },
    { ...good, kid: 'of 10,000 bits', n: `${n}${'A'.repeat(1_400)}` },
  ];
  const server = await startWebServer(t, (response) => response.end(JSON.stringify({ keys: [good, ...costly] })));
  const ask = createAskProvider({
    ...{ purpose: 'keys', clock: systemClock, log: { warn() {} }, lookUps: SYSTEM_LOOK_UPS },
    stopping: new AbortController().signal,
    settings: { identityHosts: ['127.0.0.1'] },
  });
  const fetchKeys = createFetchPublishedKeys({ ask });
  const { keys } = await fetchKeys(`http://127.0.0.1:${server.port}/keys`, 'game');
  assert.deepEqual(
    keys.map(({ kid }) => kid),
    ['good', ...costly.map(({ kid }) => kid)],
  );
  for (const key of keys) {
    const imported = (async () => await importJWK(key, 'RS256'))();
    if (key.kid === 'good') assert.ok(await imported);
    else await assert.rejects(imported, key.kid);
  }
});

test('keys are asked for on the account of whoever needs them, whatever hosts the URLs name', async () => {
  const owners: (string | undefined)[] = [];
  const fetchKeys = createFetchPublishedKeys({
    async ask({ owner }) {
      owners.push(owner);
      return { status: 200, headers: {}, body: Buffer.from('{"keys":[]}') };
    },
  });
  const keySets = createKeySets({ fetchKeys, clock: new ManualClock(), warn() {} });
  await keySets.get('https://one.example/keys', { id: 'stage', group: 'game' });
  await keySets.get('https://two.example/keys', { id: 'stage', group: 'game' });
  assert.deepEqual(owners, ['game', 'game']);
});

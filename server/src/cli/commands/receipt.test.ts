import assert from 'node:assert/strict';
import { generateKeyPairSync, sign } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { createTestWorld } from '../../../test/support/world.ts';
import type { ReceiptPayload } from '../../domain/audit/receipt-verification.ts';
import { jwkOf, thumbprintOf } from '../../domain/installation.ts';
import { temporaryDirectory } from '../../store/test-store.ts';

const PAYLOAD: ReceiptPayload = {
  ...{ version: 1, installation: 'here', requestId: 'r1', time: '2026-01-02T03:04:05.678Z', cause: 'operator' },
  ...{ actor: 'AKIAMOD', operation: 'DisconnectPlayer', resource: 'arn', game: 'Demo', stage: 'Live', player: 'p1' },
  details: { reason: 'cheating\u001b[31m' },
  outcome: { result: 'done', connections: [{ id: 'c1', outcome: 'closed', proof: 'frame' }] },
  chain: { id: 'c', writer: 'server', intent: { link: 4, hash: 'aa', digest: 'bb' }, outcome: null },
};

/** A directory with a receipt, its key in both forms, and another key. */
function files(t: TestContext, payload: object = PAYLOAD) {
  const directory = temporaryDirectory(t);
  const { publicKey, privateKey } = generateKeyPairSync('ed25519');
  const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const header = { alg: 'EdDSA', typ: 'respark-receipt+jws', kid: thumbprintOf(jwkOf(publicKey)) };
  const text = `${encode(header)}.${encode(payload)}`;
  const receipt = `${text}.${sign(null, Buffer.from(text), privateKey).toString('base64url')}`;
  const pem = publicKey.export({ format: 'pem', type: 'spki' }).toString();
  const other = generateKeyPairSync('ed25519').publicKey.export({ format: 'pem', type: 'spki' }).toString();
  const file = (name: string, content: string) => {
    writeFileSync(join(directory, name), content);
    return join(directory, name);
  };
  return {
    receipt: file('receipt.jws', `${receipt}\n`),
    changed: file(
      'changed.jws',
      receipt.replace('.', `.${encode({ ...PAYLOAD, actor: 'nobody' })}.`).replace(/\.ey[^.]*\.([^.]*)$/, '.$1'),
    ),
    jwk: file('key.jwk', JSON.stringify(jwkOf(publicKey))),
    pem: file('key.pem', pem),
    other: file('other.pem', other),
  };
}

async function verify(receipt: string, key: string, ...flags: string[]) {
  const world = createTestWorld();
  const exitCode = await world.run('receipt', 'verify', receipt, '--key', key, ...flags);
  return { exitCode, out: world.out(), err: world.err() };
}

test('a receipt is verified with either form of the public key, and says in words what was done', async (t) => {
  const { receipt, jwk, pem } = files(t);
  const { exitCode, out } = await verify(receipt, jwk);
  assert.equal(exitCode, 0);
  for (const line of [
    'who      AKIAMOD',
    'did      DisconnectPlayer',
    'to       player p1, stage Live of game Demo',
    'when     2026-01-02T03:04:05.678Z',
    'reason   cheating',
    'connection: id c1, outcome closed, proof frame',
  ]) {
    assert.ok(out.includes(line), `${line} in ${out}`);
  }
  assert.ok(!out.includes('\u001b'), 'what others chose cannot steer a terminal');
  assert.deepEqual(JSON.parse((await verify(receipt, pem, '--json')).out), PAYLOAD);
});

test('the links in which a call is on record are named, once where they are the same', async (t) => {
  const intent = PAYLOAD.chain.intent;
  for (const [outcome, links] of [
    [{ ...intent, digest: 'cc' }, 'link 4'],
    [{ ...intent, link: 5 }, 'link 4 and link 5'],
    [null, 'link 4 and no link'],
  ] as const) {
    const { receipt, jwk } = files(t, { ...PAYLOAD, chain: { ...PAYLOAD.chain, outcome } });
    const { out } = await verify(receipt, jwk);
    assert.ok(out.includes(`on record in ${links} of the audit chain c of server`), out);
  }
});

test('what is wrong is said, with the exit code 1', async (t) => {
  const { receipt, changed, jwk, other } = files(t);
  for (const [file, key, reason] of [
    [receipt, other, /does not count: it was signed with the key/],
    [changed, jwk, /does not count: its signature is not that of the key: it was changed/],
    [jwk, jwk, /does not count: it is no receipt/],
    [receipt, receipt, /cannot use the key .*: the key is neither a JWK nor a PEM/],
  ] as const) {
    const { exitCode, out, err } = await verify(file, key);
    assert.deepEqual([exitCode, out], [1, '']);
    assert.match(err, reason);
  }
});

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { inspect } from 'node:util';
import fc from 'fast-check';
import { createKeyring, verifyKeyring } from './keyring.ts';
import { openTestStore } from './store/test-store.ts';

const secretKey = Buffer.alloc(32, 7);

test('what is sealed is opened again with the same secret key and text', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), fc.string(), (plaintext, associated) => {
      const sealed = createKeyring(secretKey).seal(plaintext, associated);
      assert.deepEqual(createKeyring(secretKey).open(sealed, associated), Buffer.from(plaintext));
      assert.equal(sealed.length, plaintext.length + 29);
    }),
    { numRuns: 100 },
  );
});

test('another secret key, another text or any changed byte opens nothing', () => {
  const keyring = createKeyring(secretKey);
  const sealed = keyring.seal(Buffer.from('secret'), 'row 1');
  assert.equal(createKeyring(Buffer.alloc(32, 8)).open(sealed, 'row 1'), undefined);
  assert.equal(keyring.open(sealed, 'row 2'), undefined);
  assert.equal(keyring.open(sealed, ''), undefined);
  for (let index = 0; index < sealed.length; index++) {
    const changed = Buffer.from(sealed);
    changed.writeUInt8((changed.readUInt8(index) + 1) % 256, index);
    assert.equal(keyring.open(changed, 'row 1'), undefined, `byte ${index}`);
  }
});

test('whatever was never sealed opens nothing and throws nothing', () => {
  const keyring = createKeyring(secretKey);
  const sealed = keyring.seal(Buffer.from('secret'), '');
  for (let length = 0; length < sealed.length; length++) {
    assert.equal(keyring.open(sealed.subarray(0, length), ''), undefined);
    assert.equal(keyring.open(randomBytes(length), ''), undefined);
  }
  assert.equal(keyring.open(Buffer.concat([sealed, Buffer.of(0)]), ''), undefined);
});

test('the same plaintext is never sealed the same twice', () => {
  const keyring = createKeyring(secretKey);
  const sealed = new Set(
    Array.from({ length: 100 }, () => Buffer.from(keyring.seal(Buffer.of(1), '')).toString('hex')),
  );
  assert.equal(sealed.size, 100);
});

test('derived keys depend on the secret key and the purpose, and stay the same for ever', () => {
  const keyring = createKeyring(secretKey);
  const token = Buffer.from(keyring.deriveKey('player tokens')).toString('hex');
  assert.equal(token, '4b16630cf5bd3e8210485b97acb3a84881dee161d5f412136cb0c7f1aadd5330');
  assert.equal(keyring.keyId, 'bbb8886e68d39c10');
  assert.notEqual(Buffer.from(keyring.deriveKey('page tokens')).toString('hex'), token);
  const other = createKeyring(Buffer.alloc(32, 8));
  assert.notEqual(Buffer.from(other.deriveKey('player tokens')).toString('hex'), token);
  assert.notEqual(other.keyId, keyring.keyId);
});

test('a keyring shows its key id and nothing else', () => {
  const keyring = createKeyring(secretKey);
  assert.equal(JSON.stringify(keyring), `{"keyId":"${keyring.keyId}"}`);
  const shown = `${inspect(keyring, { depth: 9, showHidden: true })} ${keyring}`;
  for (const secret of [secretKey, keyring.deriveKey('x')]) {
    assert.ok(!shown.includes(Buffer.from(secret).toString('hex', 0, 4)));
    assert.ok(!/KeyObject|Buffer/.test(shown));
  }
});

test('a secret key of another length is refused', () => {
  assert.throws(() => createKeyring(Buffer.alloc(16)), { message: 'a secret key has 32 bytes, got 16' });
});

test('a store takes the first secret key it sees, and no other one after', async (t) => {
  const store = await openTestStore(t);
  await Promise.all([verifyKeyring(store, createKeyring(secretKey)), verifyKeyring(store, createKeyring(secretKey))]);
  await assert.rejects(verifyKeyring(store, createKeyring(Buffer.alloc(32, 8))), {
    name: 'StartupError',
    message:
      'the secret key is not the one that this database is sealed with: set RESPARK_SECRET_KEY to that one, or put its secret.key back; after "respark keys rotate-secret" it is the new one',
  });
  await verifyKeyring(store, createKeyring(secretKey));
});

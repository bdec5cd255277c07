import assert from 'node:assert/strict';
import { test } from 'node:test';
import { captureHello } from '../../test/support/tls-hello.ts';
import { helloIn } from './client-hello.ts';

/** The message of a hello in records of so many bytes. */
function inRecords(hello: Buffer, bytes: number): Buffer {
  const message = hello.subarray(5);
  const count = Math.ceil(message.length / bytes);
  const records = Array.from({ length: count }, (_, index) => {
    const part = message.subarray(index * bytes, (index + 1) * bytes);
    return Buffer.concat([Buffer.from([22, 3, 1, part.length >> 8, part.length & 255]), part]);
  });
  return Buffer.concat(records);
}

test('a hello is whole with its last byte, in one record or in several', async () => {
  const hello = await captureHello();
  for (const form of [hello, inRecords(hello, 100), inRecords(hello, hello.length - 6), inRecords(hello, 64)]) {
    for (let length = 1; length < form.length; length += 1) {
      assert.equal(helloIn(form.subarray(0, length)), 'incomplete', `${length} of ${form.length} bytes`);
    }
    assert.equal(helloIn(form), 'whole');
    assert.equal(helloIn(Buffer.concat([form, Buffer.from([20, 3, 3])])), 'whole');
  }
});

test('what could bring a hello to TLS in other ways is wrong', async () => {
  const hello = await captureHello();
  const warning = Buffer.from([21, 3, 1, 0, 2, 1, 90]);
  const empty = Buffer.from([22, 3, 1, 0, 0]);
  for (const [name, bytes] of Object.entries({
    'a warning before it': warning,
    'an empty record before it': Buffer.concat([empty, hello]),
    'an empty record within it': Buffer.concat([inRecords(hello, 64).subarray(0, 69), empty]),
    'seventeen records': inRecords(hello, 4).subarray(0, 17 * 9),
    'the form of SSL 2.0': Buffer.from([0x80, 0x2e, 1, 3, 3]),
    'another message': Buffer.from([22, 3, 1, 0, 4, 16, 0, 0, 0]),
    'a hello that is too long': Buffer.concat([
      Buffer.from([22, 3, 1, 255, 255, 1, 0, 255, 255]),
      Buffer.alloc(16_384),
    ]),
  })) {
    assert.equal(helloIn(bytes), 'wrong', name);
  }
});

test('plain HTTP is left to TLS, which refuses it', () => {
  assert.equal(helloIn(Buffer.from('G')), 'plain');
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { connectionFault } from './outside-fault.ts';

test('whatever is wrong with a certificate is the fault of the other end', () => {
  for (const code of [
    ...[
      'CERT_HAS_EXPIRED',
      'DEPTH_ZERO_SELF_SIGNED_CERT',
      'INVALID_PURPOSE',
      'PATH_LENGTH_EXCEEDED',
      'CRL_HAS_EXPIRED',
    ],
    ...['ERROR_IN_CERT_NOT_AFTER_FIELD', 'UNSPECIFIED', 'OUT_OF_MEM', 'ERR_SSL_TLSV1_ALERT', 'ERR_OSSL_ASN1_WRONG_TAG'],
  ]) {
    const fault = connectionFault(Object.assign(new Error(), { code }), 'hooks.example');
    assert.deepEqual(
      [fault?.code, fault?.message],
      ['failed', `hooks.example could not be trusted over TLS (${code})`],
    );
  }
  assert.equal(
    connectionFault(Object.assign(new Error(), { code: 'ERR_INVALID_ARG_TYPE' }), 'hooks.example'),
    undefined,
  );
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DirectoryUnavailable } from '../cluster.ts';
import { adviceAgainst } from './fault-advice.ts';

for (const [message, code, pattern] of [
  ['self-signed certificate in certificate chain', 'SELF_SIGNED_CERT_IN_CHAIN', /NODE_EXTRA_CA_CERTS/],
  ["Hostname/IP does not match certificate's altnames", 'ERR_TLS_CERT_ALTNAME_INVALID', /name the host/],
  ['read ECONNRESET', 'ECONNRESET', /rediss:\/\/ if it speaks TLS/],
  ['no answer within 3000 ms', undefined, /rediss:\/\/ if it speaks TLS/],
  ['WRONGPASS invalid username-password pair or user is disabled.', undefined, /user and password/],
  ['NOPERM this user has no permissions to access one of the channels', undefined, /RESPARK_REDIS_PREFIX/],
  ["OOM command not allowed when used memory > 'maxmemory'.", undefined, /raise its maxmemory/],
  ['connect ECONNREFUSED 127.0.0.1:6379', 'ECONNREFUSED', /^see that Redis runs, and that RESPARK_REDIS_URL names it$/],
] as const) {
  test(`what to do about Redis is said when it says: ${message}`, () => {
    const fault = Object.assign(new Error(message), { code });
    assert.match(adviceAgainst(fault), pattern);
    assert.match(adviceAgainst(new DirectoryUnavailable('Redis did not answer', { cause: fault })), pattern);
  });
}

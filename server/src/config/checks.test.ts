import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { faultsOf } from '../../test/support/faults-of.ts';

describe('settings that must agree', () => {
  for (const [env, complaint] of [
    [
      { RESPARK_ROOT_ACCESS_KEY_ID: 'AKIAROOT' },
      /RESPARK_ROOT_ACCESS_KEY_ID is set without RESPARK_ROOT_SECRET_ACCESS_KEY/,
    ],
    [
      { RESPARK_ROOT_SECRET_ACCESS_KEY: 'correct-horse-battery-staple-and-more' },
      /^RESPARK_ROOT_SECRET_ACCESS_KEY is set without RESPARK_ROOT_ACCESS_KEY_ID/,
    ],
    [{ RESPARK_TLS_CERT_FILE: 'cert.pem' }, /RESPARK_TLS_CERT_FILE is set without RESPARK_TLS_KEY_FILE/],
    [{ RESPARK_PLAYER_HOST: '0.0.0.0' }, /RESPARK_PLAYER_HOST is set without RESPARK_PLAYER_PORT/],
    [
      { RESPARK_PLAYER_TLS_CERT_FILE: 'c', RESPARK_PLAYER_TLS_KEY_FILE: 'k' },
      /RESPARK_PLAYER_TLS_CERT_FILE is set without RESPARK_PLAYER_PORT/,
    ],
    [{ RESPARK_PLAYER_PORT: '8080' }, /RESPARK_PLAYER_PORT \(8080\) must differ from RESPARK_PORT \(8080\)/],
    [
      { RESPARK_CLOSE_FLUSH_MS: '5000' },
      /RESPARK_CLOSE_FLUSH_MS \(5000\) must be at most 1\/2 of RESPARK_DISCONNECT_DEADLINE_MS \(5000\)/,
    ],
    [
      { RESPARK_MAX_OUTBOX_BYTES: '30000' },
      /RESPARK_MAX_FRAME_BYTES \(16384\) must be at most 1\/2 of RESPARK_MAX_OUTBOX_BYTES/,
    ],
    [
      { RESPARK_MAX_FRAME_BYTES: '262144' },
      /RESPARK_MAX_FRAME_BYTES \(262144\) must be at most 1\/2 of RESPARK_BYTES_BURST \(262144\)/,
    ],
    [
      { RESPARK_MAX_CONNECTIONS: '500' },
      /RESPARK_MAX_CONNECTIONS_PER_ADDRESS \(1000\) must be at most RESPARK_MAX_CONNECTIONS \(500\)/,
    ],
    [
      { RESPARK_HEADERS_TIMEOUT_MS: '40000' },
      /RESPARK_HEADERS_TIMEOUT_MS \(40000\) must be at most RESPARK_REQUEST_TIMEOUT_MS/,
    ],
    [
      { RESPARK_MAX_HTTP_SOCKETS: '400' },
      /RESPARK_MAX_HTTP_SOCKETS_PER_ADDRESS \(500\) must be at most RESPARK_MAX_HTTP_SOCKETS \(400\)/,
    ],
    [
      { RESPARK_MAX_CONNECTIONS: '9', RESPARK_MAX_CONNECTIONS_PER_ADDRESS: '9' },
      /RESPARK_MAX_CONNECTIONS_PER_PLAYER \(10\) must be at most RESPARK_MAX_CONNECTIONS \(9\)/,
    ],
    [
      { RESPARK_MAX_UNAUTHENTICATED: '99' },
      /RESPARK_MAX_UNAUTHENTICATED_PER_ADDRESS \(100\) must be at most RESPARK_MAX_UNAUTHENTICATED \(99\)/,
    ],
    [
      { RESPARK_HANDSHAKES_PER_SECOND: '99' },
      /RESPARK_HANDSHAKES_PER_SECOND_PER_ADDRESS \(100\) must be at most RESPARK_HANDSHAKES_PER_SECOND \(99\)/,
    ],
    [
      { RESPARK_PLAYER_TLS_KEY_FILE: 'k', RESPARK_PLAYER_PORT: '8081' },
      /RESPARK_PLAYER_TLS_KEY_FILE is set without RESPARK_PLAYER_TLS_CERT_FILE/,
    ],
  ] as const) {
    it(`are a fault when they do not: ${Object.keys(env).join(', ')}`, () => {
      const [fault, ...more] = faultsOf(env);
      assert.deepEqual(more, []);
      assert.match(fault ?? '', complaint);
    });
  }

  it('are all reported, in the order of the documentation', () => {
    const faults = faultsOf({
      RESPARK_ROOT_ACCESS_KEY_ID: 'AKIAROOT',
      RESPARK_TLS_CERT_FILE: 'c',
      RESPARK_MAX_CONNECTIONS: '9',
    });
    assert.deepEqual(
      faults.map((fault) => fault.split(' ')[0]),
      [
        'RESPARK_TLS_CERT_FILE',
        'RESPARK_ROOT_ACCESS_KEY_ID',
        'RESPARK_MAX_CONNECTIONS_PER_ADDRESS',
        'RESPARK_MAX_CONNECTIONS_PER_PLAYER',
      ],
    );
  });

  it('may put players on the same port of another address', () => {
    assert.deepEqual(faultsOf({ RESPARK_PLAYER_PORT: '8080', RESPARK_PLAYER_HOST: '10.0.0.1' }), []);
  });
});

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { faultsOf } from '../../test/support/faults-of.ts';
import { loadSettings } from './config.ts';

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
      { RESPARK_MAX_FRAME_BYTES: '262144', RESPARK_BYTES_BURST: '262144' },
      /RESPARK_MAX_FRAME_BYTES \(262144\) must be at most 1\/2 of RESPARK_BYTES_BURST \(262144\)/,
    ],
    [
      { RESPARK_MAX_CONNECTIONS: '500', RESPARK_MAX_CONNECTIONS_PER_ADDRESS: '1000' },
      /RESPARK_MAX_CONNECTIONS_PER_ADDRESS \(1000\) must be at most RESPARK_MAX_CONNECTIONS \(500\)/,
    ],
    [
      { RESPARK_HEADERS_TIMEOUT_MS: '40000' },
      /RESPARK_HEADERS_TIMEOUT_MS \(40000\) must be at most RESPARK_REQUEST_TIMEOUT_MS/,
    ],
    [
      { RESPARK_MAX_HTTP_SOCKETS: '400', RESPARK_MAX_HTTP_SOCKETS_PER_ADDRESS: '500' },
      /RESPARK_MAX_HTTP_SOCKETS_PER_ADDRESS \(500\) must be at most RESPARK_MAX_HTTP_SOCKETS \(400\)/,
    ],
    [
      { RESPARK_MAX_CONNECTIONS: '9', RESPARK_MAX_CONNECTIONS_PER_PLAYER: '10' },
      /RESPARK_MAX_CONNECTIONS_PER_PLAYER \(10\) must be at most RESPARK_MAX_CONNECTIONS \(9\)/,
    ],
    [
      { RESPARK_MAX_UNAUTHENTICATED: '99', RESPARK_MAX_UNAUTHENTICATED_PER_ADDRESS: '100' },
      /RESPARK_MAX_UNAUTHENTICATED_PER_ADDRESS \(100\) must be at most RESPARK_MAX_UNAUTHENTICATED \(99\)/,
    ],
    [
      { RESPARK_HANDSHAKES_PER_SECOND: '99', RESPARK_HANDSHAKES_PER_SECOND_PER_ADDRESS: '100' },
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
      RESPARK_MAX_CONNECTIONS_PER_ADDRESS: '10',
      RESPARK_MAX_CONNECTIONS_PER_PLAYER: '10',
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

  it('need not be set all when one is: the defaults of the others give way', () => {
    const { maxFrameBytes, bytesBurst, bytesBurstPerAddress, maxOutboxBytes, outboxMemoryBytes } = loadSettings({
      env: { RESPARK_MAX_FRAME_BYTES: '16777216' },
    });
    assert.deepEqual(
      { maxFrameBytes, bytesBurst, bytesBurstPerAddress, maxOutboxBytes, outboxMemoryBytes },
      {
        maxFrameBytes: 16_777_216,
        bytesBurst: 33_554_432,
        bytesBurstPerAddress: 33_554_432,
        maxOutboxBytes: 33_554_432,
        outboxMemoryBytes: 268_435_456,
      },
    );
    const few = loadSettings({
      env: {
        RESPARK_MAX_CONNECTIONS: '9',
        RESPARK_MAX_UNAUTHENTICATED: '8',
        RESPARK_HANDSHAKES_PER_SECOND: '7',
        RESPARK_MAX_HTTP_SOCKETS: '6',
        RESPARK_REQUEST_TIMEOUT_MS: '5000',
      },
    });
    assert.deepEqual(
      [few.maxConnectionsPerAddress, few.maxConnectionsPerPlayer, few.maxUnauthenticatedPerAddress],
      [9, 9, 8],
    );
    assert.deepEqual(
      [few.handshakesPerSecondPerAddress, few.maxHttpSocketsPerAddress, few.headersTimeoutMs],
      [7, 6, 5_000],
    );
  });

  it('keep the defaults of all when what is set agrees with them', () => {
    const { bytesBurst, maxConnectionsPerAddress } = loadSettings({
      env: { RESPARK_MAX_FRAME_BYTES: '1024', RESPARK_MAX_CONNECTIONS: '100000' },
    });
    assert.deepEqual([bytesBurst, maxConnectionsPerAddress], [262_144, 1_000]);
  });
});

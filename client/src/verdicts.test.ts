import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { CLOSE_CODES, MAX_RETRY_AFTER_MS } from '@respark/protocol';
import { setUp, setUpConnected } from './test/client-under-test.ts';
import { settle } from './test/fakes.ts';

const ROWS = Object.entries(CLOSE_CODES);
// The table may get rows that this client does not know yet; a code then has the verdict of its range.
const UNKNOWN = [3000, 4099, 4499, 4505, 4999].map((code) => {
  return ['no row', { code, verdict: code >= 4500 ? 'stop' : 'reconnect' }] as const;
});

for (const [name, { code, verdict }] of [...ROWS, ...UNKNOWN]) {
  describe(`after ${code} (${name}), whose verdict is ${verdict}`, () => {
    test('a refused client does what the verdict says', async () => {
      const { client, newest, clock, sockets } = setUp();
      let outcome = 'pending';
      client.connect().then(
        () => (outcome = 'welcomed'),
        (error) => (outcome = `${error.name} ${error.verdict}`),
      );
      await settle();
      newest().opens();
      newest().closes(code, 'why; retryAfterMs=90000');
      await clock.advance(89_999);
      assert.equal(sockets.length, 1);
      if (verdict === 'reconnect') {
        assert.deepEqual([client.state, outcome], ['waiting', 'pending']);
        await clock.advance(251);
        newest().welcomes();
        await settle();
        assert.deepEqual([sockets.length, client.state, outcome], [2, 'connected', 'welcomed']);
      } else {
        await clock.advance(3_600_000);
        assert.deepEqual(
          [sockets.length, client.state, outcome, clock.timers],
          [1, 'closed', 'ConnectionClosedError stop', 0],
        );
      }
    });

    test('a connected client does the same, and says so', async () => {
      const { newest, clock, told, sockets } = await setUpConnected();
      newest().closes(code, 'why; retryAfterMs=90000');
      const isBack = verdict === 'reconnect';
      assert.deepEqual(told, [isBack ? 'waiting' : 'closed', `disconnect ${code} ${isBack ? '90250' : 'undefined'}`]);
      await clock.advance(89_999);
      assert.equal(sockets.length, 1);
      await clock.advance(251);
      assert.equal(sockets.length, isBack ? 2 : 1);
    });

    test('neither connect() nor a hint without end changes how long the server may make it wait', async () => {
      const { client, newest, clock, sockets } = await setUpConnected();
      newest().closes(code, `why; retryAfterMs=${'9'.repeat(15)}`);
      if (verdict === 'stop') return;
      client.connect().catch(() => {});
      await clock.advance(MAX_RETRY_AFTER_MS - 1);
      assert.equal(sockets.length, 1);
      await clock.advance(1_000);
      assert.ok(sockets.length > 1);
    });
  });
}

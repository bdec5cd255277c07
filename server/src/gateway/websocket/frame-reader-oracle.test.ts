import assert from 'node:assert/strict';
import { test } from 'node:test';
import { randomStream } from '../../../test/support/random-streams.ts';
import { readWithServer, readWithWs } from '../../../test/support/websocket-readings.ts';

/** TEST_STREAMS=1000000 tries more, and TEST_FIRST_STREAM=1000000 others. */
const FIRST = Number(process.env.TEST_FIRST_STREAM ?? 0);
const STREAMS = Number(process.env.TEST_STREAMS ?? 20_000);

/** What must come up at least once in so many streams; otherwise the streams would test less than they seem to. */
const ONE_IN = {
  'text ': 10,
  'binary ': 10,
  'ping ': 10,
  'pong ': 10,
  'close 1005': 200,
  'close 1000': 400,
  'close 3000': 400,
  'close 4': 400,
  'fault 1002': 10,
  'fault 1007': 40,
  'fault 1008': 40,
  'fault 1009': 20,
};

test('[ws] reads the same messages, control frames and end as the server from any stream of bytes', async (t) => {
  const counts = new Map(Object.keys(ONE_IN).map((kind) => [kind, 0]));
  for (let number = FIRST; number < FIRST + STREAMS; number += 1) {
    const { limits, chunks } = randomStream(number);
    const reading = readWithServer(chunks, limits);
    const expected = readWithWs(chunks, limits);
    // Comparing texts is much faster than deepEqual, which is there for its message.
    if (reading.join('\n') !== expected.join('\n') || reading.length !== expected.length) {
      assert.deepEqual(reading, expected, `stream ${number}`);
    }
    for (const kind of counts.keys()) {
      if (reading.some((line) => line.startsWith(kind))) counts.set(kind, (counts.get(kind) ?? 0) + 1);
    }
    // The receivers of `ws` that have met a fault wait for a turn of the event loop before they are gone.
    if (number % 1_000 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  t.diagnostic(JSON.stringify(Object.fromEntries(counts)));
  for (const [kind, oneIn] of Object.entries(ONE_IN)) {
    const count = counts.get(kind) ?? 0;
    assert.ok(count >= STREAMS / oneIn, `only ${count} streams have a line "${kind}"`);
  }
});

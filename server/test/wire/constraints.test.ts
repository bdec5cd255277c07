import { test } from 'node:test';
import { OPERATIONS } from '../../src/api/operations/index.ts';
import { rawCall } from '../support/raw-call.ts';
import { startTestServer } from '../support/server.ts';
import { assertConstraintsAreKept } from '../support/violations.ts';

test('each constraint of each operation is kept, whatever clients would let pass', async (t) => {
  const server = await startTestServer(t, { settings: { readCallsBurst: 10_000, writeCallsBurst: 10_000 } });
  for (const operation of OPERATIONS) {
    await t.test(operation.name, () => assertConstraintsAreKept([operation], (...call) => rawCall(server, ...call)));
  }
});

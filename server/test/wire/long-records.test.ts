import assert from 'node:assert/strict';
import { Agent } from 'node:http';
import { type TestContext, test } from 'node:test';
import { EVERY_OPERATION } from '../../src/api/every-operation.ts';
import { systemClock } from '../../src/clock.ts';
import { rawCall } from '../support/raw-call.ts';
import { GAME, STAGE, startTestServer } from '../support/server.ts';

const AT_STAGE = `/respark/game/${GAME}/stage/${STAGE}`;
const DISCONNECT = `/runtime/game/${GAME}/stage/${STAGE}/player/nobody/disconnect`;
/** What a key may put on record at once, and in a second. */
const BURST_BYTES = 4_194_304;
const BYTES_PER_SECOND = 131_072;
/** More than a record keeps beside the words of the caller. */
const BYTES_BESIDE = 400;

const PROVIDERS = Array.from({ length: 10 }, (_, at) => ({
  ...{ Algorithms: ['RS256'], Audiences: ['game'], Issuer: `https://provider-${at}.example` },
  // It is refused, and on record all the same.
  JwksUrl: '\uffff'.repeat(1_600),
}));
const EVIDENCE = { Evidence: '\uffff'.repeat(4_000) };

/** The one with the longest records comes first. */
const LONG = [
  { operation: 'UpdateStageIdentity', method: 'PUT', path: `${AT_STAGE}/identity`, body: { Providers: PROVIDERS } },
  {
    ...{ operation: 'StartDisconnectJob', method: 'POST', path: `${AT_STAGE}/disconnect-job` },
    body: { DryRun: true, Selector: { Everybody: true }, ...EVIDENCE },
  },
  {
    ...{ operation: 'CreateWebhook', method: 'POST', path: `/respark/game/${GAME}/webhook` },
    body: { Url: 'https://receiver.example', EventTypes: Array.from({ length: 32 }, () => '\uffff'.repeat(64)) },
  },
  {
    ...{ operation: 'CloseStageToPlayers', method: 'POST', path: `${AT_STAGE}/closure` },
    // It may have 8,192 bytes of words.
    body: { Seconds: 1, Evidence: '\uffff'.repeat(2_700) },
  },
  { operation: 'DisconnectPlayer', method: 'POST', path: DISCONNECT, body: { DryRun: true, ...EVIDENCE } },
] as const;

type Long = (typeof LONG)[number];

/** Time goes by slowly, so that also a slow machine makes more calls than there may be. */
const SLOWNESS = 20;
const monotonic = () => systemClock.monotonic() / SLOWNESS;

/** A server for which nothing but the bytes on record can be too many. */
async function open(t: TestContext) {
  const settings = { writeCallsPerSecond: 100_000, writeCallsBurst: 100_000, disconnectCallsPerSecond: 100_000 };
  const server = await startTestServer(t, { settings, clock: { ...systemClock, monotonic } });
  const agent = new Agent({ keepAlive: true });
  t.after(() => agent.destroy());
  const call = async ({ method, path, body }: Pick<Long, 'method' | 'path'> & { body?: unknown }) =>
    await rawCall(server, method, path, { body, agent });
  return { server, call };
}

/** What counts of a call's bytes. */
function countedOf({ operation, body }: Long): number {
  const found = EVERY_OPERATION.find(({ name }) => name === operation);
  const form = found?.additions ?? found;
  return form?.recordedBytes?.(body as never) ?? 0;
}

test('of a call with many words as many bytes count as its record keeps', async (t) => {
  const { server, call } = await open(t);
  for (const long of LONG) {
    await call(long);
    const { json } = await rawCall(server, 'GET', `/respark/audit-record?Operation=${long.operation}&MaxResults=1`);
    const [record] = json.AuditRecords as { readonly Details: Readonly<Record<string, string>> }[];
    const kept = Object.values(record?.Details ?? {}).reduce((sum, text) => sum + Buffer.byteLength(text), 0);
    const counted = countedOf(long);
    assert.ok(kept > 4_096 && kept < counted + BYTES_BESIDE, `${long.operation}: ${kept} are kept, ${counted} count`);
  }
});

test('calls with many words at the rate of write calls do not soon wash the audit log away', async (t) => {
  const { call } = await open(t);
  const begun = monotonic();
  let recorded = 0;
  for (const long of LONG) {
    const bytes = countedOf(long);
    let refused: string | undefined;
    for (let calls = 0; refused === undefined && calls * bytes < 2 * BURST_BYTES; calls += 10) {
      for (const { error, message = '' } of await Promise.all(Array.from({ length: 10 }, () => call(long)))) {
        if (error === 'ThrottlingException') refused = message;
        else recorded += bytes;
      }
    }
    const most = BURST_BYTES + ((monotonic() - begun) / 1_000) * BYTES_PER_SECOND;
    assert.ok(recorded <= most, `${recorded} bytes are on record, and at most ${most} may be`);
    const tooMany = /^Rate exceeded for bytes on record of this access key: try again in \d+ ms$/;
    assert.match(refused ?? '', tooMany, long.operation);
  }
  // With few words it goes on.
  const brief = { Reason: 'AFK', Evidence: 'match 81' };
  assert.equal((await call({ method: 'POST', path: DISCONNECT, body: brief })).status, 200);
  const guests = { method: 'PUT', path: `${AT_STAGE}/identity`, body: { AllowGuests: true } } as const;
  assert.equal((await call(guests)).status, 200);
});

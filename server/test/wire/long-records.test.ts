import assert from 'node:assert/strict';
import { test } from 'node:test';
import { rawCall } from '../support/raw-call.ts';
import { GAME, STAGE, startTestServer } from '../support/server.ts';

const AT_STAGE = `/respark/game/${GAME}/stage/${STAGE}`;
const DISCONNECT = `/runtime/game/${GAME}/stage/${STAGE}/player/nobody/disconnect`;
/** What a key may put on record at once, and in a second. */
const BURST_BYTES = 4_194_304;
const BYTES_PER_SECOND = 131_072;

const PROVIDERS = Array.from({ length: 10 }, (_, at) => ({
  ...{ Algorithms: ['RS256'], Audiences: ['game'], Issuer: `https://provider-${at}.example` },
  // It is refused, and on record all the same.
  JwksUrl: '\uffff'.repeat(1_600),
}));
const EVIDENCE = { Evidence: '\uffff'.repeat(4_000) };

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
  { operation: 'CloseStageToPlayers', method: 'POST', path: `${AT_STAGE}/closure`, body: { Seconds: 1, ...EVIDENCE } },
  { operation: 'DisconnectPlayer', method: 'POST', path: DISCONNECT, body: { DryRun: true, ...EVIDENCE } },
] as const;

for (const { operation, method, path, body } of LONG) {
  test(`${operation} with many words at the rate of write calls does not soon wash the audit log away`, async (t) => {
    const settings = { writeCallsPerSecond: 100_000, writeCallsBurst: 100_000, disconnectCallsPerSecond: 100_000 };
    const server = await startTestServer(t, { settings });
    const bytes = Buffer.byteLength(JSON.stringify(body));
    const begun = performance.now();
    let recorded = 0;
    const refused: string[] = [];
    for (let round = 0; round < (3 * BURST_BYTES) / bytes && refused.length < 10; round += 10) {
      const answers = await Promise.all(
        Array.from({ length: 10 }, async () => await rawCall(server, method, path, { body })),
      );
      for (const { error, message = '' } of answers) {
        if (error === 'ThrottlingException') refused.push(message);
        else recorded += bytes;
      }
    }
    // The bytes of a body are a few more than those that are counted.
    const most = 1.1 * (BURST_BYTES + ((performance.now() - begun) / 1_000) * BYTES_PER_SECOND);
    assert.ok(recorded < most, `${recorded} bytes are on record, and at most ${most} may be`);
    assert.match(refused[0] ?? '', /^Rate exceeded for bytes on record of this access key: try again in \d+ ms$/);
    // With few words it goes on.
    const brief = await rawCall(server, 'POST', DISCONNECT, { body: { Reason: 'AFK', Evidence: 'match 81' } });
    assert.equal(brief.status, 200);
    assert.equal((await rawCall(server, 'PUT', `${AT_STAGE}/identity`, { body: { AllowGuests: true } })).status, 200);
  });
}

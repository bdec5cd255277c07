import assert from 'node:assert/strict';
import { test } from 'node:test';
import { rawCall } from '../support/raw-call.ts';
import { GAME, STAGE, startTestServer } from '../support/server.ts';

const AT_STAGE = `/respark/game/${GAME}/stage/${STAGE}`;
const DISCONNECT = `/runtime/game/${GAME}/stage/${STAGE}/player/nobody/disconnect`;
/** What a key may put on record at once, and some more for the time that the calls take. */
const MOST_BYTES = 4_194_304 + 1_310_720;

const TEXTS = {
  Messages: Object.fromEntries(['de', 'en', 'es', 'fr', 'it', 'pl', 'pt'].map((at) => [at, 'ש'.repeat(500)])),
};
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
  { operation: 'CloseStageToPlayers', method: 'POST', path: `${AT_STAGE}/closure`, body: { ...TEXTS, Seconds: 1 } },
  { operation: 'DisconnectPlayer', method: 'POST', path: DISCONNECT, body: { DryRun: true, ...EVIDENCE } },
] as const;

for (const { operation, method, path, body } of LONG) {
  test(`${operation} with many words at the rate of write calls does not soon wash the audit log away`, async (t) => {
    const settings = { writeCallsPerSecond: 100_000, writeCallsBurst: 100_000, disconnectCallsPerSecond: 100_000 };
    const server = await startTestServer(t, { settings });
    const bytes = Buffer.byteLength(JSON.stringify(body));
    let recorded = 0;
    const refused: string[] = [];
    for (let round = 0; round < (1.6 * MOST_BYTES) / bytes && refused.length < 10; round += 10) {
      const answers = await Promise.all(
        Array.from({ length: 10 }, async () => await rawCall(server, method, path, { body })),
      );
      for (const { error, message = '' } of answers) {
        if (error === 'ThrottlingException') refused.push(message);
        else recorded += bytes;
      }
    }
    assert.ok(recorded < MOST_BYTES, `${recorded} bytes are on record`);
    assert.match(refused[0] ?? '', /^Rate exceeded for bytes on record of this access key: try again in \d+ ms$/);
    // With few words it goes on.
    const brief = await rawCall(server, 'POST', DISCONNECT, { body: { Reason: 'AFK', Evidence: 'match 81' } });
    assert.equal(brief.status, 200);
    assert.equal((await rawCall(server, 'PUT', `${AT_STAGE}/identity`, { body: { AllowGuests: true } })).status, 200);
  });
}

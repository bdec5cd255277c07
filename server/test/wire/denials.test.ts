import assert from 'node:assert/strict';
import { Agent } from 'node:http';
import { test } from 'node:test';
import { EVERY_OPERATION } from '../../src/api/every-operation.ts';
import { createKey, readAudit } from '../support/administration.ts';
import { rawCall } from '../support/raw-call.ts';
import { GAME, STAGE, startTestServer } from '../support/server.ts';

const KEYS = 25;
const LITTLE = [{ Effect: 'Allow', Action: 'respark:GetServerInfo', Resource: '*' }];

/** Paths of as many operations as need nothing but what their path names. */
const PATHS = EVERY_OPERATION.map(({ http: { method, path } }) => ({
  method,
  path: path
    .replace('{GameName}', GAME)
    .replace('{StageName}', STAGE)
    .replace('{PlayerId}', 'p1')
    .replace(/\{(JobId|WebhookId|DeploymentId)\}/, '01900000-0000-7000-8000-000000000000')
    .replace(/\{\w+\}/, 'Snapshot_2026-01-31T12:00:00.000000Z'),
}));

test('what one key is denied is on record, however much many others are denied in the same minute', async (t) => {
  const server = await startTestServer(t, { settings: { maxAccessKeys: 100, writeCallsBurst: 1_000 } });
  const agent = new Agent({ keepAlive: true });
  t.after(() => agent.destroy());
  for (let index = 0; index < KEYS; index += 1) {
    const credentials = await createKey(server, LITTLE);
    for (const { method, path } of PATHS) await rawCall(server, method, path, { credentials, agent });
  }
  const last = await createKey(server, LITTLE);
  const path = `/runtime/game/${GAME}/stage/${STAGE}/player/p1/disconnect`;
  assert.equal((await rawCall(server, 'POST', path, { credentials: last })).status, 403);
  const records = await readAudit(server, { actor: last.accessKeyId });
  assert.deepEqual(
    records.map(({ operation, outcome }) => [operation, outcome?.error]),
    [['DisconnectPlayer', 'access_denied']],
  );
});

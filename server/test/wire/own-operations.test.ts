import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { CreateGameCommand, DeleteGameCommand, DisconnectPlayerCommand } from '@aws-sdk/client-gamesparks';
import { SignatureV4 } from '@smithy/signature-v4';
import { OWN_OPERATIONS } from '../../src/api/own-operations/index.ts';
import { osUser } from '../../src/app/os-user.ts';
import { FEATURES } from '../../src/domain/server-info.ts';
import { createKey } from '../support/administration.ts';
import { drainLast, playEveryOwnOperation } from '../support/every-own-operation.ts';
import { NodeSha256 } from '../support/node-sha256.ts';
import { rawCall } from '../support/raw-call.ts';
import { GAME, ROOT, STAGE, startTestServer, type TestServer } from '../support/server.ts';
import { createTestWorld } from '../support/world.ts';

/** A call that AWS's own signer has signed. */
async function signedCall(server: TestServer, path: string, credentials = ROOT) {
  const { hostname, host, pathname, searchParams } = new URL(path, server.url);
  const signer = new SignatureV4({ service: 'gamesparks', region: 'us-east-1', credentials, sha256: NodeSha256 });
  const query = Object.fromEntries(searchParams);
  const request = { method: 'GET', protocol: 'http:', hostname, path: pathname, query, headers: { host } };
  const { headers } = await signer.sign(request);
  return await rawCall(server, 'GET', path, { isSigned: false, headers });
}

test('the server tells its version, its node and what it can do beyond Amazon’s API', async (t) => {
  const server = await startTestServer(t, { settings: { allowedOrigins: ['https://game.example'] } });
  const { status, json } = await signedCall(server, '/respark/server');
  const { version } = JSON.parse(readFileSync(new URL('../../../package.json', import.meta.url), 'utf8'));
  assert.equal(status, 200);
  assert.deepEqual(json, {
    ApiVersion: '2021-08-17',
    Features: Object.keys(FEATURES).filter((name) => !name.endsWith('-listener')),
    Node: server.logged.find(({ msg }) => msg === 'server started')?.node,
    Version: version,
  });
  assert.equal((await rawCall(server, 'GET', '/respark/server', { isSigned: false })).status, 403);
});

const CALLS = { readCallsPerSecond: 1_000, writeCallsPerSecond: 1_000, writeCallsBurst: 1_000 };

for (const way of ['calls', 'commands'] as const) {
  test(`one node does every operation of its own that ${way} ask for`, async (t) => {
    const server = await startTestServer(t, { settings: { ...CALLS, webhookPrivateHosts: ['127.0.0.1'] } });
    const confirm = { Effect: 'Allow', Action: 'respark:ConfirmDisconnectJob', Resource: '*' };
    const parts = { way, nodes: [server], credentials: ROOT, second: await createKey(server, [confirm]) };
    await playEveryOwnOperation(t, parts);
    await drainLast(parts);
    await server.drainAsked;
    const asked = new Set(server.logged.map(({ operation }) => operation));
    const missing = OWN_OPERATIONS.map(({ name }) => name).filter((name) => !asked.has(name));
    assert.deepEqual(missing, [], 'each is asked for in every-own-operation.ts');
  });
}

test('[aws-sdk] what AWS clients change is listed, page by page, to those whose policy allows it', async (t) => {
  const server = await startTestServer(t);
  const sdk = server.sdk({ maxAttempts: 1 });
  for (const GameName of ['A', 'B', 'C']) await sdk.send(new CreateGameCommand({ GameName }));
  await assert.rejects(sdk.send(new CreateGameCommand({ GameName: 'A' })), { name: 'ConflictException' });
  const { $metadata } = await sdk.send(new DeleteGameCommand({ GameName: 'B' }));

  const listed: Record<string, unknown>[] = [];
  let token = '';
  let pages = 0;
  do {
    const next = token === '' ? '' : `&NextToken=${encodeURIComponent(token)}`;
    const { json } = await signedCall(server, `/respark/audit-record?Actor=${ROOT.accessKeyId}&MaxResults=2${next}`);
    listed.push(...(json.AuditRecords as Record<string, unknown>[]));
    token = String(json.NextToken ?? '');
    pages += 1;
  } while (token !== '');
  assert.equal(pages, 3);
  assert.deepEqual(
    listed.map(({ Operation, Resource, Outcome }) => [
      Operation,
      String(Resource).split('/').at(-1),
      (Outcome as { Status: number }).Status,
    ]),
    [
      ['DeleteGame', 'B', 200],
      ['CreateGame', 'A', 409],
      ['CreateGame', 'C', 200],
      ['CreateGame', 'B', 200],
      ['CreateGame', 'A', 200],
    ],
  );
  assert.equal(listed[0]?.RequestId, $metadata.requestId);

  const auditor = await createKey(server, [{ Effect: 'Allow', Action: 'respark:ListAuditRecords', Resource: '*' }]);
  assert.equal((await signedCall(server, '/respark/audit-record', auditor)).status, 200);
  const refused = await signedCall(server, '/respark/server', auditor);
  assert.deepEqual([refused.status, refused.error], [403, 'AccessDeniedException']);
  assert.match(refused.message ?? '', /respark:GetServerInfo on resource: \*/);
});

test('what the server makes by itself is on record as its own doing', async (t) => {
  const server = await startTestServer(t);
  const { json } = await signedCall(server, '/respark/audit-record?Order=OLDEST_FIRST');
  assert.deepEqual(
    (json.AuditRecords as Record<string, unknown>[]).map(({ Cause, Actor, Operation }) => [Cause, Actor, Operation]),
    [
      ['OPERATOR', osUser(), 'ChangeRootAccessKey'],
      ['SERVER', 'serve --demo', 'CreateGame'],
      ['SERVER', 'serve --demo', 'CreateStage'],
    ],
  );
});

test('[aws-sdk] "respark audit" asks the server that runs, as it would any server that is named', async (t) => {
  const server = await startTestServer(t);
  const disconnect = new DisconnectPlayerCommand({ GameName: GAME, StageName: STAGE, PlayerId: 'p1' });
  for (let count = 0; count < 130; count += 1) await server.sdk().send(disconnect);
  const asked = () => server.logged.filter(({ operation }) => operation === 'ListAuditRecords').length;

  const beside = createTestWorld({ local: { root: ROOT, url: server.url } });
  assert.equal(await beside.run('audit', '--player', 'p1', '--limit', '120', '--json'), 0, beside.err());
  const records: { time: string; actor: string; playerId: string }[] = JSON.parse(beside.out());
  assert.equal(records.length, 120);
  assert.deepEqual(
    records,
    [...records].sort((a, b) => (a.time < b.time ? -1 : 1)),
  );
  assert.deepEqual([records[0]?.actor, records[0]?.playerId], [ROOT.accessKeyId, 'p1']);
  assert.equal(asked(), 2);

  const env = { AWS_ACCESS_KEY_ID: ROOT.accessKeyId, AWS_SECRET_ACCESS_KEY: ROOT.secretAccessKey };
  const elsewhere = createTestWorld({ env });
  assert.equal(await elsewhere.run('audit', '--endpoint-url', server.url, '--operation', 'CreateStage'), 0);
  assert.match(elsewhere.out(), /CreateStage +serve --demo +server +game\/Demo\/stage\/Dev/);
  const wrong = createTestWorld({ env: { ...env, AWS_SECRET_ACCESS_KEY: 'guess' } });
  assert.equal(await wrong.run('audit', '--endpoint-url', server.url), 1);
  assert.match(wrong.err(), /InvalidSignatureException/);
});

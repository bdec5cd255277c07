import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DeleteStageCommand } from '@aws-sdk/client-gamesparks';
import { SignatureV4 } from '@smithy/signature-v4';
import { policyOfRole } from '../../src/domain/access/roles.ts';
import { createKey, readAudit } from '../support/administration.ts';
import { deployKeeping, KEPT, KEPT_BYTES, play } from '../support/kept-data.ts';
import { NodeSha256 } from '../support/node-sha256.ts';
import { type RawAnswer, rawCall } from '../support/raw-call.ts';
import { GAME, ROOT, STAGE, startTestServer, type TestServer } from '../support/server.ts';

async function start(t: Parameters<typeof startTestServer>[0]): Promise<TestServer> {
  const server = await startTestServer(t, { settings: { readCallsBurst: 1_000, writeCallsBurst: 1_000 } });
  await deployKeeping(server);
  return server;
}

const pathOf = (playerId: string, stage = STAGE) => `/respark/game/${GAME}/stage/${stage}/player/${playerId}/data`;

/** A call that AWS's own signer has signed. */
async function signedCall(server: TestServer, method: string, path: string, credentials = ROOT) {
  const { hostname, host, pathname, searchParams } = new URL(path, server.url);
  const signer = new SignatureV4({ service: 'gamesparks', region: 'us-east-1', credentials, sha256: NodeSha256 });
  const query = Object.fromEntries(searchParams);
  const request = { method, protocol: 'http:', hostname, path: pathname, query, headers: { host } };
  const { headers } = await signer.sign(request);
  return await rawCall(server, method, path, { isSigned: false, headers });
}

test('what scripts keep about a player is shown, and deleted while the player is connected, on record', async (t) => {
  const server = await start(t);
  const [anna, bert] = [await server.connect(), await server.connect()];
  for (const player of [anna, bert]) assert.equal(await play(player, 'Keep'), 'response');
  const path = pathOf(anna.playerId);
  const shown = await signedCall(server, 'GET', path);
  assert.equal(shown.status, 200, shown.message);
  const { Version, ...data } = shown.json;
  assert.ok(Number(Version) > 0);
  assert.deepEqual(data, { Bytes: KEPT_BYTES, ChargedBytes: KEPT_BYTES + 3 * 128, Keys: 3, Values: KEPT });

  const deleted = await signedCall(server, 'DELETE', path);
  assert.deepEqual(deleted.json, { DeletedBytes: KEPT_BYTES, DeletedKeys: 3, FreedBytes: KEPT_BYTES + 3 * 128 });
  const nothing = { Bytes: 0, ChargedBytes: 0, Keys: 0, Values: {}, Version: 0 };
  assert.deepEqual((await signedCall(server, 'GET', path)).json, nothing);
  const again = await signedCall(server, 'DELETE', path);
  assert.deepEqual(again.json, { DeletedBytes: 0, DeletedKeys: 0, FreedBytes: 0 });
  assert.deepEqual((await signedCall(server, 'GET', pathOf(bert.playerId))).json.Values, KEPT);
  await play(anna, 'Keep');
  assert.deepEqual((await signedCall(server, 'GET', path)).json.Values, KEPT, 'scripts may write again');

  const records = await readAudit(server, { operation: 'DeletePlayerData' });
  const ofCall = ({ headers }: RawAnswer) => String(headers['x-amzn-requestid']);
  assert.deepEqual(
    new Map(records.map(({ requestId, playerId, outcome }) => [requestId, [playerId, outcome?.counts]])),
    new Map([
      [ofCall(deleted), [anna.playerId, { keys: 3, bytes: KEPT_BYTES }]],
      [ofCall(again), [anna.playerId, { keys: 0, bytes: 0 }]],
    ]),
  );
  const listed = await signedCall(server, 'GET', '/respark/audit-record?Operation=DeletePlayerData');
  assert.match(JSON.stringify(listed.json), new RegExp(`"Counts":\\{"keys":3,"bytes":${KEPT_BYTES}\\}`));
  const everything = JSON.stringify([server.logged, records, listed.json]);
  assert.ok(!everything.includes('Zoë'), 'no value is in the log or on record');
});

test('data of many pages is read whole, and never as parts of two versions', async (t) => {
  const server = await start(t);
  const player = await server.connect();
  assert.equal(await play(player, 'Fill'), 'response');
  const path = pathOf(player.playerId);
  const values: Record<string, unknown> = {};
  const versions = new Set<unknown>();
  let pages = 0;
  let first = '';
  for (let token = ''; ; ) {
    const { status, json } = await signedCall(server, 'GET', `${path}${token && `?NextToken=${token}`}`);
    assert.equal(status, 200);
    assert.equal(json.Keys, 60);
    versions.add(json.Version);
    Object.assign(values, json.Values);
    pages += 1;
    if (json.NextToken === undefined) break;
    token = encodeURIComponent(String(json.NextToken));
    first ||= token;
  }
  assert.deepEqual([versions.size, Object.keys(values).length], [1, 60]);
  assert.ok(pages >= 4, `${pages} pages`);
  for (const value of Object.values(values)) assert.equal(String(value).length, 3_999);
  const elsewhere = await signedCall(server, 'GET', `${pathOf('bert')}?NextToken=${first}`);
  assert.equal(elsewhere.error, 'ValidationException');
  await play(player, 'Count');
  const late = await signedCall(server, 'GET', `${path}?NextToken=${first}`);
  assert.deepEqual([late.status, late.error], [409, 'ConflictException']);
});

test('a deletion among writes that rest on what was read leaves no part of what was before', async (t) => {
  const server = await start(t);
  const player = await server.connect();
  for (let round = 0; round < 10; round += 1) await play(player, 'Count');
  const plays = Promise.all(Array.from({ length: 5 }, () => play(player, 'Count')));
  const { json } = await signedCall(server, 'DELETE', pathOf(player.playerId));
  assert.equal(json.DeletedKeys, 1);
  await plays;
  const { Values } = (await signedCall(server, 'GET', pathOf(player.playerId))).json as { Values: { count?: number } };
  assert.ok((Values.count ?? 0) <= 5, `the count of before came back: ${Values.count}`);
});

test('only operators and admins delete, developers read, and neither is for viewers and moderators', async (t) => {
  const server = await start(t);
  const may = { viewer: [403, 403], moderator: [403, 403], developer: [200, 403], operator: [200, 200] } as const;
  for (const [role, statuses] of Object.entries({ ...may, admin: [200, 200] })) {
    const { Statement } = policyOfRole(role as keyof typeof may, { game: GAME, stage: STAGE }) as {
      Statement: object[];
    };
    const key = await createKey(server, Statement);
    const got = [];
    for (const method of ['GET', 'DELETE']) got.push((await signedCall(server, method, pathOf('p1'), key)).status);
    assert.deepEqual(got, statuses, role);
  }
  const [action, one] = ['respark:DeletePlayerData', `arn:aws:gamesparks:*:*:game/${GAME}/stage/${STAGE}/player/p1`];
  const key = await createKey(server, [
    { Effect: 'Allow', Action: action, Resource: '*' },
    { Effect: 'Deny', Action: action, Resource: one },
  ]);
  assert.equal((await signedCall(server, 'DELETE', pathOf('p1'), key)).status, 403);
  assert.equal((await signedCall(server, 'DELETE', pathOf('p2'), key)).status, 200);
});

test('[aws-sdk] the data of players of a stage that is unknown or deleted is not found', async (t) => {
  const server = await start(t);
  const player = await server.connect();
  await play(player, 'Keep');
  const statuses = async (stage?: string) => {
    const path = pathOf(player.playerId, stage);
    return [(await signedCall(server, 'GET', path)).error, (await signedCall(server, 'DELETE', path)).error];
  };
  const notFound = Array(2).fill('ResourceNotFoundException');
  assert.deepEqual(await statuses('Nowhere'), notFound);
  await server.sdk().send(new DeleteStageCommand({ GameName: GAME, StageName: STAGE }));
  assert.deepEqual(await statuses(), notFound);
});

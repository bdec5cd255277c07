import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { AccessKeyPair } from '../../src/domain/access/access.ts';
import { policyOfRole, type Role } from '../../src/domain/access/roles.ts';
import { administer, createKey, readAudit } from '../support/administration.ts';
import { rawCall } from '../support/raw-call.ts';
import { GAME, ROOT, STAGE, startTestServer, type TestServer } from '../support/server.ts';

const KEYS = '/respark/access-key';
const EXPLANATION = '/respark/access-explanation';
const ALL = { Effect: 'Allow', Action: '*', Resource: '*' };

interface ListedKey {
  readonly AccessKeyId: string;
  readonly Description: string;
  readonly IsRoot: boolean;
  readonly Policy?: string;
  readonly State: string;
}

const documentOf = (...statements: object[]) => JSON.stringify({ Version: '2012-10-17', Statement: statements });

/** Makes a key by a call. */
async function make(server: TestServer, body: object, credentials: AccessKeyPair = ROOT) {
  const answer = await rawCall(server, 'POST', KEYS, { body, credentials });
  const { AccessKeyId: accessKeyId = '' } = (answer.json.AccessKey ?? {}) as Partial<ListedKey>;
  return { ...answer, pair: { accessKeyId, secretAccessKey: String(answer.json.SecretAccessKey) } };
}

const roleKey = (server: TestServer, role: Role, limits = {}) =>
  createKey(server, (policyOfRole(role, limits) as { Statement: object[] }).Statement);

async function listKeys(server: TestServer): Promise<readonly ListedKey[]> {
  return (await rawCall(server, 'GET', KEYS)).json.AccessKeys as ListedKey[];
}

test('a key that a call has made may do what its role may, until a call revokes it', async (t) => {
  const server = await startTestServer(t);
  const { status, json, pair } = await make(server, { Role: 'viewer', GameName: GAME, StageName: STAGE });
  assert.equal(status, 200);
  const { Policy, ...listed } = json.AccessKey as ListedKey;
  assert.deepEqual(JSON.parse(Policy ?? ''), policyOfRole('viewer', { game: GAME, stage: STAGE }));
  assert.deepEqual(
    [listed.Description, listed.IsRoot, listed.State],
    [`viewer, game ${GAME}, stage ${STAGE}`, false, 'ACTIVE'],
  );
  assert.match(pair.secretAccessKey, /^[A-Za-z0-9]{40}$/);
  const asKey = (method: string, path: string) => rawCall(server, method, path, { credentials: pair });
  assert.equal((await asKey('GET', `/game/${GAME}/stage/${STAGE}`)).status, 200);
  assert.equal((await asKey('GET', KEYS)).error, 'AccessDeniedException');
  const one = `${KEYS}/${pair.accessKeyId}`;
  assert.deepEqual((await rawCall(server, 'GET', one)).json.AccessKey, json.AccessKey);
  assert.deepEqual(
    (await listKeys(server)).find(({ AccessKeyId }) => AccessKeyId === pair.accessKeyId),
    listed,
  );

  for (const _ of ['once', 'again']) assert.deepEqual((await rawCall(server, 'DELETE', one)).json, {});
  const refused = await asKey('GET', `/game/${GAME}/stage/${STAGE}`);
  assert.equal(refused.status, 403);
  assert.notEqual(refused.error, 'AccessDeniedException', 'it is nobody any more');
  assert.equal(((await rawCall(server, 'GET', one)).json.AccessKey as ListedKey).State, 'REVOKED');
});

test('a key that expires may give itself back, which one that does not may not', async (t) => {
  const server = await startTestServer(t);
  const before = Date.now();
  const asked = { body: { Role: 'moderator', LifetimeSeconds: 600 } };
  const made = await rawCall(server, 'POST', KEYS, asked);
  const key = made.json.AccessKey as ListedKey & { Expires: string };
  const lifetimeMs = Date.parse(key.Expires) - before;
  assert.ok(lifetimeMs >= 600_000 && lifetimeMs < 660_000, key.Expires);
  const lent = { accessKeyId: key.AccessKeyId ?? '', secretAccessKey: String(made.json.SecretAccessKey) };
  const giveBack = (credentials: typeof lent) => rawCall(server, 'DELETE', '/respark/own-access-key', { credentials });
  assert.equal((await giveBack(lent)).status, 200);
  assert.equal((await giveBack(lent)).error, 'UnrecognizedClientException');
  for (const credentials of [await roleKey(server, 'moderator'), ROOT]) {
    const refused = await giveBack(credentials);
    assert.deepEqual([refused.status, refused.error], [409, 'ConflictException']);
    assert.match(refused.message ?? '', /does not end by itself/);
  }
});

test('what makes, shows, explains and revokes keys is for administrators of all games alone', async (t) => {
  const server = await startTestServer(t);
  const keys = [
    ...(await Promise.all(
      (['viewer', 'moderator', 'operator', 'developer'] as const).map((role) => roleKey(server, role)),
    )),
    await roleKey(server, 'admin', { game: GAME }),
  ];
  const calls = [
    ['POST', KEYS, { Role: 'viewer' }],
    ['GET', KEYS, undefined],
    ['GET', `${KEYS}/AKIANOBODY`, undefined],
    ['DELETE', `${KEYS}/AKIANOBODY`, undefined],
    ['POST', EXPLANATION, { Action: 'gamesparks:ListGames', Policy: documentOf(ALL) }],
  ] as const;
  for (const [method, path, body] of calls) {
    for (const credentials of keys) {
      assert.equal((await rawCall(server, method, path, { body, credentials })).error, 'AccessDeniedException', path);
    }
    const admin = await roleKey(server, 'admin');
    const { error } = await rawCall(server, method, path, { body, credentials: admin });
    assert.notEqual(error, 'AccessDeniedException', path);
  }
});

test('no key makes one that may do more than itself, and whoever tries is on record', async (t) => {
  const server = await startTestServer(t);
  const maker = await createKey(server, [
    { Effect: 'Allow', Action: ['respark:CreateAccessKey', 'gamesparks:GetGame'], Resource: '*' },
    { Effect: 'Allow', Action: '*', Resource: `arn:aws:gamesparks:*:*:game/${GAME}` },
    { ...ALL, Condition: { DateLessThan: { 'aws:CurrentTime': '2999-01-01' } } },
  ]);
  const before = (await listKeys(server)).length;
  for (const [body, named] of [
    [{ Role: 'admin' }, /grant: gamesparks:CreateGame/],
    [{ Role: 'viewer' }, /grant: gamesparks:ListGames/],
    [{ Policy: documentOf(ALL) }, /grant: .* and \d+ more, because a key gives away only what/],
    [{ Policy: documentOf({ ...ALL, Action: 'respark:DrainNode' }) }, /grant: respark:DrainNode, because/],
    [{ Policy: documentOf({ ...ALL, Action: 'gamesparks:GetGame*' }) }, /GetGameConfiguration/],
    [{ Policy: documentOf({ ...ALL, Action: 'gamesparks:GetGam?' }) }, /actions of later versions/],
  ] as const) {
    const { status, error, message } = await make(server, body, maker);
    assert.deepEqual([status, error], [403, 'AccessDeniedException'], message);
    assert.match(message ?? '', named);
  }
  assert.equal((await listKeys(server)).length, before);
  const own = await make(server, { Policy: documentOf({ ...ALL, Action: 'gamesparks:GetGame' }) }, maker);
  assert.equal(own.status, 200, own.message);
  const tried = await readAudit(server, { operation: 'CreateAccessKey', actor: maker.accessKeyId });
  assert.deepEqual(
    tried.map(({ outcome }) => outcome?.error).sort(),
    [...Array.from({ length: 6 }, () => 'access_denied'), undefined].sort(),
  );

  // Not even by a chain of keys: what each one makes may do no more than that one.
  const admin = await roleKey(server, 'admin');
  const second = await make(server, { Role: 'admin' }, admin);
  assert.equal(second.status, 200, second.message);
  const third = await make(server, { Policy: documentOf(ALL) }, second.pair);
  assert.match(third.message ?? '', /grant: gamesparks:InvokeBackend/);
});

test('the root key and a caller’s own cannot be revoked, so there is always one left', async (t) => {
  const server = await startTestServer(t);
  const admin = await roleKey(server, 'admin');
  const revoke = (accessKeyId: string) => rawCall(server, 'DELETE', `${KEYS}/${accessKeyId}`, { credentials: admin });
  const root = await revoke(ROOT.accessKeyId);
  assert.equal(root.error, 'ConflictException');
  assert.match(root.message ?? '', /root access key is set by RESPARK_ROOT_ACCESS_KEY_ID: change it there/);
  const own = await revoke(admin.accessKeyId);
  assert.equal(own.error, 'ConflictException');
  assert.match(own.message ?? '', /signs this call, and cannot revoke itself: use another one/);
  const unknown = await revoke('AKIANOBODY');
  assert.equal(unknown.error, 'ResourceNotFoundException');
  const stored = (await listKeys(server)).filter(({ IsRoot }) => IsRoot);
  for (const { AccessKeyId } of stored) assert.equal((await revoke(AccessKeyId)).error, 'ConflictException');
  assert.equal((await rawCall(server, 'GET', KEYS, { credentials: admin })).status, 200);
});

test('keys that calls make are on record with the digest of their policy, and their secrets nowhere', async (t) => {
  const server = await startTestServer(t);
  const { pair, headers } = await make(server, { Policy: documentOf(ALL), Description: 'for Ada' });
  const [record] = await readAudit(server, { operation: 'CreateAccessKey' });
  assert.equal(record?.requestId, headers['x-amzn-requestid']);
  assert.equal(record?.actor, ROOT.accessKeyId);
  assert.equal(record?.resource, `arn:aws:iam::000000000000:access-key/${pair.accessKeyId}`);
  assert.deepEqual(Object.keys(record?.details ?? {}).sort(), ['description', 'policySha256']);
  assert.equal(record?.details?.description, 'for Ada');
  const all = JSON.stringify([server.logged, await readAudit(server), await listKeys(server)]);
  assert.ok(!all.includes(pair.secretAccessKey));
  assert.ok(all.includes(pair.accessKeyId));
});

test('a key is made for a role or a policy, and the faults of a policy name their place', async (t) => {
  const server = await startTestServer(t);
  for (const [body, expected] of [
    [{}, /^give the key either a Role or a Policy$/],
    [{ Role: 'viewer', Policy: documentOf(ALL) }, /^give the key either a Role or a Policy$/],
    [{ Policy: documentOf(ALL), GameName: GAME }, /limit a Role/],
    [{ Role: 'viewer', StageName: STAGE }, /Name the game too/],
    [{ Role: 'king' }, /enum value set/],
    [
      { Policy: documentOf({ ...ALL, Action: 'gamesparks:Kick' }) },
      /^The policy is not valid\. Statement\[0\]\.Action: /,
    ],
  ] as const) {
    const { status, error, message } = await make(server, body);
    assert.deepEqual([status, error], [400, 'ValidationException'], message);
    assert.match(message ?? '', expected);
  }
  const others = await make(server, { Policy: documentOf({ ...ALL, Action: ['gamesparks:GetGame', 'logs:*'] }) });
  assert.match(String(others.json.Warnings), /never called here/);
});

test('keys are listed page by page, and too many are refused', async (t) => {
  const server = await startTestServer(t, { settings: { maxAccessKeys: 5 } });
  for (let made = 0; made < 5; made += 1) await make(server, { Role: 'viewer' });
  assert.equal((await make(server, { Role: 'viewer' })).error, 'ServiceQuotaExceededException');
  const seen: string[] = [];
  let token: string | undefined;
  do {
    const path = `${KEYS}?MaxResults=2${token === undefined ? '' : `&NextToken=${token}`}`;
    const { json } = await rawCall(server, 'GET', path);
    seen.push(...(json.AccessKeys as ListedKey[]).map(({ AccessKeyId }) => AccessKeyId));
    token = json.NextToken as string | undefined;
  } while (token !== undefined);
  const all = await administer(server, (access) => access.listKeys());
  assert.deepEqual(seen, all.map(({ id }) => id).sort());
});

async function explained(t: TestContext) {
  const server = await startTestServer(t);
  return {
    server,
    async ask(body: object) {
      const { status, json, message } = await rawCall(server, 'POST', EXPLANATION, { body });
      assert.equal(status, 200, message);
      return json as {
        Explanation: string;
        IsAllowed: boolean;
        Reason?: string;
        Resources: string[];
        Statements: { Path: string; Applies: boolean; Explanation: string }[];
      };
    },
  };
}

test('ExplainAccess says what decides a call of a key, as the call itself is decided', async (t) => {
  const { server, ask } = await explained(t);
  const key = await roleKey(server, 'moderator', { game: GAME, stage: STAGE });
  const named = { AccessKeyId: key.accessKeyId, GameName: GAME, StageName: STAGE, PlayerId: 'p1' };
  const allowed = await ask({ ...named, Action: 'respark:BlockPlayer' });
  assert.deepEqual([allowed.IsAllowed, allowed.Reason], [true, undefined]);
  assert.match(allowed.Explanation, /^respark:BlockPlayer is allowed by Statement\[\d\] \(moderatorstage\)\.$/);
  assert.deepEqual(
    allowed.Resources.at(-1),
    `arn:aws:gamesparks:us-east-1:000000000000:game/${GAME}/stage/${STAGE}/player/p1`,
  );
  const elsewhere = await ask({ ...named, StageName: 'Other', Action: 'respark:BlockPlayer' });
  assert.deepEqual([elsewhere.IsAllowed, elsewhere.Reason], [false, 'NO_ALLOW']);
  assert.ok(elsewhere.Statements.some(({ Explanation }) => /does not cover the resource .*\/Other/.test(Explanation)));
  const call = await rawCall(server, 'POST', `/respark/game/${GAME}/stage/Other/player/p1/block`, {
    body: {},
    credentials: key,
  });
  assert.equal(call.error, 'AccessDeniedException');
  assert.equal((await ask({ AccessKeyId: ROOT.accessKeyId, Action: 'respark:DrainNode' })).IsAllowed, true);
});

test('ExplainAccess takes a policy that no key has, and the address that a call would come from', async (t) => {
  const { server, ask } = await explained(t);
  const Policy = documentOf(
    { ...ALL, Condition: { IpAddress: { 'aws:SourceIp': '10.0.0.0/8' } } },
    { Sid: 'Safe', Effect: 'Deny', Action: 'gamesparks:DeleteGame', Resource: '*' },
  );
  const at = { Policy, GameName: GAME };
  assert.equal((await ask({ ...at, Action: 'gamesparks:GetGame' })).IsAllowed, false);
  assert.equal((await ask({ ...at, Action: 'gamesparks:GetGame', SourceAddress: '10.1.2.3' })).IsAllowed, true);
  const deleted = await ask({ ...at, Action: 'gamesparks:DeleteGame', SourceAddress: '10.1.2.3' });
  assert.deepEqual(
    [deleted.Reason, deleted.Explanation],
    ['EXPLICIT_DENY', 'gamesparks:DeleteGame is denied by Statement[1] (Safe).'],
  );
  for (const [body, expected] of [
    [{ Action: 'gamesparks:GetGame', Policy }, /gamesparks:GetGame is about a place: say where by GameName$/],
    [{ Action: 'gamesparks:GetGames', Policy }, /no operation has the action "gamesparks:GetGames"/],
    [{ Action: 'gamesparks:ListGames' }, /either an AccessKeyId or a Policy/],
    [{ Action: 'gamesparks:ListGames', Policy: '{' }, /^The policy is not valid\. The document: is not JSON/],
    [
      { Action: 'gamesparks:ListGames', AccessKeyId: 'AKIANOBODY' },
      /no access key that may sign with the id "AKIANOBODY"/,
    ],
  ] as const) {
    assert.match((await rawCall(server, 'POST', EXPLANATION, { body })).message ?? '', expected);
  }
  assert.deepEqual(await readAudit(server), [], 'asking changes nothing');
});

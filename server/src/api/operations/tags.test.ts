import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { openApi } from '../../../test/support/api.ts';
import { ROLE } from '../../../test/support/domain.ts';
import { findRecords } from '../../store/audit/audit-log.contract.ts';

const GAME = 'arn:aws:gamesparks:us-east-1:123456789012:game/Demo';
const STAGE = `${GAME}/stage/Dev`;
const pathOf = (arn: string) => `/tags/${encodeURIComponent(arn)}`;

async function openTagged(t: TestContext) {
  const api = await openApi(t);
  await api.call('POST', '/game', { body: { GameName: 'Demo', Tags: { team: 'a' } } });
  await api.call('POST', '/game/Demo/stage', { body: { StageName: 'Dev', Role: ROLE, Tags: { env: 'dev' } } });
  return api;
}

test('games and stages are tagged, untagged and listed by their ARN', async (t) => {
  const { call } = await openTagged(t);
  const tagged = await call('POST', pathOf(GAME), { body: { tags: { cost: '1', team: 'b' } } });
  assert.deepEqual([tagged.status, tagged.json], [200, {}]);
  assert.deepEqual((await call('GET', pathOf(GAME))).json, { tags: { cost: '1', team: 'b' } });
  assert.deepEqual((await call('DELETE', `${pathOf(GAME)}?tagKeys=cost&tagKeys=none`)).json, {});
  assert.deepEqual((await call('GET', pathOf(GAME))).json, { tags: { team: 'b' } });
  assert.deepEqual((await call('DELETE', `${pathOf(STAGE)}?tagKeys=env`)).json, {});
  assert.deepEqual((await call('GET', pathOf(STAGE))).json, {});
});

test('AWS’s own tags and foreign ARNs are refused, and a resource that does not exist is not found', async (t) => {
  const { call } = await openTagged(t);
  const invalid: [string, string, object?][] = [
    ['POST', pathOf(GAME), { tags: { 'aws:x': '' } }],
    ['POST', pathOf(GAME), { tags: {} }],
    ['POST', pathOf(GAME), { Tags: { x: '' } }],
    ['DELETE', `${pathOf(GAME)}?tagKeys=aws:x`],
    ['DELETE', pathOf(GAME)],
    ['GET', pathOf(`${STAGE}/player/p1`)],
    ['GET', pathOf(GAME.replace('us-east-1', 'eu-west-1'))],
    ['GET', pathOf('arn:aws:s3:::bucket-of-somebody')],
  ];
  for (const [method, path, body] of invalid) {
    const { status, error } = await call(method, path, { body });
    assert.equal(`${status} ${error}`, '400 ValidationException', `${method} ${path}`);
  }
  assert.equal((await call('GET', pathOf(`${GAME}2`))).status, 404);
});

test('an ARN that a proxy has decoded means the same, and its slashes count', async (t) => {
  const { call } = await openTagged(t);
  const decoded = await call('GET', `/tags/${STAGE}`);
  assert.deepEqual([decoded.status, decoded.json], [200, (await call('GET', pathOf(STAGE))).json]);
  for (const wrong of [`${GAME}/`, `${GAME}//stage/Dev`, `/${GAME}`, `${STAGE}/player/p1`]) {
    assert.equal((await call('GET', `/tags/${wrong}`)).status, 400, wrong);
  }
});

test('policies see the ARN, its tags, and the tags and keys of the call', async (t) => {
  const { call, addKey } = await openTagged(t);
  const statement = (Action: string, Resource: string, Condition?: object) => ({
    ...{ Effect: 'Allow', Action: `gamesparks:${Action}`, Resource },
    ...(Condition && { Condition }),
  });
  const onlyKeys = { 'ForAllValues:StringEquals': { 'aws:TagKeys': ['cost', 'env'] } };
  addKey('tagger', {
    Version: '2012-10-17',
    Statement: [
      statement('TagResource', GAME, onlyKeys),
      statement('UntagResource', GAME, onlyKeys),
      statement('TagResource', STAGE, { StringEquals: { 'aws:RequestTag/cost': '1', 'aws:ResourceTag/env': 'dev' } }),
      statement('ListTagsForResource', STAGE),
    ],
  });
  const calls: [number, string, string, object?][] = [
    [200, 'POST', pathOf(GAME), { tags: { cost: '2', env: 'x' } }],
    [403, 'POST', pathOf(GAME), { tags: { cost: '2', other: '' } }],
    [200, 'DELETE', `${pathOf(GAME)}?tagKeys=cost&tagKeys=env`],
    [403, 'DELETE', `${pathOf(GAME)}?tagKeys=cost&tagKeys=team`],
    [403, 'POST', pathOf(STAGE), { tags: { cost: '2' } }],
    [200, 'POST', pathOf(STAGE), { tags: { cost: '1', env: 'live' } }],
    [403, 'POST', pathOf(STAGE), { tags: { cost: '1' } }],
    [200, 'GET', pathOf(STAGE)],
    [403, 'GET', pathOf(GAME)],
    [403, 'GET', pathOf(`${STAGE}2`)],
  ];
  for (const [expected, method, path, body] of calls) {
    const { status } = await call(method, path, { body, accessKeyId: 'tagger' });
    assert.equal(status, expected, `${method} ${decodeURIComponent(path)}`);
  }
  assert.deepEqual((await call('GET', pathOf(GAME))).json, { tags: { team: 'a' } });
});

test('tagging is recorded under the ARN', async (t) => {
  const { call, auditLog } = await openTagged(t);
  await call('POST', pathOf(STAGE), { body: { tags: { a: 'b' } } });
  const records = await findRecords(auditLog, { operation: 'TagResource' });
  assert.deepEqual(
    records.map(({ resource }) => resource),
    [STAGE],
  );
});

test('an ARN of nothing here gets into no record, neither of a change nor of a refusal', async (t) => {
  const { call, auditLog, addKey } = await openApi(t);
  addKey('nothing', { Version: '2012-10-17', Statement: [{ Effect: 'Deny', Action: '*', Resource: '*' }] });
  const madeUp = [
    'arn:aws:gamesparks:eu-west-1:999999999999:game/Demo',
    'arn:aws:gamesparks:us-east-1:123456789012:game/Demo/../Other',
    'arn:aws:gamesparks:looks like a game',
  ];
  for (const arn of madeUp) {
    assert.equal((await call('POST', pathOf(arn), { body: { tags: { a: 'b' } } })).status, 400);
    assert.equal((await call('DELETE', `${pathOf(arn)}?tagKeys=a`)).status, 400);
    const denied = await call('POST', pathOf(arn), { body: { tags: { a: 'b' } }, accessKeyId: 'nothing' });
    assert.equal(denied.status, 403);
  }
  const records = await findRecords(auditLog);
  assert.deepEqual(
    records.map(({ operation, resource, outcome }) => [operation, resource, outcome?.error]),
    [['TagResource', '', 'access_denied']],
  );
});

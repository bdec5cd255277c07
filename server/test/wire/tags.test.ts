import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import {
  AccessDeniedException,
  CreateStageCommand,
  DeleteGameCommand,
  GetGameCommand,
  GetStageCommand,
  ListGamesCommand,
  ListStagesCommand,
  ListTagsForResourceCommand,
  ResourceNotFoundException,
  TagResourceCommand,
  UntagResourceCommand,
  ValidationException,
} from '@aws-sdk/client-gamesparks';
import { createKey } from '../support/administration.ts';
import { findAwsCli } from '../support/aws-cli.ts';
import { testEachClient } from '../support/aws-clients.ts';
import { ROLE } from '../support/domain.ts';
import { COMMON_TRIGGERS } from '../support/modelled-errors.ts';
import { GAME, ROOT, STAGE, startTestServer } from '../support/server.ts';

const GAME_ARN = `arn:aws:gamesparks:us-east-1:000000000000:game/${GAME}`;
const STAGE_ARN = `${GAME_ARN}/stage/${STAGE}`;
const DEV = { GameName: GAME, StageName: STAGE };

const aws = await findAwsCli();

testEachClient(aws, 'a call that nothing allows, or one too many, has its name, modelled or not', async (t, client) => {
  for (const name of ['AccessDeniedException', 'ThrottlingException'] as const) {
    const { server, credentials = ROOT } = await COMMON_TRIGGERS[name].circumstance(t);
    const call = client.open(server, { credentials });
    const calls = [
      () => call('TagResource', { ResourceArn: GAME_ARN, tags: { team: 'red' } }),
      () => call('UntagResource', { ResourceArn: GAME_ARN, tagKeys: ['team'] }),
      () => call('ListTagsForResource', { ResourceArn: GAME_ARN }),
    ];
    for (const refused of client.isSlow ? calls.slice(0, 1) : calls) await assert.rejects(refused(), { name });
  }
});

testEachClient(aws, 'games and stages are tagged, listed and untagged', async (t, client) => {
  const server = await startTestServer(t);
  const call = client.open(server);
  const [ofGame, ofStage] = [{ ResourceArn: GAME_ARN }, { ResourceArn: STAGE_ARN }];
  assert.deepEqual(await call('ListTagsForResource', ofGame), {}, 'no empty map');
  const tags = { 'cost-centre': '4711', 'a/b.c:d+e=f_g': ' spaces @ the ends ', team: '' };
  assert.deepEqual(await call('TagResource', { ...ofGame, tags }), {});
  assert.deepEqual(await call('TagResource', { ...ofStage, tags: { tier: 'dev' } }), {});
  assert.deepEqual(await call('ListTagsForResource', ofGame), { tags });
  assert.deepEqual(await call('ListTagsForResource', ofStage), { tags: { tier: 'dev' } });

  assert.deepEqual(await call('TagResource', { ...ofGame, tags: { team: 'red', new: '1' } }), {});
  const tagKeys = ['a/b.c:d+e=f_g', 'new', 'never-there'];
  assert.deepEqual(await call('UntagResource', { ...ofGame, tagKeys }), {});
  const { tags: left } = await call('ListTagsForResource', ofGame);
  assert.deepEqual(left, { 'cost-centre': '4711', team: 'red' });
});

async function start(t: TestContext) {
  const server = await startTestServer(t);
  const sdk = server.sdk({ maxAttempts: 1 });
  const tag = (tags: Record<string, string>, ResourceArn = GAME_ARN) =>
    sdk.send(new TagResourceCommand({ ResourceArn, tags }));
  const untag = (tagKeys: string[], ResourceArn = GAME_ARN) =>
    sdk.send(new UntagResourceCommand({ ResourceArn, tagKeys }));
  const list = async (ResourceArn = GAME_ARN) => (await sdk.send(new ListTagsForResourceCommand({ ResourceArn }))).tags;
  return { ...server, client: sdk, tag, untag, list };
}

test('[aws-sdk] tags are seen wherever the game and the stage are, and their time of update moves', async (t) => {
  const { client, tag, untag } = await start(t);
  const game = async () => (await client.send(new GetGameCommand({ GameName: GAME }))).Game;
  const stage = async () => (await client.send(new GetStageCommand(DEV))).Stage;
  const before = [await game(), await stage()];
  await tag({ team: 'red' });
  await tag({ tier: 'dev' }, STAGE_ARN);
  const after = [await game(), await stage()];
  assert.deepEqual(
    after.map((details) => details?.Tags),
    [{ team: 'red' }, { tier: 'dev' }],
  );
  for (const [index, details] of after.entries()) {
    const [was, is] = [before[index]?.LastUpdated?.getTime() ?? Number.NaN, details?.LastUpdated?.getTime() ?? 0];
    assert.ok(is >= was && is <= Date.now());
    assert.deepEqual(details?.Created, before[index]?.Created);
  }
  const { Games } = await client.send(new ListGamesCommand({}));
  const { Stages } = await client.send(new ListStagesCommand({ GameName: GAME }));
  assert.deepEqual([Games?.[0]?.Tags, Stages?.[0]?.Tags], [{ team: 'red' }, { tier: 'dev' }]);
  await untag(['team']);
  await untag(['tier'], STAGE_ARN);
  assert.deepEqual([(await game())?.Tags, (await stage())?.Tags], [undefined, undefined]);
});

const many = (from: number, to: number) =>
  Object.fromEntries(Array.from({ length: to - from }, (_, index) => [`k${from + index}`, '']));

test('[aws-sdk] the fiftieth tag is the last, in one call or in several', async (t) => {
  const { tag, untag, list } = await start(t);
  await assert.rejects(tag(many(0, 51)), /'tags' .*length less than or equal to 50/);
  assert.equal(await list(), undefined);
  await tag(many(0, 50));
  await tag(many(0, 50));
  await assert.rejects(tag({ k0: 'changed', k50: '' }), (error) => {
    assert(error instanceof ValidationException);
    assert.match(error.message, /would have 51 tags, but may have only 50: remove some with UntagResource first/);
    return true;
  });
  assert.deepEqual(await list(), many(0, 50));
  await assert.rejects(untag(Object.keys(many(0, 51))), /'tagKeys' .*length less than or equal to 50/);
  await untag(Object.keys(many(0, 50)));
  assert.equal(await list(), undefined);
});

test('[aws-sdk] keys and values have the lengths and letters of the model', async (t) => {
  const { tag, list } = await start(t);
  const fine = { ['k'.repeat(128)]: 'v'.repeat(256), awsome: '', 'x;<,+-=._:/9': '\t\n _9:/@' };
  await tag(fine);
  assert.deepEqual(await list(), fine);
  const wrong = ['aws:', 'aws:x', 'a b', 'é', '', 'k'.repeat(129), 'a\0', 'a~'].map((key) => ({ [key]: '' }));
  for (const tags of [...wrong, ...['v'.repeat(257), 'é', '\0', 'a\0b', '~'].map((value) => ({ key: value }))]) {
    await assert.rejects(tag({ fine: '', ...tags }), ValidationException, JSON.stringify(tags));
  }
  assert.deepEqual(await list(), fine, 'nothing of a call that is refused');
});

test('[aws-cli] a key such as __proto__ is a tag like any other', { skip: aws === undefined }, async (t) => {
  const server = await startTestServer(t);
  const call = async (operation: string, input: object) =>
    await aws?.({ endpoint: server.url, operation, input: { ResourceArn: GAME_ARN, ...input }, credentials: ROOT });
  const tags = JSON.parse('{"__proto__":"x","constructor":"y"}');
  await call('TagResource', { tags });
  assert.equal(JSON.stringify(await call('ListTagsForResource', {})), JSON.stringify({ tags }));
  await call('UntagResource', { tagKeys: ['__proto__', 'toString'] });
  assert.deepEqual(await call('ListTagsForResource', {}), { tags: { constructor: 'y' } });
});

test('[aws-sdk] only the ARNs of games and stages of this server can be tagged', async (t) => {
  const { client, tag, untag, list } = await start(t);
  const calls = (arn: string) => [() => tag({ a: '' }, arn), () => untag(['a'], arn), () => list(arn)];
  const foreign = [
    GAME_ARN.replace('us-east-1', 'eu-west-1'),
    GAME_ARN.replace('000000000000', '123456789012'),
    `${GAME_ARN}/snapshot/Snapshot_2026-01-02T03:04:05.000000Z`,
    `${STAGE_ARN}/player/p1`,
    `${GAME_ARN}/`,
    `${GAME_ARN}\n`,
    `${GAME_ARN}/stage/`,
    `${GAME_ARN}%20`,
    'arn:aws:gamesparks:us-east-1:000000000000:game/*',
  ];
  for (const arn of foreign) {
    for (const call of calls(arn)) {
      await assert.rejects(call(), (error) => {
        assert(error instanceof ValidationException, `${arn}: ${error}`);
        assert.match(error.message, /must be the ARN of a game or a stage of this server: .*game\/NAME/);
        return true;
      });
    }
  }
  await client.send(new DeleteGameCommand({ GameName: GAME }));
  for (const arn of [GAME_ARN, STAGE_ARN, GAME_ARN.toLowerCase()]) {
    for (const call of calls(arn)) await assert.rejects(call(), ResourceNotFoundException, arn);
  }
});

test('[aws-sdk] policies hold tagging to certain keys, values and resources, by what they deny', async (t) => {
  const server = await start(t);
  await server.client.send(new CreateStageCommand({ ...DEV, StageName: 'Live', Role: ROLE, Tags: { tier: 'live' } }));
  const LIVE_ARN = `${GAME_ARN}/stage/Live`;
  const deny = (Action: string[], Condition: object, Resource = '*') => ({
    Effect: 'Deny',
    Action,
    Resource,
    Condition,
  });
  const tagging = ['gamesparks:TagResource', 'gamesparks:UntagResource'];
  const credentials = await createKey(server, [
    { Effect: 'Allow', Action: 'gamesparks:*', Resource: `${GAME_ARN}*` },
    deny(tagging, { 'ForAnyValue:StringLike': { 'aws:TagKeys': ['billing*', 'owner'] } }),
    deny(['gamesparks:TagResource'], {
      Null: { 'aws:RequestTag/team': 'false' },
      StringNotEquals: { 'aws:RequestTag/team': ['red', 'blue'] },
    }),
    deny(['gamesparks:*'], { StringEquals: { 'aws:ResourceTag/tier': 'live' } }),
  ]);
  const sdk = server.sdk({ credentials });
  const tag = (ResourceArn: string, tags: Record<string, string>) =>
    sdk.send(new TagResourceCommand({ ResourceArn, tags }));
  const untag = (ResourceArn: string, ...tagKeys: string[]) =>
    sdk.send(new UntagResourceCommand({ ResourceArn, tagKeys }));
  await tag(GAME_ARN, { team: 'red', note: 'x' });
  await tag(STAGE_ARN, { note: 'x' });
  await untag(GAME_ARN, 'note');
  const denied = [
    () => tag(GAME_ARN, { team: 'green' }),
    () => tag(GAME_ARN, { team: 'red', owner: 'me' }),
    () => tag(STAGE_ARN, { 'billing:code': '1' }),
    () => untag(GAME_ARN, 'team', 'owner'),
    () => untag(STAGE_ARN, 'billing'),
    () => tag(LIVE_ARN, { note: 'x' }),
    () => untag(LIVE_ARN, 'tier'),
    () => sdk.send(new ListTagsForResourceCommand({ ResourceArn: LIVE_ARN })),
  ];
  for (const call of denied) {
    await assert.rejects(call(), (error) => {
      assert(error instanceof Error && error.name === AccessDeniedException.name, `${call}: ${error}`);
      assert.match(error.message, /to perform: gamesparks:\w+ on resource: arn:.* with an explicit deny/);
      return true;
    });
  }
  assert.deepEqual([await server.list(), await server.list(STAGE_ARN)], [{ team: 'red' }, { note: 'x' }]);
  // What the tag forbids, whoever may take the tag away allows again.
  await server.untag(['tier'], LIVE_ARN);
  await tag(LIVE_ARN, { note: 'x' });
});

test('[aws-sdk] of many calls at once no tag is lost', async (t) => {
  const { tag, list } = await start(t);
  await Promise.all(Object.keys(many(0, 20)).map((key) => tag({ [key]: '' })));
  assert.deepEqual(await list(), many(0, 20));
});

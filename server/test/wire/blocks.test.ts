import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { ResparkClient, type ResparkError } from '@respark/client';
import { encode, FAREWELL, parseCloseReason } from '@respark/protocol';
import { policyOfRole } from '../../src/domain/access/roles.ts';
import { alterDatabase, createKey, readAudit } from '../support/administration.ts';
import { rawCall } from '../support/raw-call.ts';
import { GAME, STAGE, startTestServer, type TestServer } from '../support/server.ts';

const IN_STAGE = `/respark/game/${GAME}/stage/${STAGE}`;
const FOREVER = { code: 4510, text: 'The player is blocked.' };

/** How a hello is refused. */
async function refused(server: TestServer, hello: { token?: string } = {}) {
  const ws = await server.open();
  const closed = once(ws, 'close');
  ws.send(encode({ kind: 'hello', gameKey: server.gameKey, ...hello }));
  const [code, reason] = await closed;
  return { code: Number(code), ...parseCloseReason(String(reason)) };
}

test('who may block players in one stage cannot take the room for blocks in the others', async (t) => {
  const server = await startTestServer(t, { settings: { maxBlocksPerGame: 20, writeCallsBurst: 1_000 } });
  const stage = { StageName: 'Live', Role: 'arn:aws:iam::123456789012:role/Stage' };
  assert.equal((await rawCall(server, 'POST', `/game/${GAME}/stage`, { body: stage })).status, 200);
  const keyOf = async (stage: string) =>
    await createKey(server, (policyOfRole('moderator', { game: GAME, stage }) as { Statement: object[] }).Statement);
  const [dev, live] = [await keyOf(STAGE), await keyOf('Live')];
  const block = async (stage: string, player: string, credentials: typeof dev) =>
    await rawCall(server, 'POST', `/respark/game/${GAME}/stage/${stage}/player/${player}/block`, { credentials });
  const calls = await Promise.all(Array.from({ length: 25 }, async (_, at) => await block(STAGE, `n${at}`, dev)));
  const refused = calls.filter(({ error }) => error === 'ServiceQuotaExceededException');
  assert.equal(calls.length - refused.length, 18);
  assert.match(
    refused[0]?.message ?? '',
    /^The stage has 18 blocks, as many as one stage may have of those of its game/,
  );
  assert.equal((await block(STAGE, 'n0', dev)).status, 200, 'a block may always be changed');
  assert.equal((await block('Live', 'cheater', live)).status, 200);
});

test('a blocked player is closed and not let in again, until the block is ended or over', async (t) => {
  const server = await startTestServer(t);
  const player = await server.connect();
  const token = await player.token();
  const path = `${IN_STAGE}/player/${player.playerId}/block`;
  const body = { Reason: 'cheating', Message: 'See you', Messages: { de: 'Bis dann' }, Evidence: 'clip 7' };
  const { status, json } = await rawCall(server, 'POST', path, { body });
  assert.equal(status, 200, JSON.stringify(json));
  assert.deepEqual([json.DisconnectSuccesses, json.DisconnectFailures], [[player.connectionId], []]);
  const { Created, RequestId, Actor, ...block } = json.Block as Record<string, unknown>;
  assert.deepEqual(block, { ...body, PlayerId: player.playerId, StageName: STAGE, Enforced: true });
  const closed = await player.closed;
  assert.deepEqual([closed.code, parseCloseReason(closed.reason).requestId], [4510, RequestId]);
  const payload = { reason: 'cheating', messages: { und: 'See you', de: 'Bis dann' }, requestId: RequestId };
  assert.deepEqual(player.frames.at(-1), { kind: 'notification', type: FAREWELL, payload });
  assert.deepEqual(await refused(server, { token }), { ...FOREVER, text: 'See you' });
  assert.deepEqual((await rawCall(server, 'GET', path)).json.Block, json.Block);
  const { Evidence, ...listed } = json.Block as Record<string, unknown>;
  assert.equal(Evidence, 'clip 7');
  assert.deepEqual((await rawCall(server, 'GET', `${IN_STAGE}/block`)).json, { Blocks: [listed] });
  assert.deepEqual((await rawCall(server, 'GET', `/respark/game/${GAME}/block`)).json, { Blocks: [listed] });
  await server.connect();

  const Until = new Date(Date.now() + 3_600_000).toISOString();
  assert.equal((await rawCall(server, 'POST', path, { body: { Until } })).status, 200);
  assert.deepEqual(await refused(server, { token }), { ...FOREVER, until: Date.parse(Until) });
  assert.deepEqual((await rawCall(server, 'DELETE', path)).json, { WasBlocked: true });
  assert.deepEqual((await rawCall(server, 'DELETE', path)).json, { WasBlocked: false });
  assert.equal((await rawCall(server, 'GET', path)).error, 'ResourceNotFoundException');
  await server.connect({ token });
});

test('a reason and texts that one call takes are taken by all that disconnect players or keep them out', async (t) => {
  const server = await startTestServer(t);
  const player = await server.connect();
  const said = { Reason: 'zu oft gemeldet', Message: 'See you', Messages: { de: 'Bis dann', la: 'Vale' } };
  const ofPlayer = `${IN_STAGE}/player/${player.playerId}`;
  for (const [path, body] of [
    [`${IN_STAGE}/disconnect-job`, { Selector: { PlayerIds: [player.playerId] }, DryRun: true }],
    [`/runtime/game/${GAME}/stage/${STAGE}/player/${player.playerId}/disconnect`, { BlockSeconds: 60 }],
    [`/respark/game/${GAME}/player/${player.playerId}/block`, {}],
    [`${ofPlayer}/token/revocation`, {}],
    [`/respark/game/${GAME}/player/${player.playerId}/token/revocation`, {}],
    [`${IN_STAGE}/closure`, {}],
  ] as const) {
    const { status, message } = await rawCall(server, 'POST', path, { body: { ...said, ...body } });
    assert.equal(status, 200, `${path}: ${message}`);
  }
  await player.closed;
  const { payload } = player.frames.at(-1) as { payload?: Record<string, unknown> };
  const { Reason: reason, Message: und, Messages: others } = said;
  assert.deepEqual([payload?.reason, payload?.messages], [reason, { und, ...others }]);
  const { Block } = (await rawCall(server, 'GET', `${ofPlayer}/block`)).json as { Block: Record<string, unknown> };
  assert.deepEqual([Block.Reason, Block.Message, Block.Messages], [reason, und, others]);
  const other = await server.connect().catch((error: Error) => error.message);
  assert.match(String(other), /4007/, 'the stage is closed');
});

test('a kick without a block says texts with one for all other locales too', async (t) => {
  const server = await startTestServer(t);
  const player = await server.connect();
  const path = `/runtime/game/${GAME}/stage/${STAGE}/player/${player.playerId}/disconnect`;
  const { status } = await rawCall(server, 'POST', path, { body: { Message: 'Bye', Messages: { de: 'Tschau' } } });
  assert.equal(status, 200);
  await player.closed;
  const { payload } = player.frames.at(-1) as { payload?: Record<string, unknown> };
  assert.deepEqual([payload?.messages, payload?.message], [{ und: 'Bye', de: 'Tschau' }, undefined]);
});

test('a block in the whole game holds in every stage, beside those of single stages', async (t) => {
  const server = await startTestServer(t);
  const player = await server.connect();
  const token = await player.token();
  const path = `/respark/game/${GAME}/player/${player.playerId}/block`;
  const { json } = await rawCall(server, 'POST', path, { body: { Seconds: 60 } });
  assert.deepEqual(json.DisconnectSuccesses, [player.connectionId]);
  const closed = await player.closed;
  const { until = 0, ...how } = await refused(server, { token });
  assert.deepEqual([closed.code, parseCloseReason(closed.reason).until], [4510, until], 'both say until when');
  assert.deepEqual(how, FOREVER);
  assert(Math.abs(until - Date.now() - 60_000) < 30_000);
  assert.deepEqual((await rawCall(server, 'GET', `${IN_STAGE}/block`)).json, { Blocks: [] });
  await rawCall(server, 'POST', `${IN_STAGE}/player/${player.playerId}/block`);
  await rawCall(server, 'DELETE', path);
  assert.deepEqual(await refused(server, { token }), FOREVER);
});

test('a game has as many blocks as it may, and as many revocations, and those it has can be replaced', async (t) => {
  const server = await startTestServer(t, { settings: { maxBlocksPerGame: 2 } });
  const player = await server.connect();
  const block = async (id: string, body: object = {}) =>
    await rawCall(server, 'POST', `${IN_STAGE}/player/${id}/block`, { body });
  const revoke = async (id: string) => await rawCall(server, 'POST', `${IN_STAGE}/player/${id}/token/revocation`);
  for (const id of ['a', 'b']) assert.deepEqual([(await block(id)).status, (await revoke(id)).status], [200, 200]);
  const disconnect = `/runtime/game/${GAME}/stage/${STAGE}/player/${player.playerId}/disconnect`;
  for (const refused of [
    await block('c'),
    await rawCall(server, 'POST', `/respark/game/${GAME}/player/c/block`, { body: {} }),
    await rawCall(server, 'POST', disconnect, { body: { BlockSeconds: 60 } }),
  ]) {
    assert.deepEqual([refused.status, refused.error], [402, 'ServiceQuotaExceededException']);
    assert.equal(
      refused.message,
      'The game has 2 blocks, as many as this server allows: unblock players, give blocks an end, or raise RESPARK_MAX_BLOCKS_PER_GAME',
    );
  }
  assert.match(
    (await revoke('c')).message ?? '',
    /^The game has 2 revocations of tokens, as many as this server allows/,
  );
  assert.equal(player.ws.readyState, player.ws.OPEN, 'nothing was done');
  assert.equal((await rawCall(server, 'POST', disconnect, { body: { Reason: 'AFK' } })).status, 200);
  assert.deepEqual([(await block('a', { Reason: 'again' })).status, (await revoke('a')).status], [200, 200]);
  assert.equal((await rawCall(server, 'POST', `${IN_STAGE}/closure`, { body: {} })).status, 200);
  assert.deepEqual((await rawCall(server, 'DELETE', `${IN_STAGE}/player/b/block`)).json, { WasBlocked: true });
  assert.equal((await block('c')).status, 200);
});

test('what is said of a block takes no more than is kept of many', async (t) => {
  const server = await startTestServer(t);
  const body = { Message: 'm'.repeat(500), Evidence: '\u4e2d'.repeat(2_600) };
  for (const end of ['player/a/block', 'player/a/token/revocation']) {
    const refused = await rawCall(server, 'POST', `${IN_STAGE}/${end}`, { body });
    assert.equal(refused.error, 'ValidationException', end);
    assert.match(refused.message ?? '', /take 8300 bytes together, and may take 8192/);
    const { status } = await rawCall(server, 'POST', `${IN_STAGE}/${end}`, { body: { Evidence: body.Evidence } });
    assert.equal(status, 200, end);
  }
});

test('calls that keep somebody out count as write calls too when their record is long', async (t) => {
  const server = await startTestServer(t, { settings: { writeCallsBurst: 2, writeCallsPerSecond: 1 } });
  const places = [`${IN_STAGE}/player/cheater`, `/respark/game/${GAME}/player/cheater`];
  for (const path of places.flatMap((place) => [`${place}/block`, `${place}/token/revocation`])) {
    const ask = async (body: object) => await rawCall(server, 'POST', path, { body });
    for (const long of [
      { Evidence: 'x'.repeat(4_096) },
      // Six bytes each, as JSON.
      { Evidence: '\u0001'.repeat(700) },
      {
        Messages: Object.fromEntries(
          ['de', 'en', 'es', 'fr', 'it', 'pl', 'pt', 'ru', 'tr'].map((at) => [at, 'x'.repeat(480)]),
        ),
      },
    ]) {
      const answers = await Promise.all(Array.from({ length: 8 }, async () => await ask(long)));
      const refused = answers.filter(({ error }) => error === 'ThrottlingException');
      assert.ok(refused.length >= 4, `${path}: ${refused.length} were refused of ${JSON.stringify(long).slice(0, 40)}`);
      assert.match(
        refused[0]?.message ?? '',
        /^Rate exceeded for write calls of this access key: try again in \d+ ms$/,
      );
    }
    const brief = { Reason: 'CHEATING', Message: 'x'.repeat(400), Evidence: 'x'.repeat(400) };
    for (let round = 0; round < 5; round += 1) assert.equal((await ask(brief)).status, 200);
  }
});

test('what contradicts itself, has passed, or is about nothing, is refused', async (t) => {
  const server = await startTestServer(t);
  const path = `${IN_STAGE}/player/p1/block`;
  const until = (ms: number) => new Date(Date.now() + ms).toISOString();
  for (const body of [{ Until: until(-1_000) }, { Until: until(60_000), Seconds: 5 }, { Seconds: 0 }, { Reason: '' }]) {
    assert.equal((await rawCall(server, 'POST', path, { body })).error, 'ValidationException', JSON.stringify(body));
  }
  const Messages = Object.fromEntries(['de', 'en', 'es', 'fr', 'ja', 'ko'].map((locale) => [locale, '字'.repeat(500)]));
  for (const where of [path, `/respark/game/${GAME}/player/p1/block`, `${IN_STAGE}/player/p1/token/revocation`]) {
    const { error, message } = await rawCall(server, 'POST', where, { body: { Messages } });
    assert.equal(error, 'ValidationException');
    assert.match(message ?? '', /takes \d+ bytes, and may take 8192/);
  }
  assert.equal((await rawCall(server, 'GET', path)).error, 'ResourceNotFoundException', 'nothing was done');
  for (const elsewhere of ['/respark/game/Nope/stage/Dev', `/respark/game/${GAME}/stage/Nope`, '/respark/game/Nope']) {
    const { error } = await rawCall(server, 'POST', `${elsewhere}/player/p1/block`);
    assert.equal(error, 'ResourceNotFoundException', elsewhere);
  }
});

test('revoked tokens are refused, those of afterwards count, and a connection that goes on gets none', async (t) => {
  const server = await startTestServer(t);
  const player = await server.connect();
  const token = await player.token();
  const path = `${IN_STAGE}/player/${player.playerId}/token`;
  const kept = await rawCall(server, 'POST', `${path}/revocation`, { body: { KeepConnections: true } });
  assert.deepEqual([kept.status, kept.json.DisconnectSuccesses], [200, []]);
  const answered = player.next((frame) => frame.kind === 'error');
  player.request('again', 'GameSparks.Identity.GetPlayerToken');
  const answer = await answered;
  assert.equal(answer.kind === 'error' && answer.code, 'not_allowed');
  assert.equal((await refused(server, { token })).code, 4503);
  const { json } = await rawCall(server, 'POST', path);
  const fresh = await server.connect({ token: String(json.AuthenticationToken) });
  assert.equal(fresh.playerId, player.playerId);
  const ended = await rawCall(server, 'POST', `${path}/revocation`);
  assert.deepEqual(
    (ended.json.DisconnectSuccesses as string[]).toSorted(),
    [player.connectionId, fresh.connectionId].toSorted(),
  );
});

test('a closed stage lets nobody in, and sends away who is there only if that is asked for', async (t) => {
  const server = await startTestServer(t);
  const player = await server.connect();
  const path = `${IN_STAGE}/closure`;
  assert.deepEqual((await rawCall(server, 'GET', path)).json, { IsOpen: true });
  const closing = await rawCall(server, 'POST', path, {
    body: { Seconds: 600, Message: 'New maps', Evidence: 'ticket 7' },
  });
  assert.equal(closing.status, 200, closing.message);
  const { code, text, until = 0, retryAfterMs = 0 } = await refused(server);
  assert.deepEqual([code, text], [4007, 'New maps']);
  const { Closure } = (await rawCall(server, 'GET', path)).json as { Closure: Record<string, unknown> };
  assert.deepEqual([Closure.Message, Closure.Evidence], ['New maps', undefined], 'viewers may ask too');
  const records = await readAudit(server);
  const { details } = records.find(({ operation }) => operation === 'CloseStageToPlayers') ?? {};
  assert.deepEqual([details?.evidence, details?.until?.slice(-1)], ['ticket 7', 'Z']);
  assert(retryAfterMs > 590_000 && until > Date.now() + 590_000);
  await player.token();
  await rawCall(server, 'POST', path, { body: { SendAway: true } });
  const closed = await player.closed;
  assert.equal(closed.code, 4000);
  assert.deepEqual((await rawCall(server, 'GET', path)).json.IsOpen, false);
  assert.deepEqual((await rawCall(server, 'DELETE', path)).json, { WasClosed: true });
  await server.connect();
});

test('a block and a closure that a database has lost, as a fail-over may leave it, can be ended', async (t) => {
  const server = await startTestServer(t);
  const player = await server.connect();
  const token = await player.token();
  const block = `${IN_STAGE}/player/${player.playerId}/block`;
  for (const path of [block, `${IN_STAGE}/closure`]) {
    assert.equal((await rawCall(server, 'POST', path)).status, 200);
    alterDatabase(server, 'DELETE FROM bars');
    const { code } = await refused(server, { token });
    assert.notEqual(code, 1_000);
    const { status, json } = await rawCall(server, 'DELETE', path);
    assert.deepEqual([status, Object.values(json)], [200, [true]]);
    assert.deepEqual(Object.values((await rawCall(server, 'DELETE', path)).json), [false]);
    await server.connect({ token });
  }
  assert.equal((await rawCall(server, 'POST', block)).status, 200);
  assert.equal((await refused(server, { token })).code, 4510);
});

test('blocks outlive the server', async (t) => {
  const first = await startTestServer(t);
  const player = await first.connect();
  const token = await player.token();
  await rawCall(first, 'POST', `${IN_STAGE}/player/${player.playerId}/block`);
  await first.close();
  const second = await startTestServer(t, { dataDir: first.dataDir });
  assert.deepEqual(await refused(second, { token }), FOREVER);
});

test('the SDK tells the game until when a player is blocked, and does not come back', async (t) => {
  const server = await startTestServer(t);
  const player = await server.connect();
  const token = await player.token();
  const until = Date.now() + 3_600_000;
  const body = { Until: new Date(until).toISOString() };
  await rawCall(server, 'POST', `${IN_STAGE}/player/${player.playerId}/block`, { body });
  const client = new ResparkClient({ url: server.playerUrl, gameKey: server.gameKey, token });
  t.after(() => client.close());
  await assert.rejects(client.connect(), (error: ResparkError) => {
    assert.equal(error.code, 'blocked');
    assert.equal((error as unknown as { closure: { until?: number } }).closure.until, until);
    return true;
  });
});

test('a moderator may block players, and may not close the stage', async (t) => {
  const server = await startTestServer(t);
  const { Statement } = policyOfRole('moderator', { game: GAME, stage: STAGE }) as { Statement: object[] };
  const credentials = await createKey(server, Statement);
  const path = `${IN_STAGE}/player/p1/block`;
  for (const method of ['POST', 'GET', 'DELETE']) {
    assert.equal((await rawCall(server, method, path, { credentials })).status, 200, method);
  }
  assert.equal((await rawCall(server, 'POST', `${IN_STAGE}/closure`, { credentials })).status, 403);
  assert.equal((await rawCall(server, 'POST', `/respark/game/${GAME}/player/p1/block`, { credentials })).status, 403);
});

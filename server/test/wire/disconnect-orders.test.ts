import assert from 'node:assert/strict';
import { describe, type TestContext, test } from 'node:test';
import { DisconnectPlayerCommand } from '@aws-sdk/client-gamesparks';
import { FAREWELL, parseCloseReason } from '@respark/protocol';
import { signRequest } from '../../src/api/signature/sigv4.ts';
import type { Settings } from '../../src/config/config.ts';
import { readReceipt, readReceiptKey } from '../../src/domain/audit/receipt-verification.ts';
import { createKey } from '../support/administration.ts';
import { rawCall } from '../support/raw-call.ts';
import {
  assertNothingLeft,
  GAME,
  NO_SEND_LIMITS,
  ROOT,
  STAGE,
  startTestServer,
  type TestPlayer,
  type TestServer,
  until,
} from '../support/server.ts';
import { tlsFiles } from '../support/tls-files.ts';

interface Reply {
  readonly status: number;
  readonly requestId: string | null;
  readonly json: {
    readonly DisconnectSuccesses: readonly string[];
    readonly DisconnectFailures: readonly string[];
    readonly OperationId?: string;
    readonly Receipt?: string;
    readonly Blocked?: boolean;
    readonly BlockedUntil?: string;
    readonly Connections?: readonly Readonly<Record<string, string>>[];
    readonly Message?: string;
  };
}

/** A signed call with this body, as any HTTP client makes it. */
async function call(server: TestServer, playerId: string, body?: unknown): Promise<Reply> {
  const url = new URL(`/runtime/game/${GAME}/stage/${STAGE}/player/${playerId}/disconnect`, server.url);
  const text = body === undefined ? '' : typeof body === 'string' ? body : JSON.stringify(body);
  const signed = { method: 'POST', url, body: Buffer.from(text), ...ROOT, region: 'us-east-1', nowMs: Date.now() };
  const response = await fetch(url, { method: 'POST', body: text, headers: signRequest(signed) });
  const { status, headers } = response;
  return { status, requestId: headers.get('x-amzn-requestid'), json: (await response.json()) as Reply['json'] };
}

/** The same player on `count` sockets. */
async function connectOften(server: TestServer, count: number): Promise<readonly [TestPlayer, ...TestPlayer[]]> {
  const first = await server.connect();
  const token = await first.token();
  const others = Array.from({ length: count - 1 }, () => server.connect({ token }));
  return [first, ...(await Promise.all(others))];
}

const idOf = ({ connectionId }: TestPlayer) => connectionId;

function outcomesOf({ json }: Reply): Record<string, string> {
  return Object.fromEntries((json.Connections ?? []).map(({ Id = '', Outcome, Proof }) => [Id, `${Outcome} ${Proof}`]));
}

function detailsIn(server: TestServer): unknown {
  return server.logged.findLast(({ msg }) => msg === 'audited call')?.details;
}

for (const transport of ['TCP', 'TLS'] as const) {
  const { certFile, keyFile } = tlsFiles('first');
  const tls = { playerPort: 0, playerTlsCertFile: certFile, playerTlsKeyFile: keyFile };
  const start = async (t: TestContext, settings: Partial<Settings> = {}) =>
    await startTestServer(t, { settings: { ...(transport === 'TLS' ? tls : {}), ...settings } });

  describe(`DisconnectPlayer with a body, of players over ${transport}`, () => {
    test('[ws] the player hears why before the close frame, and the caller what became of each connection', async (t) => {
      const server = await start(t);
      const players = await connectOften(server, 2);
      const startedAt = Date.now();
      const reply = await call(server, players[0].playerId, {
        Reason: 'CHEATING',
        Messages: { en: 'Bye', de: 'Tschüß' },
      });
      const { OperationId: operationId, Connections: connections = [], ...lists } = reply.json;
      assert.deepEqual([reply.status, operationId], [200, reply.requestId]);
      assert.deepEqual([...lists.DisconnectSuccesses].sort(), players.map(idOf).sort());
      assert.deepEqual(lists.DisconnectFailures, []);
      for (const { Id, Outcome, Proof, ClosedAt = '', Created = '', Node, ...more } of connections) {
        assert.deepEqual([Outcome, Proof, more], ['CLOSED', 'CLOSE_FRAME_ACCEPTED', {}], Id);
        assert.ok(Node !== undefined && Date.parse(Created) <= startedAt, `${Node} ${Created}`);
        assert.ok(Date.parse(ClosedAt) >= startedAt && Date.parse(ClosedAt) <= Date.now(), ClosedAt);
      }
      assert.deepEqual(connections.map(({ Id }) => Id).sort(), players.map(idOf).sort());
      for (const player of players) {
        assert.equal((await player.closed).code, 4500);
        const payload = { reason: 'CHEATING', messages: { en: 'Bye', de: 'Tschüß' }, requestId: operationId };
        assert.deepEqual(player.frames.at(-1), { kind: 'notification', type: FAREWELL, payload });
      }
      await assertNothingLeft(server);
    });

    test('[ws] a player who stops reading behind a full buffer is cut off, and the proof says so', async (t) => {
      const server = await start(t, {
        ...NO_SEND_LIMITS,
        maxRequestsInFlight: 10_000,
        maxOutboxBytes: 64 * 1_048_576,
      });
      const player = await server.connect();
      player.ws.pause();
      // Each is answered with its type escaped twice: more than the kernel's buffers hold.
      const type = '\u0001'.repeat(128);
      for (let sent = 0; sent < 12_000; sent += 1) player.request(String(sent), type);
      await until(() => player.ws.bufferedAmount === 0 && (server.counts().outboxBytes ?? 0) > 1_048_576);
      const reply = await call(server, player.playerId, { Reason: 'CHEATING' });
      assert.deepEqual(reply.json.DisconnectSuccesses, [idOf(player)]);
      assert.deepEqual(outcomesOf(reply), { [idOf(player)]: 'CLOSED SOCKET_DESTROYED' });
      player.ws.resume();
      assert.equal((await player.closed).code, 1006);
      assert.ok(!player.frames.some((frame) => frame.kind === 'notification'), 'both were lost together');
      await assertNothingLeft(server);
    });
  });
}

test('[ws] a selection closes what it names, and what it does not leave out', async (t) => {
  const server = await startTestServer(t);
  const [one, two, three] = await connectOften(server, 3);
  assert.ok(two !== undefined && three !== undefined);
  const bystander = await server.connect();
  const ConnectionIds = [idOf(two), idOf(bystander)];
  const named = await call(server, one.playerId, { ConnectionIds });
  assert.deepEqual(named.json.DisconnectSuccesses, [idOf(two)]);
  assert.deepEqual(outcomesOf(named), {
    [idOf(two)]: 'CLOSED CLOSE_FRAME_ACCEPTED',
    [idOf(bystander)]: 'GONE_ALREADY NOT_LISTED',
  });
  assert.deepEqual(detailsIn(server), { connectionIds: ConnectionIds.join(' ') });
  assert.equal((await two.closed).code, 4500);
  assert.ok(!two.frames.some((frame) => frame.kind === 'notification'), 'there was nothing to say');

  const left = await call(server, one.playerId, { ExceptConnectionIds: [idOf(three)] });
  assert.deepEqual(left.json.DisconnectSuccesses, [idOf(one)]);
  for (const player of [three, bystander]) assert.equal(player.ws.readyState, player.ws.OPEN);
});

test('[ws] a dry run lists what would be closed, closes nothing, and is on record', async (t) => {
  const server = await startTestServer(t);
  const [one, two] = await connectOften(server, 2);
  assert.ok(two !== undefined);
  const reply = await call(server, one.playerId, { DryRun: true, ConnectionIds: [idOf(one)], Reason: 'AFK' });
  assert.deepEqual(outcomesOf(reply), { [idOf(one)]: 'WOULD_CLOSE undefined' });
  assert.deepEqual([reply.json.DisconnectSuccesses, reply.json.DisconnectFailures], [[], []]);
  assert.deepEqual(detailsIn(server), { reason: 'AFK', connectionIds: idOf(one), dryRun: 'true' });
  for (const player of [one, two]) {
    await player.token();
    assert.ok(!player.frames.some((frame) => frame.kind === 'notification'));
  }
});

test('[ws] a disconnect with a block keeps the player out from before its connections are listed, under one record', async (t) => {
  const server = await startTestServer(t);
  const [one, two] = await connectOften(server, 2);
  assert.ok(two !== undefined);
  const token = await one.token();
  const dry = await call(server, one.playerId, { BlockSeconds: 60, DryRun: true });
  assert.deepEqual([dry.json.Blocked, dry.json.BlockedUntil, dry.json.Connections?.length], [false, undefined, 2]);
  await server.connect({ token }).then(({ ws }) => ws.terminate());

  const BlockUntil = new Date(Date.now() + 3_600_000).toISOString();
  const order = { BlockUntil, Reason: 'CHEATING', Message: 'Wait', Evidence: 'clip 7' };
  const { json } = await call(server, one.playerId, order);
  assert.deepEqual([json.Blocked, json.BlockedUntil], [true, BlockUntil]);
  assert.deepEqual(outcomesOf({ ...dry, json })[idOf(one)], 'CLOSED CLOSE_FRAME_ACCEPTED');
  for (const player of [one, two]) {
    assert.ok(json.DisconnectSuccesses.includes(idOf(player)));
    const { code, reason } = await player.closed;
    const { text, until, requestId } = parseCloseReason(reason);
    assert.deepEqual([code, text, until, requestId], [4510, 'Wait', Date.parse(BlockUntil), json.OperationId]);
    const payload = { reason: 'CHEATING', message: 'Wait', until: Date.parse(BlockUntil), requestId: json.OperationId };
    assert.deepEqual(player.frames.at(-1), { kind: 'notification', type: FAREWELL, payload });
  }
  await assert.rejects(server.connect({ token }), /4510 Wait/);
  const block = await rawCall(server, 'GET', `/respark/game/${GAME}/stage/${STAGE}/player/${one.playerId}/block`);
  const { Reason, Evidence, RequestId } = block.json.Block as Record<string, string>;
  assert.deepEqual([Reason, Evidence, RequestId], ['CHEATING', 'clip 7', json.OperationId]);
  const records = (await rawCall(server, 'GET', `/respark/audit-record?PlayerId=${one.playerId}`)).json.AuditRecords;
  const [record, ...others] = records as readonly {
    readonly Operation: string;
    readonly Details: unknown;
    readonly Outcome: { readonly Connections?: unknown };
  }[];
  assert.deepEqual(record?.Outcome.Connections, json.Connections, 'the record has what the reply had');
  const details = { reason: 'CHEATING', told: 'Wait', until: BlockUntil, block: 'true', evidence: 'clip 7' };
  assert.deepEqual([record?.Operation, record?.Details], ['DisconnectPlayer', details]);
  assert.equal(others.length, 1, 'the dry run');
});

test('a receipt that a call asks for is in its reply, and says what became of each connection', async (t) => {
  const server = await startTestServer(t);
  const player = await server.connect();
  const { json } = await call(server, player.playerId, { Receipt: true, Reason: 'AFK', Message: 'Bye', Evidence: 'x' });
  const { Pem } = (await rawCall(server, 'GET', '/respark/receipt-key')).json;
  const { details, outcome, requestId } = readReceipt(json.Receipt ?? '', readReceiptKey(String(Pem)));
  assert.deepEqual([requestId, details], [json.OperationId, { reason: 'AFK', told: 'Bye' }]);
  const each = json.Connections?.map(({ Id, Outcome, Proof, ClosedAt, Node, Created }) => ({
    ...{ id: Id, outcome: Outcome?.toLowerCase(), proof: Proof?.toLowerCase(), node: Node },
    ...{ closedAt: ClosedAt, createdAt: Created },
  }));
  assert.deepEqual(outcome?.connections, each);
  const later = await rawCall(server, 'GET', `/respark/receipt/${requestId}`);
  assert.equal(later.json.Receipt, json.Receipt, 'a call has one receipt');
});

test('calls that ask for a receipt count as read calls too, and others as disconnects alone', async (t) => {
  const server = await startTestServer(t, { settings: { readCallsBurst: 2, readCallsPerSecond: 1 } });
  const player = await server.connect();
  const path = `/runtime/game/${GAME}/stage/${STAGE}/player/${player.playerId}/disconnect`;
  const ask = async (body: object) => await rawCall(server, 'POST', path, { body });
  const answers = await Promise.all(Array.from({ length: 10 }, async () => await ask({ Receipt: true, DryRun: true })));
  const refused = answers.filter(({ error }) => error === 'ThrottlingException');
  assert.ok(refused.length >= 6 && answers.length - refused.length >= 2, `${refused.length} were refused`);
  assert.match(refused[0]?.message ?? '', /^Rate exceeded for read calls of this access key: try again in \d+ ms$/);
  for (let round = 0; round < 10; round += 1) assert.equal((await ask({ DryRun: true, Receipt: false })).status, 200);
  assert.equal(player.ws.readyState, player.ws.OPEN);
});

test('calls whose record is long count as write calls too, so that they do not soon wash the audit log away', async (t) => {
  const server = await startTestServer(t, { settings: { writeCallsBurst: 2, writeCallsPerSecond: 1 } });
  const path = `/runtime/game/${GAME}/stage/${STAGE}/player/nobody/disconnect`;
  const ask = async (body: object) => await rawCall(server, 'POST', path, { body: { DryRun: true, ...body } });
  const id = (await server.connect()).connectionId;
  const ids = Array.from({ length: 100 }, (_, at) => `${id.slice(0, -2)}${at.toString().padStart(2, '0')}`);
  const texts = Array.from({ length: 11 }, (_, at) => [`x${String.fromCharCode(97 + at)}`, 'x'.repeat(400)] as const);
  for (const long of [
    // Six bytes each, as JSON.
    { Evidence: '\u0001'.repeat(700) },
    { Messages: Object.fromEntries(texts) },
    { ConnectionIds: ids, Message: 'x'.repeat(400), Evidence: 'x'.repeat(1_000) },
  ]) {
    const answers = await Promise.all(Array.from({ length: 8 }, async () => await ask(long)));
    const refused = answers.filter(({ error }) => error === 'ThrottlingException');
    assert.ok(refused.length >= 4, `${refused.length} were refused of ${JSON.stringify(long).slice(0, 40)}`);
    assert.match(refused[0]?.message ?? '', /^Rate exceeded for write calls of this access key: try again in \d+ ms$/);
  }
  const brief = { Reason: 'CHEATING', Messages: Object.fromEntries(texts.slice(0, 6)), Evidence: 'x'.repeat(1_000) };
  for (let round = 0; round < 10; round += 1) assert.equal((await ask(brief)).status, 200);
});

test('whoever may disconnect players, and not block them, cannot block them by disconnecting them', async (t) => {
  const server = await startTestServer(t);
  const player = await server.connect();
  const Allow = { Effect: 'Allow', Action: 'gamesparks:DisconnectPlayer', Resource: '*' };
  const credentials = await createKey(server, [Allow]);
  const path = `/runtime/game/${GAME}/stage/${STAGE}/player/${player.playerId}/disconnect`;
  const refused = await rawCall(server, 'POST', path, { body: { BlockSeconds: 60 }, credentials });
  assert.equal(refused.error, 'AccessDeniedException');
  assert.match(refused.message ?? '', /not authorized to perform: respark:BlockPlayer on resource/);
  assert.equal(player.ws.readyState, player.ws.OPEN);
  const [record] = (await rawCall(server, 'GET', '/respark/audit-record')).json.AuditRecords as { Details: unknown }[];
  assert.deepEqual(record?.Details, { action: 'respark:BlockPlayer', count: '1' });
  assert.equal((await rawCall(server, 'POST', path, { body: { Reason: 'AFK' }, credentials })).status, 200);
});

test('the evidence is in the audit record, and neither in the log nor with the player', async (t) => {
  const server = await startTestServer(t);
  const player = await server.connect();
  const secret = 'seen by observer 7';
  const { json } = await call(server, player.playerId, { Reason: 'CHEATING', Evidence: secret });
  await player.closed;
  assert.ok(!JSON.stringify([server.logged, player.frames, json]).includes(secret));
  const url = new URL(`/respark/audit-record?PlayerId=${player.playerId}`, server.url);
  const signed = signRequest({ method: 'GET', url, ...ROOT, region: 'us-east-1', nowMs: Date.now() });
  const { AuditRecords } = (await (await fetch(url, { headers: signed })).json()) as {
    AuditRecords: readonly { RequestId: string; Details: unknown }[];
  };
  const [record] = AuditRecords;
  assert.deepEqual([record?.RequestId, record?.Details], [json.OperationId, { reason: 'CHEATING', evidence: secret }]);
});

test('[aws-sdk] an AWS client sees what it always saw, and so does a call whose body says nothing', async (t) => {
  const server = await startTestServer(t);
  const player = await server.connect();
  const { $metadata: _, ...answer } = await server
    .sdk()
    .send(new DisconnectPlayerCommand({ GameName: GAME, StageName: STAGE, PlayerId: player.playerId }));
  assert.deepEqual(answer, { DisconnectSuccesses: [idOf(player)], DisconnectFailures: [] });
  assert.equal((await player.closed).code, 4500);
  assert.ok(!player.frames.some((frame) => frame.kind === 'notification'));
  const nothing = { DisconnectSuccesses: [], DisconnectFailures: [] };
  for (const body of [undefined, {}, { PlayerId: 'another', Details: null }, { Details: false }]) {
    assert.deepEqual((await call(server, player.playerId, body)).json, nothing, JSON.stringify(body));
  }
  const { json, requestId } = await call(server, player.playerId, { Details: true });
  assert.deepEqual(json, { ...nothing, OperationId: requestId, Connections: [] });
});

test('a body that contradicts itself, or that the server does not understand, closes nothing', async (t) => {
  const server = await startTestServer(t, { settings: { maxFrameBytes: 4_096 } });
  const player = await server.connect();
  const ids = [idOf(player)];
  const some = (count: number, text: string) =>
    Object.fromEntries(Array.from({ length: count }, (_, index) => [`x${String.fromCharCode(97 + index)}`, text]));
  for (const [body, message] of [
    [{ ConectionIds: ids }, /does not know: 'ConectionIds'/],
    [{ dryRun: true }, /does not know: 'dryRun'/],
    ['[]', /must be one JSON object/],
    ['{"DryRun": tru', /must be one JSON object/],
    [{ ConnectionIds: [] }, /'connectionIds' .* greater than or equal to 1/],
    [{ ConnectionIds: Array(101).fill('id') }, /'connectionIds' .* less than or equal to 100/],
    [{ ConnectionIds: ids, ExceptConnectionIds: ids }, /ConnectionIds or ExceptConnectionIds, not both/],
    [{ BlockSeconds: 5, BlockUntil: '2999-01-01T00:00:00Z' }, /BlockUntil or BlockSeconds, not both/],
    [{ BlockSeconds: 5, ConnectionIds: ids }, /ends all connections of the player/],
    [{ BlockUntil: '2020-01-01T00:00:00Z' }, /must be in the future/],
    [{ BlockSeconds: 0 }, /'blockSeconds' .* 1/],
    [{ Reason: ' in spaces ' }, /'reason' .* pattern/],
    [{ Reason: 'x'.repeat(65) }, /'reason' .* 64/],
    [{ Message: '🎮'.repeat(501) }, /'message' .* 500/],
    [{ Messages: { 'not a locale': 'x' } }, /'messages' .*pattern/],
    [{ Messages: some(6, '🎮'.repeat(200)) }, /takes \d+ bytes, and may take 4096/],
    [{ Evidence: 'x'.repeat(4_097) }, /'evidence' .* 4096/],
    [{ DryRun: 'yes' }, /'dryRun' .* true or false/],
  ] as const) {
    const { status, json } = await call(server, player.playerId, body);
    assert.equal(status, 400, JSON.stringify(body));
    assert.match(json.Message ?? '', message);
  }
  const longest = await call(server, player.playerId, {
    DryRun: true,
    Message: '🎮'.repeat(500),
    Evidence: 'x'.repeat(4_096),
  });
  assert.equal(longest.status, 200);
  await player.token();
  assert.equal(player.ws.readyState, player.ws.OPEN);
});

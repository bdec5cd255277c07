import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import { CreateSnapshotCommand } from '@aws-sdk/client-gamesparks';
import { watchEvents } from '../../src/api/own-operations/events.ts';
import { ManagementClient } from '../../src/cli/management-client.ts';
import { listAt, textAt, valueAt } from '../../src/cli/reply.ts';
import type { AccessKeyPair } from '../../src/domain/access/access.ts';
import { asking, type Desk, type DeskParts, eventually, isRefused, openDesk } from './operations-desk.ts';
import type { TestPlayer } from './server.ts';

const STARTS = 'Custom.Game.Starts';

/**
 * Asks for every operation of this server's own but DrainNode, and for what each of them changes, at all nodes in turn.
 * WatchEvents has a command that goes on for ever, so it is asked for by a call alone.
 */
export async function playEveryOwnOperation(t: TestContext, parts: DeskParts): Promise<void> {
  const desk = await openDesk(t, parts);
  await askAboutServer(desk);
  await changeKeys(desk);
  const webhookId = await watchGame(desk);
  const anna = `anna-${desk.way}`;
  const token = await vouchFor(desk, anna);
  const connections = await lookAtPlayers(desk, anna, token);
  await readAndDelete(desk, anna);
  await barPlayer(desk, { player: anna, token, connections });
  await revokeTokens(desk, anna, token);
  await closeStage(desk);
  await runJobs(desk);
  await endWebhook(desk, webhookId);
  await readRecords(desk, anna);
  await deleteSnapshot(desk);
}

/** Has the last of the nodes drain. */
export async function drainLast(parts: DeskParts): Promise<void> {
  const ask = asking(parts);
  const nodes = listAt<{ Id: string; Url: string }>(await ask(['GET', '/respark/node'], ['nodes']), 'Nodes');
  const { Id: id = '' } = nodes.find(({ Url }) => Url === parts.nodes.at(-1)?.url) ?? {};
  await ask(['POST', `/respark/node/${id}/drain`], ['drain', id]);
}

async function askAboutServer({ ask, nodes, gameName }: Desk): Promise<void> {
  const info = await ask(['GET', '/respark/server'], ['api', 'GetServerInfo']);
  assert.ok(listAt(info, 'Features').includes('webhooks'));
  // A node that has too much to do is silent for a while.
  await eventually(
    () => ask(['GET', '/respark/node'], ['nodes']),
    (seen) =>
      listAt<{ State: string }>(seen, 'Nodes').filter(({ State }) => State === 'SERVING').length === nodes.length,
  );
  await eventually(
    () => ask(['GET', '/respark/activity'], ['api', 'ListActivity']),
    (seen) => listAt<{ IsKnown: boolean }>(seen, 'Nodes').filter(({ IsKnown }) => IsKnown).length === nodes.length,
  );
  const asked = { GameName: gameName, StageName: 'Dev' };
  const permissions = await ask(
    ['GET', `/respark/permission?${new URLSearchParams(asked)}`],
    ['api', 'ListPermissions', '--json', JSON.stringify(asked)],
  );
  assert.ok(listAt(permissions, 'Allowed').includes('respark:BlockPlayer'));
  const keys = new Set<string>();
  for (const _ of nodes) keys.add(textAt(await ask(['GET', '/respark/receipt-key'], ['receipt', 'key']), 'KeyId'));
  assert.equal(keys.size, 1);
}

/** A key is good at each node at once, and at none of them any more once one has revoked it. */
async function changeKeys(desk: Desk): Promise<void> {
  const { ask, nodes, gameName } = desk;
  const api = (name: string, input: object) => ['api', name, '--json', JSON.stringify(input)];
  const asked = { Role: 'viewer', GameName: gameName };
  const made = await ask(['POST', '/respark/access-key', asked], api('CreateAccessKey', asked));
  const id = textAt(made, 'AccessKey', 'AccessKeyId');
  const pair = { accessKeyId: id, secretAccessKey: textAt(made, 'SecretAccessKey') };
  const one = `/respark/access-key/${id}`;
  const got = await ask(['GET', one], api('GetAccessKey', { AccessKeyId: id }));
  assert.match(textAt(got, 'AccessKey', 'Policy'), new RegExp(`game/${gameName}"`));
  const listed = await ask(['GET', '/respark/access-key'], api('ListAccessKeys', {}));
  assert.ok(listAt<{ AccessKeyId: string }>(listed, 'AccessKeys').some(({ AccessKeyId }) => AccessKeyId === id));
  const question = { AccessKeyId: id, Action: 'gamesparks:GetGame', GameName: gameName };
  const explained = await ask(['POST', '/respark/access-explanation', question], api('ExplainAccess', question));
  assert.equal(valueAt(explained, ['IsAllowed']), true);
  const game = () => ask(['GET', `/game/${gameName}`], api('GetGame', { GameName: gameName }), pair);
  for (const _ of nodes) await game();
  await ask(['DELETE', one], api('RevokeAccessKey', { AccessKeyId: id }));
  for (const _ of nodes) await assert.rejects(game(), /UnrecognizedClient|security token|not valid|invalid/i);

  const lentFor = { ...asked, LifetimeSeconds: 600 };
  const lent = await ask(['POST', '/respark/access-key', lentFor], api('CreateAccessKey', lentFor));
  const own = {
    accessKeyId: textAt(lent, 'AccessKey', 'AccessKeyId'),
    secretAccessKey: textAt(lent, 'SecretAccessKey'),
  };
  const giveBack = () => ask(['DELETE', '/respark/own-access-key'], api('RevokeOwnAccessKey', {}), own);
  await giveBack();
  for (const _ of nodes) await assert.rejects(giveBack(), /UnrecognizedClient|security token|not valid|invalid/i);
}

/** Makes a webhook, and watches until both have told of a player at the last node. Gives the id of the webhook. */
async function watchGame(desk: Desk): Promise<string> {
  const { ask, game, gameName, receiver, nodes, credentials } = desk;
  const ofGame = ['--game', gameName];
  const made = await ask(
    ['POST', `${game}/webhook`, { Url: receiver.url }],
    ['webhooks', 'create', ...ofGame, '--url', receiver.url],
  );
  receiver.trust(textAt(made, 'Secret'));
  const id = textAt(made, 'Webhook', 'Id');
  const ofWebhook = [...ofGame, '--id', id];
  const listed = await ask(['GET', `${game}/webhook`], ['webhooks', 'list', ...ofGame]);
  assert.equal(listAt<{ Id: string }>(listed, 'Webhooks')[0]?.Id, id);
  const text = 'of the test';
  await ask(
    ['PATCH', `${game}/webhook/${id}`, { Description: text }],
    ['webhooks', 'update', ...ofWebhook, '--description', text],
  );
  const got = await ask(['GET', `${game}/webhook/${id}`], ['webhooks', 'get', ...ofWebhook]);
  assert.equal(textAt(got, 'Webhook', 'Description'), text);
  const tested = await ask(['POST', `${game}/webhook/${id}/test`], ['webhooks', 'test', ...ofWebhook]);
  assert.equal(valueAt(tested, ['IsAccepted']), true);
  await receiver.until((events) => events.some(({ type }) => type === 'webhook.test'));

  const client = new ManagementClient({ endpoint: nodes[0]?.url ?? '', credentials, region: 'us-east-1' });
  const stream = await client.stream(watchEvents, { GameName: gameName });
  let watched = '';
  const watching = (async () => {
    for await (const chunk of stream) {
      watched += Buffer.from(chunk).toString();
      if (watched.includes('event: connection.opened\n')) return;
    }
  })();
  await eventually(
    async () => (await desk.connect(nodes.length - 1)).ws.close(),
    () => watched.includes('event: connection.opened\n'),
  );
  await watching;
  await receiver.until((events) => events.some(({ type }) => type === 'connection.opened'));
  const deliveries = await eventually(
    () => ask(['GET', `${game}/webhook/${id}/delivery`], ['webhooks', 'deliveries', ...ofWebhook]),
    (seen) => listAt(seen, 'Deliveries').length > 0,
  );
  assert.equal(listAt<{ Outcome: string }>(deliveries, 'Deliveries')[0]?.Outcome, 'DELIVERED');
  await eventually(
    () => ask(['GET', `${game}/event?Types=connection.opened`], ['events', ...ofGame, '--type', 'connection.opened']),
    (events) => JSON.stringify(events).includes('connection.opened'),
  );
  return id;
}

/** Says who may be a player, and gives a token for one. */
async function vouchFor({ ask, stage, place }: Desk, player: string): Promise<string> {
  const made = await ask(['POST', `${stage}/player/${player}/token`], ['token', ...place, '--player', player]);
  const token = String(valueAt(made, ['AuthenticationToken']) ?? valueAt(made, ['token']));
  const checked = await ask(['POST', `${stage}/token-check`, { Token: token }], ['identity', 'check', token, ...place]);
  assert.deepEqual([valueAt(checked, ['IsAccepted']), valueAt(checked, ['PlayerId'])], [true, player]);
  await ask(['PUT', `${stage}/identity`, { SessionSeconds: 3_600 }], ['identity', 'set', ...place, '--session', '1h']);
  await eventually(
    () => ask(['GET', `${stage}/identity`], ['identity', 'get', ...place]),
    (got) => valueAt(got, ['Identity', 'SessionSeconds']) === 3_600,
  );
  return token;
}

/** Finds who is online, what scripts wrote for them, and reaches them all. Gives the connections of the player. */
async function lookAtPlayers(desk: Desk, player: string, token: string): Promise<readonly TestPlayer[]> {
  const { ask, stage, place, nodes } = desk;
  const hers = [await desk.connect(0, token), await desk.connect(nodes.length - 1, token)];
  const [first] = hers as [TestPlayer];
  const guest = await desk.connect(1);
  const everybody = [...hers, guest];
  const ofPlayer = `${stage}/player/${player}`;
  // Those who have just left are listed until their nodes know it.
  await eventually(
    () => ask(['GET', `${stage}/connection-count`], ['players', ...place, '--count']),
    (count) => valueAt(count, ['Connections']) === 3 && valueAt(count, ['Players']) === 2,
  );
  const listed = await ask(['GET', `${stage}/player`], ['players', ...place]);
  assert.deepEqual(
    listAt<{ PlayerId: string; Connections: number }>(listed, 'Players').map(
      ({ PlayerId: id, Connections: count }) => `${id} ${count}`,
    ),
    [`${player} 2`, `${guest.playerId} 1`].sort(),
  );
  const connections = await ask(['GET', `${stage}/connection`], ['connections', ...place]);
  assert.deepEqual(
    listAt<{ Id: string }>(connections, 'Connections')
      .map(({ Id }) => Id)
      .sort(),
    everybody.map(({ connectionId }) => connectionId).sort(),
  );
  const answered = first.next(({ kind }) => kind === 'response');
  first.request('greet', 'Custom.Game.Greet');
  await answered;
  await eventually(
    () => ask(['GET', `${stage}/log-line`], ['logs', ...place]),
    (lines) => JSON.stringify(lines).includes('hello from the script'),
  );

  const hear = (players: readonly TestPlayer[]) =>
    Promise.all(players.map(({ next }) => next(({ kind }) => kind === 'notification')));
  const [toHer, body] = [hear(hers), { Type: STARTS }];
  const notify = ['notify', STARTS, '{}', ...place];
  const one = await ask(['POST', `${ofPlayer}/notification`, body], [...notify, '--player', player]);
  await toHer;
  const toAll = hear(everybody);
  const all = await ask(['POST', `${stage}/notification`, body], notify);
  await toAll;
  assert.deepEqual([valueAt(one, ['Connections']), valueAt(all, ['Connections'])], [2, 3]);

  const id = guest.playerId;
  await ask(
    ['POST', `${stage}/player/${id}/rehearsal`, { End: 'KICKED' }],
    ['rehearse', ...place, '--player', id, '--only', 'kicked', '--settle', '0', '--window', '1'],
  );
  assert.equal((await guest.closed).code, 4500);
  return hers;
}

/** What the script has kept about the player is read, and deleted at each node. */
async function readAndDelete({ ask, stage, place, nodes }: Desk, player: string): Promise<void> {
  const one = [...place, '--player', player];
  const read = () => ask(['GET', `${stage}/player/${player}/data`], ['player-data', 'get', ...one]);
  const remove = () => ask(['DELETE', `${stage}/player/${player}/data`], ['player-data', 'delete', ...one]);
  for (const _ of nodes) assert.deepEqual(valueAt(await read(), ['Values']), { Greeted: true });
  const first = await remove();
  const others: unknown[] = [];
  for (const _ of nodes) others.push(await remove());
  const counted = (reply: unknown) => [valueAt(reply, ['DeletedKeys']), valueAt(reply, ['DeletedBytes'])];
  assert.deepEqual(counted(first), [1, 11]);
  for (const other of others) assert.deepEqual(counted(other), [0, 0]);
  for (const _ of nodes) assert.deepEqual(valueAt(await read(), ['Values']), {});
}

/** Blocks the player from the stage, and from the whole game, and lets them in again. */
async function barPlayer(
  desk: Desk,
  { player, token, connections }: { player: string; token: string; connections: readonly TestPlayer[] },
): Promise<void> {
  const { ask, game, stage, gameName } = desk;
  const ofGame = ['--game', gameName];
  let open = connections;
  for (const [path, place] of [
    [stage, desk.place],
    [game, ofGame],
  ] as const) {
    const one = [...place, '--player', player];
    const blocked = await ask(['POST', `${path}/player/${player}/block`], ['block', ...one]);
    assert.equal(listAt(blocked, 'DisconnectSuccesses').length, open.length);
    for (const { closed } of open) assert.equal((await closed).code, 4510);
    const got = await ask(['GET', `${path}/player/${player}/block`], ['blocks', ...one]);
    assert.equal(textAt(got, 'Block', 'PlayerId'), player);
    const listed = await ask(['GET', `${path}/block`], ['blocks', ...place]);
    assert.deepEqual(
      listAt<{ PlayerId: string }>(listed, 'Blocks').map(({ PlayerId }) => PlayerId),
      [player],
    );
    await isRefused(desk, 4510, token);
    const lifted = await ask(['DELETE', `${path}/player/${player}/block`], ['unblock', ...one]);
    assert.equal(valueAt(lifted, ['WasBlocked']), true);
    open = await Promise.all(desk.nodes.map((_, node) => desk.connect(node, token)));
  }
  for (const { ws } of open) ws.close();
}

async function revokeTokens(desk: Desk, player: string, first: string): Promise<void> {
  const { ask, game, stage, gameName } = desk;
  let token = first;
  for (const [path, place] of [
    [stage, desk.place],
    [game, ['--game', gameName]],
  ] as const) {
    await ask(['POST', `${path}/player/${player}/token/revocation`], ['revoke-tokens', ...place, '--player', player]);
    await isRefused(desk, 4503, token);
    token = await vouchFor(desk, player);
    (await desk.connect(0, token)).ws.close();
  }
}

async function closeStage(desk: Desk): Promise<void> {
  const { ask, stage, place } = desk;
  await ask(['POST', `${stage}/closure`, {}], ['maintenance', 'on', ...place]);
  const access = await ask(['GET', `${stage}/closure`], ['maintenance', 'status', ...place]);
  assert.equal(valueAt(access, ['IsOpen']), false);
  await isRefused(desk, 4007);
  const opened = await ask(['DELETE', `${stage}/closure`], ['maintenance', 'off', ...place]);
  assert.equal(valueAt(opened, ['WasClosed']), true);
  for (const node of desk.nodes.keys()) (await desk.connect(node)).ws.close();
}

/** A job that is stopped on its way, and one that waits for a second key and does the rest. */
async function runJobs(desk: Desk): Promise<void> {
  const { ask, stage, place, second } = desk;
  const player = `carol-${desk.way}`;
  const token = await vouchFor(desk, player);
  const open = await Promise.all([0, 1, 2, 3, 4, 5, 6, 7].map((node) => desk.connect(node, token)));
  const jobs = `${stage}/disconnect-job`;
  const Selector = { PlayerIdPrefix: player };
  const start = ['jobs', 'start', ...place, '--prefix', player, '--yes', '--no-wait'];
  const decide = (verb: string, id: string, key?: AccessKeyPair) =>
    ask(['POST', `${jobs}/${id}/${verb}`], ['jobs', verb, ...place, '--id', id], key);
  const untilState = (id: string, state: string) =>
    eventually(
      () => ask(['GET', `${jobs}/${id}`], ['jobs', 'show', ...place, '--id', id, '--no-wait']),
      (got) => textAt(got, 'Job', 'State') === state,
    );
  const begun = await ask(['POST', jobs, { Selector, RatePerSecond: 1 }], [...start, '--rate', '1']);
  const id = textAt(begun, 'Job', 'JobId');
  await decide('pause', id);
  await untilState(id, 'PAUSED');
  await decide('resume', id);
  await decide('cancel', id);
  await untilState(id, 'CANCELLED');

  const waiting = await ask(['POST', jobs, { Selector, ConfirmAbove: 1 }], [...start, '--confirm-above', '1']);
  assert.equal(textAt(waiting, 'Job', 'State'), 'AWAITING_CONFIRMATION');
  const rest = textAt(waiting, 'Job', 'JobId');
  await decide('confirm', rest, second);
  await untilState(rest, 'COMPLETED');
  for (const { closed } of open) assert.equal((await closed).code, 4500);
  const listed = await ask(['GET', jobs], ['jobs', 'list', ...place]);
  assert.deepEqual(
    listAt<{ JobId: string }>(listed, 'Jobs').map(({ JobId }) => JobId),
    [rest, id],
  );
}

async function endWebhook({ ask, game, gameName, receiver }: Desk, id: string): Promise<void> {
  const ofWebhook = ['--game', gameName, '--id', id];
  const { requests } = receiver;
  await ask(
    ['POST', `${game}/webhook/${id}/replay`, { Since: new Date(Date.now() - 3_600_000).toISOString() }],
    ['webhooks', 'replay', ...ofWebhook, '--since', '1h'],
  );
  await receiver.until(() => receiver.requests > requests);
  await ask(['DELETE', `${game}/webhook/${id}`], ['webhooks', 'delete', ...ofWebhook]);
  await assert.rejects(ask(['GET', `${game}/webhook/${id}`], ['webhooks', 'get', ...ofWebhook]), /there is no|not/i);
  assert.deepEqual(receiver.forged, []);
}

/** What was done is on record, with a receipt, in the chain of the node that did it. */
async function readRecords({ ask, nodes, way }: Desk, player: string): Promise<void> {
  const asked = new URLSearchParams({ Operation: 'BlockPlayer', PlayerId: player });
  const records = await eventually(
    () => ask(['GET', `/respark/audit-record?${asked}`], ['audit', '--operation', 'BlockPlayer', '--player', player]),
    (seen) => JSON.stringify(seen).includes(player),
  );
  const [record] = Array.isArray(records) ? records : listAt(records, 'AuditRecords');
  const { RequestId, requestId = RequestId } = record as { RequestId?: string; requestId?: string };
  const receipt = await eventually(
    () => ask(['GET', `/respark/receipt/${requestId}`], ['receipt', 'get', String(requestId)]),
    (seen) => valueAt(seen, ['Receipt']) !== undefined,
  );
  assert.match(textAt(receipt, 'Receipt'), /^ey/);
  const chains = await ask(['GET', '/respark/audit-chain'], ['audit', 'verify']);
  if (way === 'commands') return;
  const writers = listAt<{ Writer: string }>(chains, 'Chains').map(({ Writer }) => Writer);
  assert.ok(writers.length >= nodes.length);
  let found = 0;
  for (const writer of writers) {
    const links = await ask(['GET', `/respark/audit-chain/${writer}/link?MaxResults=1`], []);
    found += listAt(links, 'Links').length;
  }
  assert.ok(found >= nodes.length);
}

/** The newest snapshot of a game, and one that runs, cannot be deleted. */
async function deleteSnapshot({ ask, game, gameName, nodes }: Desk): Promise<void> {
  const create = () => nodes[0]?.sdk().send(new CreateSnapshotCommand({ GameName: gameName }));
  const { Snapshot } = (await create()) ?? {};
  await create();
  const named = { GameName: gameName, SnapshotId: Snapshot?.Id ?? '' };
  const remove = () =>
    ask(['DELETE', `${game}/snapshot/${named.SnapshotId}`], ['api', 'DeleteSnapshot', '--json', JSON.stringify(named)]);
  await remove();
  await assert.rejects(remove(), /there is no|not/i);
}

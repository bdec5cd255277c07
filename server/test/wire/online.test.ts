import assert from 'node:assert/strict';
import { test } from 'node:test';
import { policyOfRole } from '../../src/domain/access/roles.ts';
import { createKey } from '../support/administration.ts';
import { rawCall } from '../support/raw-call.ts';
import { GAME, ROOT, STAGE, startTestServer, type TestServer } from '../support/server.ts';
import { createTestWorld } from '../support/world.ts';

const IN_STAGE = `/respark/game/${GAME}/stage/${STAGE}`;

type Listed = Readonly<Record<string, string>>;

async function playerNamed(server: TestServer, playerId: string) {
  const path = `${IN_STAGE}/player/${playerId}/token`;
  const { json } = await rawCall(server, 'POST', path);
  return await server.connect({ token: String(json.AuthenticationToken) });
}

async function list(server: TestServer, what: 'player' | 'connection', filters: Record<string, string> = {}) {
  const { status, json, message } = await rawCall(
    server,
    'GET',
    `${IN_STAGE}/${what}?${new URLSearchParams(filters).toString()}`,
  );
  assert.equal(status, 200, message);
  return json as { readonly Players: Listed[]; readonly Connections: Listed[]; readonly NextToken?: string };
}

/** The ids on each page. */
async function pagesOf(server: TestServer, what: 'player' | 'connection', filters: Record<string, string>) {
  const pages: (string | undefined)[][] = [];
  let more: Record<string, string> = {};
  for (;;) {
    const { Players = [], Connections = [], NextToken } = await list(server, what, { ...filters, ...more });
    pages.push([...Players.map(({ PlayerId }) => PlayerId), ...Connections.map(({ Id }) => Id)]);
    if (NextToken === undefined) return pages;
    more = { NextToken };
  }
}

test('the players and connections of a stage are listed in order and in pages, and counted', async (t) => {
  const server = await startTestServer(t);
  const carol = await playerNamed(server, 'carol');
  const alice = await playerNamed(server, 'alice');
  const again = await server.connect({ token: await alice.token() });
  const albert = await playerNamed(server, 'albert');
  const { Players } = await list(server, 'player');
  assert.deepEqual(
    Players.map(({ PlayerId, Connections }) => [PlayerId, Connections]),
    [
      ['albert', 1],
      ['alice', 2],
      ['carol', 1],
    ],
  );
  assert.deepEqual(await pagesOf(server, 'player', { MaxResults: '2' }), [['albert', 'alice'], ['carol']]);
  const inOrder = [albert, alice, again, carol].map(({ connectionId }) => connectionId);
  const pages = await pagesOf(server, 'connection', { MaxResults: '2' });
  assert.deepEqual(pages, [inOrder.slice(0, 2), inOrder.slice(2)]);
  assert.deepEqual(await pagesOf(server, 'player', { PlayerIdPrefix: 'al' }), [['albert', 'alice']]);
  const { Connections } = await list(server, 'connection');
  const { Created = '', Node, ...first } = Connections[0] ?? {};
  const [, { Created: oldest = '' } = {}] = Connections;
  assert.deepEqual(first, {
    ...{ Id: albert.connectionId, PlayerId: 'albert', RuntimeId: 'empty', AddressGroup: '127.0.0.1' },
  });
  assert.equal(Players[1]?.Since, oldest);
  const counted = await rawCall(server, 'GET', `${IN_STAGE}/connection-count`);
  assert.deepEqual(counted.json, {
    ...{ Players: 3, Connections: 4, CurrentRuntimeId: 'empty' },
    Nodes: [{ Node, Connections: 4 }],
    Runtimes: [{ RuntimeId: 'empty', Connections: 4 }],
  });
  const path = `/runtime/game/${GAME}/stage/${STAGE}/player/alice/disconnect`;
  assert.equal((await rawCall(server, 'POST', path)).status, 200);
  assert.deepEqual(await pagesOf(server, 'player', {}), [['albert', 'carol']]);
  assert(Date.parse(Created) > 0);
});

test('filters are combined, and each lets through what it says', async (t) => {
  const server = await startTestServer(t);
  const { connectionId } = await playerNamed(server, 'alice');
  const { Connections } = await list(server, 'connection');
  const [{ Created = '', Node = '' } = {}] = Connections;
  const later = new Date(Date.parse(Created) + 1).toISOString();
  for (const filters of [
    ...[{ RuntimeId: 'CURRENT' }, { RuntimeId: 'empty' }, { Node }, { ConnectedSince: Created }],
    ...[{ ConnectedBefore: later }, { Address: '127.0.0.1' }, { Address: '127.0.0.0/8' }],
  ]) {
    assert.deepEqual(await pagesOf(server, 'connection', filters), [[connectionId]], JSON.stringify(filters));
    assert.deepEqual(await pagesOf(server, 'player', filters), [['alice']], JSON.stringify(filters));
    assert.deepEqual(await pagesOf(server, 'player', { ...filters, PlayerIdPrefix: 'b' }), [[]]);
  }
  for (const filters of [
    ...[{ RuntimeId: 'OLDER' }, { RuntimeId: 'another' }, { Node: 'another' }, { ConnectedSince: later }],
    ...[{ ConnectedBefore: Created }, { Address: '127.0.0.2' }, { Address: '::1' }],
  ]) {
    assert.deepEqual(await pagesOf(server, 'player', filters), [[]], JSON.stringify(filters));
  }
});

test('what cannot be asked is refused: ranges, tokens of another list, and stages that are not there', async (t) => {
  const server = await startTestServer(t);
  for (const name of ['a', 'b', 'c']) await playerNamed(server, name);
  const { NextToken = '' } = await list(server, 'player', { MaxResults: '1' });
  const refused = async (path: string) => {
    const { status, error, message } = await rawCall(server, 'GET', path);
    return `${status} ${error} ${message}`;
  };
  assert.match(await refused(`${IN_STAGE}/player?Address=10/8`), /^400 ValidationException .*CIDR range/);
  assert.match(await refused(`${IN_STAGE}/player?Address=2001:db8::/65`), /no narrower than \/64/);
  const token = encodeURIComponent(NextToken);
  assert.match(await refused(`${IN_STAGE}/connection?NextToken=${token}`), /NextToken must be one that the same list/);
  assert.match(await refused(`${IN_STAGE}/player?PlayerIdPrefix=b&NextToken=${token}`), /NextToken must be one/);
  for (const what of ['player', 'connection', 'connection-count']) {
    const missing = `/respark/game/${GAME}/stage/Nowhere/${what}`;
    assert.match(await refused(missing), /^404 ResourceNotFoundException/, what);
  }
});

test('a viewer sees who plays, and only those who moderate see from where', async (t) => {
  const server = await startTestServer(t);
  const statuses = async (role: 'viewer' | 'moderator') => {
    const { Statement } = policyOfRole(role, { game: GAME, stage: STAGE }) as { Statement: object[] };
    const credentials = await createKey(server, Statement);
    // With a filter, every address could be found out in 32 calls.
    const whats = ['player', 'connection', 'connection-count', 'player?Address=127.0.0.0/8'];
    const paths = whats.map((what) => `${IN_STAGE}/${what}`);
    return await Promise.all(paths.map(async (path) => (await rawCall(server, 'GET', path, { credentials })).status));
  };
  assert.deepEqual(await statuses('viewer'), [200, 403, 200, 403]);
  assert.deepEqual(await statuses('moderator'), [200, 200, 200, 200]);
});

test('the command line lists and counts who is online', async (t) => {
  const server = await startTestServer(t);
  const { connectionId } = await playerNamed(server, 'alice');
  await playerNamed(server, 'bob');
  const place = ['--game', GAME, '--stage', STAGE];
  const run = async (...args: string[]) => {
    const world = createTestWorld({ local: { root: ROOT, url: server.url } });
    assert.equal(await world.run(...args), 0, world.err());
    return world.out();
  };
  assert.match(await run('players', ...place), /^PLAYER +CONNECTIONS +SINCE\nalice +1 +\S+Z\nbob +1 +\S+Z\n$/);
  assert.equal(await run('players', ...place, '--runtime', 'older'), 'no players are connected\n');
  assert.match(
    await run('players', ...place, '--count'),
    /^players +2\nconnections +2\non runtime +empty \(current\) +2\n/,
  );
  assert.equal(await run('players', ...place, '--count', '--prefix', 'a', '--since', '1h'), '1\n');
  assert.equal(await run('connections', ...place, '--count', '--before', '1h'), '0\n');
  const [first] = JSON.parse(await run('connections', ...place, '--json', '--runtime', 'current')).Connections;
  assert.deepEqual([first.PlayerId, first.Id], ['alice', connectionId]);
  const lines = (await run('connections', ...place, '--address', '127.0.0.0/8')).split('\n');
  assert.match(lines[1] ?? '', new RegExp(`^alice +${connectionId} +\\S+Z +127\\.0\\.0\\.1 +empty +\\S+$`));
  const wrong = createTestWorld({ local: { root: ROOT, url: server.url } });
  assert.equal(await wrong.run('connections', ...place, '--player', 'alice', '--count'), 2);
  assert.equal(await wrong.run('players', ...place, '--before', 'noon'), 2);
  assert.match(wrong.err(), /--before must be a duration/);
});

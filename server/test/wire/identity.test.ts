import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { ResparkClient } from '@respark/client';
import { encode } from '@respark/protocol';
import { readAudit } from '../support/administration.ts';
import { fileOf } from '../support/game-document.ts';
import { CLIENT_ID, startIdentityProvider } from '../support/identity-provider.ts';
import { startWebServer } from '../support/outside.ts';
import { createSnapshot, deploy } from '../support/publishing.ts';
import { rawCall } from '../support/raw-call.ts';
import { scriptedGame } from '../support/scripted-game.ts';
import { GAME, STAGE, startTestServer, type TestServer, until } from '../support/server.ts';

const AT_STAGE = `/respark/game/${GAME}/stage/${STAGE}`;

/** A game whose handlers say what they know of the player. */
const WHO_AM_I = scriptedGame({
  requests: {
    WhoAmI: {
      response: { Id: 'String', Claims: 'Document' },
      script: `const player = GameSparks().CurrentPlayer();
        return GameSparks().Messaging().Response({ Id: player.Id(), Claims: player.Claims() });`,
    },
    Shout: { script: 'GameSparks().Messaging().RaiseEvent("Heard"); return GameSparks().Messaging().Response({});' },
  },
  events: {
    Heard: {
      isFromPlayers: false,
      script: 'GameSparks().Messaging().SendNotification("Told", { Claims: GameSparks().CurrentPlayer().Claims() });',
    },
  },
  notifications: { Told: { Claims: 'Document' } },
});

async function open(t: TestContext, options: Parameters<typeof startTestServer>[1] = {}) {
  const server = await startTestServer(t, options);
  await deploy(server, await createSnapshot(server, fileOf(WHO_AM_I)));
  return server;
}

async function setIdentity(server: TestServer, body: object): Promise<void> {
  const { status, message } = await rawCall(server, 'PUT', `${AT_STAGE}/identity`, { body });
  assert.equal(status, 200, message);
}

async function tokenFor(server: TestServer, player: string, body: object = {}): Promise<string> {
  const { json, message } = await rawCall(server, 'POST', `${AT_STAGE}/player/${player}/token`, { body });
  assert.equal(typeof json.AuthenticationToken, 'string', message);
  return String(json.AuthenticationToken);
}

function clientOf(
  t: TestContext,
  server: TestServer,
  options: Partial<ConstructorParameters<typeof ResparkClient>[0]>,
) {
  const client = new ResparkClient({ url: server.playerUrl, gameKey: server.gameKey, ...options });
  t.after(() => client.close());
  return client;
}

const ask = (client: ResparkClient) => client.request('Custom.Game.WhoAmI');

/** How the server ends a hello. */
async function refusalOf(server: TestServer, token?: string): Promise<string> {
  const ws = await server.open();
  const closed = new Promise<string>((resolve) => ws.once('close', (code, reason) => resolve(`${code} ${reason}`)));
  ws.send(encode({ kind: 'hello', gameKey: server.gameKey, ...(token === undefined ? {} : { token }) }));
  return await closed;
}

for (const algorithm of ['RS256', 'ES256']) {
  test(`[ws] a user of an OpenID provider that signs with ${algorithm} is a player, whose claims handlers read`, async (t) => {
    const [server, provider] = await Promise.all([open(t), startIdentityProvider(t, { algorithm })]);
    await setIdentity(server, {
      AllowGuests: false,
      Providers: [
        {
          ...{ Issuer: provider.issuer, JwksUrl: provider.jwksUrl, Audiences: [CLIENT_ID], Algorithms: [algorithm] },
          ...{ PlayerIdPrefix: 'op-', Claims: ['level', 'groups', 'email'] },
        },
      ],
    });
    const token = await provider.signIn('anna');
    const stored: (string | undefined)[] = [];
    const storage = { load: () => undefined, save: (saved: string | undefined) => void stored.push(saved) };
    const client = clientOf(t, server, { token, storage });
    const { playerId } = await client.connect();
    assert.equal(playerId, 'op-anna');
    const expected = { Id: 'op-anna', Claims: { level: 4, groups: ['players', 'testers'] } };
    assert.deepEqual(await ask(client), expected);
    const told = new Promise((resolve) => client.on('notification', ({ payload }) => resolve(payload)));
    await client.request('Custom.Game.Shout');
    assert.deepEqual(await told, { Claims: expected.Claims }, 'an event that a handler raises has them too');

    // What is stored is the server's own, and says the same.
    assert.equal(stored.length, 1);
    assert.ok(stored[0] !== undefined && stored[0] !== token);
    const again = clientOf(t, server, { token: stored[0] });
    await again.connect();
    assert.deepEqual(await ask(again), expected);
    assert.equal(provider.keyRequests, 1);
    assert.equal(await refusalOf(server), '4503 this stage does not allow guests');
    assert.match(await refusalOf(server, `${token.slice(0, -8)}AAAAAAAA`), /^4503 its signature is wrong$/);
  });
}

test('[ws] a token is checked without a connection, and what it would come to is said', async (t) => {
  const [server, provider] = await Promise.all([open(t), startIdentityProvider(t)]);
  const check = async (Token: string) =>
    (await rawCall(server, 'POST', `${AT_STAGE}/token-check`, { body: { Token } })).json;
  const token = await provider.signIn('bo');
  assert.deepEqual(await check(token), {
    IsAccepted: false,
    Reason: 'The token is expired, damaged or of another stage.',
  });
  const Providers = [
    {
      Issuer: provider.issuer,
      JwksUrl: provider.jwksUrl,
      Audiences: ['else'],
      Algorithms: ['RS256'],
      Claims: ['level'],
    },
  ];
  await setIdentity(server, { Providers, SessionSeconds: 3_600 });
  assert.deepEqual(await check(token), { IsAccepted: false, Reason: 'it is for another audience than "else"' });
  await setIdentity(server, { Providers: [{ ...Providers[0], Audiences: ['else', CLIENT_ID] }] });
  const { Issued, SessionEnds, ...rest } = await check(token);
  assert.deepEqual(rest, { IsAccepted: true, PlayerId: 'bo', Issuer: provider.issuer, Claims: { level: 2 } });
  assert.match(`${Issued} ${SessionEnds}`, /^\d{4}-\S+Z \d{4}-\S+Z$/);
  const identity = await rawCall(server, 'GET', `${AT_STAGE}/identity`);
  assert.deepEqual(identity.json, {
    Identity: {
      AllowGuests: true,
      SessionSeconds: 3_600,
      Providers: [
        {
          ...{ Algorithms: ['RS256'], Audiences: ['else', CLIENT_ID], Claims: ['level'], ClockSkewSeconds: 0 },
          ...{ Issuer: provider.issuer, JwksUrl: provider.jwksUrl },
          ...{ PlayerIdClaim: 'sub', PlayerIdForm: 'PLAIN', PlayerIdPrefix: '' },
        },
      ],
    },
  });
  const records = await readAudit(server);
  const changes = records.filter(({ operation }) => operation === 'UpdateStageIdentity');
  assert.deepEqual(
    changes.map(({ details: { providersDigest, ...details } = {}, outcome }) => [
      details,
      providersDigest?.length,
      outcome?.error,
    ]),
    [
      [{ issuers: provider.issuer, jwksUrls: provider.jwksUrl, sessionSeconds: '3600' }, 64, undefined],
      [{ issuers: provider.issuer, jwksUrls: provider.jwksUrl }, 64, undefined],
    ],
  );
  const everything = JSON.stringify([records, server.logged]);
  assert.ok(!everything.includes(token), 'no token is logged or on record');
});

test('[ws] a token for an hour with claims is renewed with them, and the client is told its lifetime', async (t) => {
  const server = await open(t);
  const token = await tokenFor(server, 'gm-7', { LifetimeSeconds: 3_600, Claims: { role: 'gm', zones: [1, 2] } });
  const stored: (string | undefined)[] = [];
  const client = clientOf(t, server, {
    token,
    storage: { load: () => undefined, save: (saved) => void stored.push(saved) },
  });
  const { tokenLifetimeMs } = await client.connect();
  assert.equal(tokenLifetimeMs, 3_600_000);
  const expected = { Id: 'gm-7', Claims: { role: 'gm', zones: [1, 2] } };
  assert.deepEqual(await ask(client), expected);
  const renewed = clientOf(t, server, { token: stored[0] });
  assert.equal((await renewed.connect()).tokenLifetimeMs, 3_600_000);
  assert.deepEqual(await ask(renewed), expected);
  const guest = clientOf(t, server, {});
  await guest.connect();
  assert.deepEqual(await ask(guest), { Id: guest.playerId, Claims: {} });
  const { status, message } = await rawCall(server, 'POST', `${AT_STAGE}/player/gm-7/token`, {
    body: { Claims: { role: { name: 'gm' } } },
  });
  assert.deepEqual([status, message?.startsWith('Claims must be strings')], [400, true], message);
});

test('[ws] a provider that is away turns nobody away for good', async (t) => {
  const [server, provider] = await Promise.all([startTestServer(t), startIdentityProvider(t)]);
  const token = await provider.signIn('anna');
  const JwksUrl = `${provider.issuer}/not-there`;
  await setIdentity(server, {
    Providers: [{ Issuer: provider.issuer, JwksUrl, Audiences: [CLIENT_ID], Algorithms: ['RS256'] }],
  });
  assert.match(
    await refusalOf(server, token),
    /^1013 the keys of its issuer cannot be had at the moment; retryAfterMs=\d+$/,
  );
});

test('[ws] a provider that does not answer holds its players up no longer than any hello, and nobody else', async (t) => {
  const server = await startTestServer(t, { settings: { authTimeoutMs: 500 } });
  const [provider, silent] = await Promise.all([startIdentityProvider(t), startWebServer(t, () => {})]);
  const token = await provider.signIn('anna');
  await setIdentity(server, {
    Providers: [
      { Issuer: provider.issuer, JwksUrl: `${silent.url}/jwks`, Audiences: [CLIENT_ID], Algorithms: ['RS256'] },
    ],
  });
  const refused = Promise.all([refusalOf(server, token), refusalOf(server, token)]);
  await until(() => silent.requests.length > 0);
  assert.ok((await server.connect()).playerId !== '');
  const late = '1013 the server could not welcome you in time';
  assert.deepEqual(await refused, [late, late]);
  assert.equal(silent.requests.length, 1);
});

test('[ws] a provider that is taken off a stage while its keys are fetched lets nobody in any more', async (t) => {
  const server = await startTestServer(t);
  const provider = await startIdentityProvider(t);
  const keys = await (await fetch(provider.jwksUrl)).text();
  const waiting: (() => void)[] = [];
  const slow = await startWebServer(t, (response) => void waiting.push(() => response.end(keys)));
  const token = await provider.signIn('anna');
  const trusted = {
    Issuer: provider.issuer,
    JwksUrl: `${slow.url}/jwks`,
    Audiences: [CLIENT_ID],
    Algorithms: ['RS256'],
  };
  await setIdentity(server, { Providers: [trusted] });
  const refused = assert.rejects(server.connect({ token }), /^Error: closed with 4503 /);
  await until(() => waiting.length > 0);
  await setIdentity(server, { Providers: [] });
  for (const answer of waiting) answer();
  await refused;
});

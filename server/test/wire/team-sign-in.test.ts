import assert from 'node:assert/strict';
import { once } from 'node:events';
import { request } from 'node:http';
import { type TestContext, test } from 'node:test';
import { exportJWK, generateKeyPair, type JWTPayload, SignJWT, UnsecuredJWT } from 'jose';
import { systemClock } from '../../src/clock.ts';
import { alterDatabase, readAudit } from '../support/administration.ts';
import { closedPort } from '../support/outside.ts';
import { rawCall } from '../support/raw-call.ts';
import { GAME, STAGE, startTestServer, type TestServer } from '../support/server.ts';
import { CLIENT_ID, CLIENT_SECRET, startTeamProvider } from '../support/team-provider.ts';

const ADA = {
  ...{ sub: 'ada-1', name: 'Ada', email: 'ada@studio.example', email_verified: true },
  groups: ['live-ops', 'everybody'],
};

interface Said {
  readonly url: string;
  readonly state: string;
  readonly ticket: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly expires: string;
  readonly Message: string;
}

async function open(t: TestContext, settings: Parameters<typeof startTestServer>[1] = {}) {
  const provider = await startTeamProvider(t);
  const server = await startTestServer(t, { ...settings, settings: { ...provider.settings, ...settings.settings } });
  const post = async (path: string, body: unknown = {}, headers: Record<string, string> = { origin: server.url }) => {
    const sent = typeof body === 'string' ? body : JSON.stringify(body);
    const reply = await fetch(`${server.url}/console/sign-in/${path}`, { method: 'POST', body: sent, headers });
    const said = (await reply.json()) as Said;
    assert.equal(reply.headers.get('cache-control'), 'no-store');
    assert.match(reply.headers.get('x-amzn-requestid') ?? '', /^[\da-f-]{36}$/);
    return { status: reply.status, headers: reply.headers, said, requestId: reply.headers.get('x-amzn-requestid') };
  };
  const begin = async () => (await post('begin')).said;
  /** Walks the whole way as a browser does, with what the test wants to be other. */
  async function signIn(claims: JWTPayload = ADA, change: Record<string, unknown> = {}) {
    const { url, ticket } = await begin();
    return await post('finish', { ...provider.grant(url, claims), ticket, ...change });
  }
  return { provider, server, post, begin, signIn };
}

const call = (server: TestServer, { accessKeyId, secretAccessKey }: Said, method: string, path: string) =>
  rawCall(server, method, path, { credentials: { accessKeyId, secretAccessKey } });

test('whoever the provider vouches for gets a key of the role of their group, for a while, on record', async (t) => {
  const { provider, server, begin, signIn } = await open(t);
  const asked = new URL((await begin()).url);
  assert.equal(asked.origin + asked.pathname, `${provider.issuer}/auth`);
  const { state, nonce, code_challenge: challenge, ...rest } = Object.fromEntries(asked.searchParams);
  for (const random of [state, nonce, challenge]) assert.match(random ?? '', /^[\w-]{43}$/);
  assert.deepEqual(rest, {
    ...{ prompt: 'login', response_type: 'code', client_id: CLIENT_ID, scope: 'openid profile email' },
    ...{ redirect_uri: `${server.url}/console/`, code_challenge_method: 'S256' },
  });

  const before = Date.now();
  const { status, said: key, requestId } = await signIn();
  assert.equal(status, 200, key.Message);
  const minutes = (Date.parse(key.expires) - before) / 60_000;
  assert.ok(minutes >= 480 && minutes < 481, key.expires);
  assert.equal((await call(server, key, 'GET', `/respark/game/${GAME}/stage/${STAGE}/player`)).status, 200);
  assert.equal((await call(server, key, 'GET', '/game')).error, 'AccessDeniedException', 'it is for one stage');

  const listed = await rawCall(server, 'GET', `/respark/access-key/${key.accessKeyId}`);
  const { Description, Expires, State, Subject } = listed.json.AccessKey as Record<string, string>;
  const role = `moderator, game ${GAME}, stage ${STAGE}`;
  const host = new URL(provider.issuer).host;
  assert.equal(Description, `${role}: Ada <ada@studio.example>, signed in at ${host}`);
  assert.equal(Subject, `${provider.issuer} ada-1`);
  const all = (await rawCall(server, 'GET', '/respark/access-key')).json.AccessKeys as Record<string, string>[];
  assert.ok(all.some((each) => each.AccessKeyId === key.accessKeyId && each.Subject === Subject));
  assert.deepEqual([State, (Expires ?? '').slice(0, 19)], ['ACTIVE', key.expires.slice(0, 19)]);
  const [record] = await readAudit(server, { operation: 'CreateAccessKey' });
  assert.deepEqual(
    [record?.actor, record?.sourceAddress, record?.requestId],
    [`${provider.issuer} ada-1`, '127.0.0.1', requestId],
  );
  const { policySha256: _, expires: __, ...details } = record?.details ?? {};
  assert.deepEqual(details, { description: Description, role, group: 'live-ops' });
  assert.match(record?.resource ?? '', new RegExp(`${key.accessKeyId}$`));

  assert.equal((await call(server, key, 'DELETE', '/respark/own-access-key')).status, 200);
  assert.equal((await call(server, key, 'GET', '/respark/server')).error, 'UnrecognizedClientException');
  const everything = JSON.stringify([server.logged, await readAudit(server)]);
  const form = new URLSearchParams(provider.requests.find(({ url }) => url === '/token')?.body);
  for (const secret of [
    CLIENT_SECRET,
    key.secretAccessKey,
    form.get('code'),
    form.get('code_verifier'),
    ...provider.given,
  ])
    assert.ok(!everything.includes(secret ?? ''), 'nothing secret is in the log or on record');
});

test('the first pair counts whose group somebody is in, and an address only when it is verified', async (t) => {
  const { server, signIn } = await open(t);
  const admin = (await signIn({ ...ADA, groups: ['live-ops', 'admins'] })).said;
  assert.equal((await call(server, admin, 'GET', '/respark/access-key')).status, 200);
  assert.equal((await signIn({ sub: 'one', groups: 'admins' })).status, 200, 'one group as a text');

  const byMail = await open(t, {
    settings: { signInGroupsClaim: 'email', signInRoles: ['ada@studio.example=viewer'] },
  });
  assert.equal((await byMail.signIn({ ...ADA, email_verified: true })).status, 200);
  for (const isVerified of [false, 'true', undefined])
    assert.equal((await byMail.signIn({ ...ADA, email_verified: isVerified })).status, 403);
});

test('whoever is in none of the groups does not get in, hears of which, and is on record', async (t) => {
  const { provider, server, signIn } = await open(t);
  for (const groups of [['everybody'], [], undefined, { admins: true }, 7, ['ADMINS', ' admins']]) {
    const { status, said } = await signIn({ ...ADA, groups });
    assert.equal(status, 403);
    assert.match(said.Message, /none of the groups that get in, "admins", "live-ops", in its claim "groups"/);
    assert.ok(!said.Message.includes('everybody'));
  }
  const [record] = await readAudit(server, { operation: 'CreateAccessKey' });
  assert.deepEqual([record?.actor, record?.outcome?.error], [`${provider.issuer} ada-1`, 'access_denied']);
  assert.equal((await signIn({ groups: ['admins'] })).status, 403, 'a token of nobody');
});

test('an ID token that is not this provider’s, for this client, for this sign-in and for now lets nobody in', async (t) => {
  const { provider, signIn } = await open(t);
  const stranger = await generateKeyPair('RS256');
  const publicKey = Buffer.from(JSON.stringify(await exportJWK(provider.publicKey)));
  const symmetric = (secret: Uint8Array) => (claims: JWTPayload) =>
    new SignJWT(claims).setProtectedHeader({ alg: 'HS256', kid: 'of-the-test' }).sign(secret);
  const having = (change: Record<string, unknown>) => (claims: JWTPayload) =>
    provider.sign({ ...claims, ...change } as JWTPayload);
  const hostile: Record<string, [(claims: JWTPayload) => string | Promise<string>, RegExp]> = {
    'without a signature': [(claims) => new UnsecuredJWT(claims).encode(), /not a signed JWT|not listed/],
    'by the secret of the client': [symmetric(Buffer.from(CLIENT_SECRET)), /algorithm that is not listed/],
    'by the public key as a secret': [symmetric(publicKey), /algorithm that is not listed/],
    'by a stranger’s key': [
      (claims) =>
        new SignJWT(claims).setProtectedHeader({ alg: 'RS256', kid: 'of-the-test' }).sign(stranger.privateKey),
      /its signature is wrong/,
    ],
    'for another client': [having({ aud: 'another' }), /another audience/],
    'for several, and another of them': [
      having({ aud: [CLIENT_ID, 'another'], azp: 'another' }),
      /another client \(azp\)/,
    ],
    'for several, without a word for whom': [having({ aud: [CLIENT_ID, 'another'] }), /another client \(azp\)/],
    'of another sign-in': [having({ nonce: 'another' }), /another sign-in \(nonce\)/],
    'of no sign-in': [having({ nonce: undefined }), /another sign-in \(nonce\)/],
    'of another issuer': [having({ iss: 'https://evil.example' }), /claim iss is not as it must be/],
    'of an issuer with one character more': [having({ iss: `${provider.issuer}/` }), /claim iss/],
    'of before': [having({ exp: 1_700_000_000 }), /has expired/],
    'for ever': [having({ exp: undefined }), /has no claim exp/],
    'of the future': [having({ iat: 4_000_000_000 }), /is in the future/],
    'that is none': [() => 'not.a.token', /not a signed JWT|issuer|JWT/],
  };
  for (const [what, [token, reason]] of Object.entries(hostile)) {
    provider.misdeeds.token = token;
    const { status, said } = await signIn({ ...ADA, groups: ['admins'] });
    assert.deepEqual([status, Object.keys(said)], [403, ['Message']], what);
    assert.match(said.Message, reason, what);
    assert.ok(!said.Message.includes(provider.given.at(-1) ?? ''), 'the token is not told');
  }
  provider.misdeeds.token = having({ aud: [CLIENT_ID, 'another'], azp: CLIENT_ID });
  assert.equal((await signIn()).status, 200);
});

test('an answer of the provider is good once, for the browser that has begun, and for ten minutes', async (t) => {
  let lateMs = 0;
  const clock = { ...systemClock, now: () => systemClock.now() + lateMs };
  const { provider, post, begin } = await open(t, { clock });
  const [own, other] = [await begin(), await begin()];
  const { code, state } = provider.grant(own.url, ADA);
  const refusals: [string, object, RegExp][] = [
    ['a strange state', { code, state: 'guess', ticket: own.ticket }, /another sign-in: begin again/],
    ['the state of another', { code, state: other.state, ticket: own.ticket }, /another sign-in: begin again/],
    ['a code that somebody else has got', { code, state: other.state, ticket: other.ticket }, /invalid_grant/],
    [
      'a ticket that was changed',
      { code, state, ticket: `${own.ticket.slice(0, -4)}AAAA` },
      /not begun at this server/,
    ],
    ['a ticket of nobody', { code, state, ticket: 'e30' }, /not begun at this server/],
    ['no code', { code: '', state, ticket: own.ticket }, /without a code/],
    [
      'another provider’s answer',
      { code, state, ticket: own.ticket, issuer: 'https://evil.example' },
      /another provider/,
    ],
  ];
  for (const [what, body, reason] of refusals) {
    const { status, said } = await post('finish', body);
    assert.equal(status, 403, what);
    assert.match(said.Message, reason, what);
  }
  const { code: fresh } = provider.grant(own.url, ADA);
  const good = { code: fresh, state, ticket: own.ticket, issuer: provider.issuer };
  assert.equal((await post('finish', good)).status, 200);
  assert.match((await post('finish', good)).said.Message, /invalid_grant\): it was used, or is too old/);

  lateMs = 600_001;
  const late = { ...provider.grant(other.url, ADA), ticket: other.ticket };
  assert.match((await post('finish', late)).said.Message, /more than ten minutes ago/);
});

test('only the console’s own page is answered, and nothing that it says changes where people are sent', async (t) => {
  const { provider, server, post } = await open(t);
  const others = [{}, { origin: 'https://evil.example' }, { origin: 'null' }, { origin: `${server.url}.evil.example` }];
  for (const headers of others as Record<string, string>[]) {
    const { status, said } = await post('begin', {}, headers);
    assert.equal(status, 403);
    assert.match(said.Message, new RegExp(`at ${server.url}/console/ only`));
  }
  for (let n = 0; n < 90; n += 1)
    assert.equal((await post('begin', {}, { origin: 'https://evil.example' })).status, 403, 'it costs no allowance');
  const evil = 'https://evil.example/';
  const forwarded = { 'x-forwarded-host': 'evil.example', forwarded: 'host=evil.example', referer: evil };
  const asked = { redirect_uri: evil, returnUrl: evil, url: evil, state: 'mine' };
  const { said } = await post('begin', asked, { origin: server.url, ...forwarded });
  assert.equal(new URL(said.url).searchParams.get('redirect_uri'), `${server.url}/console/`);
  assert.ok(!said.url.includes('evil') && said.url.startsWith(provider.issuer));
  for (const body of ['', '[]', '{', '"text"', '{"code":1,"state":"a","ticket":"b"}', 'null', 'x'.repeat(20_000)])
    assert.equal((await post('finish', body)).status, 400, body.slice(0, 40));
});

test('behind a public URL, that is where people are sent back to and sign in', async (t) => {
  const { server, post } = await open(t, { settings: { publicUrl: 'https://api.studio.example/respark' } });
  assert.equal((await post('begin', {}, { origin: server.url })).status, 403);
  const { said } = await post('begin', {}, { origin: 'https://api.studio.example' });
  assert.equal(new URL(said.url).searchParams.get('redirect_uri'), 'https://api.studio.example/respark/console/');
});

test('a provider that is away, or says what it must not, is named as the reason, with the id of the request', async (t) => {
  const other = await open(t);
  other.provider.misdeeds.description = { issuer: 'https://evil.example' };
  const failed = await other.post('begin');
  assert.equal(failed.status, 502);
  assert.match(failed.said.Message, /it says that it is "https:\/\/evil.example": RESPARK_SIGN_IN_ISSUER must be that/);
  const warned = other.server.logged.filter(({ level }) => level === 40);
  assert.ok(warned.some(({ requestId }) => requestId === failed.requestId));

  const { provider, post, begin, signIn } = await open(t);
  const { url, ticket } = await begin();
  const misdeeds: [object, RegExp][] = [
    [{ body: 'garbage' }, /not JSON/],
    [{ status: 500, body: '' }, /status 500/],
    [{ body: '{"access_token":"a"}' }, /no ID token/],
    [{ status: 401, body: '{"error":"invalid_client"}' }, /refused this server’s request \(invalid_client\)/],
    [{ status: 400, body: '{"error":"<script>"}' }, /\(status 400\)/],
    [{ status: 403, body: '<html>' }, /refused this server’s request \(status 403\)/],
    [{ status: 429, body: 'slowly' }, /asked too much \(status 429\): try again in a minute/],
  ];
  for (const [answer, reason] of misdeeds) {
    provider.misdeeds.answer.token = answer;
    const { status, said } = await post('finish', { ...provider.grant(url, ADA), ticket });
    assert.equal(status, 502, String(reason));
    assert.match(said.Message, reason);
  }
  provider.misdeeds.answer = { keys: { status: 500 } };
  const { status, said } = await signIn();
  assert.deepEqual([status, /keys cannot be had/.test(said.Message)], [502, true], said.Message);

  const away = await open(t, { settings: { signInIssuer: `http://127.0.0.1:${await closedPort()}` } });
  assert.match((await away.post('begin')).said.Message, /could not be reached \(ECONNREFUSED\)/);
  const hidden = await open(t, { settings: { signInIssuer: 'https://10.0.0.1' } });
  assert.match((await hidden.post('begin')).said.Message, /a private network: add it to RESPARK_IDENTITY_HOSTS/);
});

test('an answer must name the provider where that says that it does', async (t) => {
  const { provider, signIn } = await open(t);
  provider.misdeeds.description = { authorization_response_iss_parameter_supported: true };
  assert.match((await signIn()).said.Message, /another provider/);
  assert.equal((await signIn(ADA, { issuer: provider.issuer })).status, 200);
});

test('a person has five keys at most, and whoever signs in once more gives up the oldest', async (t) => {
  const { server, signIn } = await open(t);
  const keys: Said[] = [];
  for (let n = 0; n < 6; n += 1) keys.push((await signIn()).said);
  const other = (await signIn({ ...ADA, sub: 'ada-2' })).said;
  const states = await Promise.all(
    [...keys, other].map(async (key) => (await call(server, key, 'GET', '/respark/server')).status),
  );
  assert.deepEqual(states, [403, 200, 200, 200, 200, 200, 200]);
  const [revoked] = await readAudit(server, { operation: 'RevokeAccessKey', cause: 'server' });
  assert.match(revoked?.resource ?? '', new RegExp(`${keys[0]?.accessKeyId}$`));
  assert.equal(revoked?.details?.because, 'too many sign-ins');
});

test('nobody confirms with another sign-in the job that they have started, also when its key is forgotten', async (t) => {
  const roles = { signInRoles: ['live-ops=operator'], jobConfirmAbove: 0 };
  const { server, signIn } = await open(t, { settings: roles });
  const player = await server.connect();
  const [first, second] = [(await signIn()).said, (await signIn()).said];
  const other = (await signIn({ ...ADA, sub: 'ada-2' })).said;
  const jobs = `/respark/game/${GAME}/stage/${STAGE}/disconnect-job`;
  const sign = ({ accessKeyId, secretAccessKey }: Said) => ({ credentials: { accessKeyId, secretAccessKey } });
  const started = await rawCall(server, 'POST', jobs, { ...sign(first), body: { Selector: { Everybody: true } } });
  const { JobId, State } = started.json.Job as { JobId: string; State: string };
  assert.equal(State, 'AWAITING_CONFIRMATION', started.message);
  const confirm = (key: Said) => rawCall(server, 'POST', `${jobs}/${JobId}/confirm`, sign(key));
  assert.equal((await confirm(first)).error, 'AccessDeniedException');
  const own = await confirm(second);
  assert.deepEqual([own.status, own.error], [403, 'AccessDeniedException']);
  assert.match(own.message ?? '', /you have started this job yourself/);
  alterDatabase(server, `DELETE FROM access_keys WHERE id = '${first.accessKeyId}'`);
  assert.equal((await confirm(second)).error, 'AccessDeniedException');
  assert.equal((await confirm(other)).status, 200);
  await player.closed;
});

test('an address waits for the provider four times at once, everybody 32 times, and hears when to come back', async (t) => {
  const { provider, server, post } = await open(t, { settings: { trustedProxies: ['127.0.0.1'] } });
  provider.misdeeds.isSilent = true;
  const beginAt = (address: string) => post('begin', {}, { origin: server.url, 'x-forwarded-for': address });
  const ofOne = Array.from({ length: 5 }, () => beginAt('203.0.113.1'));
  const fifth = await Promise.race(ofOne);
  assert.deepEqual([fifth.status, fifth.headers.get('retry-after')], [429, '1']);
  assert.match(fifth.said.Message, /too many people of this address/);
  const ofOthers = Array.from({ length: 29 }, (_, n) => beginAt(`203.0.113.${10 + (n % 10)}`));
  const last = await Promise.race(ofOthers);
  assert.deepEqual([last.status, last.said.Message], [429, 'too many people are signing in at the moment']);
  const statuses = (await Promise.all([...ofOne, ...ofOthers])).map(({ status }) => status);
  assert.equal(statuses.filter((status) => status === 429).length, 2);
  assert.equal((await beginAt('203.0.113.1')).status, 502, 'the places are free again');
});

test('whoever sends a body slowly keeps nobody from signing in', async (t) => {
  const { server, signIn } = await open(t, { settings: { trustedProxies: ['127.0.0.1'] } });
  for (let n = 0; n < 40; n += 1) {
    const headers = { origin: server.url, 'x-forwarded-for': `203.0.113.${n}`, expect: '100-continue' };
    const slow = request(`${server.url}/console/sign-in/finish`, {
      ...{ method: 'POST', agent: false, headers: { ...headers, 'content-length': '100' } },
    });
    t.after(() => slow.destroy());
    slow.flushHeaders();
    const answered = once(slow, 'response').then(([{ statusCode }]) => `answered ${statusCode}`);
    answered.catch(() => {});
    assert.equal(await Promise.race([once(slow, 'continue').then(() => 'asked'), answered]), 'asked');
  }
  assert.equal((await signIn()).status, 200);
});

test('an address begins only so many sign-ins, and hears when to come back', async (t) => {
  const { post } = await open(t);
  const replies = [];
  for (let n = 0; n < 90; n += 1) replies.push(await post('begin'));
  const late = replies.filter(({ status }) => status === 429);
  assert.ok(late.length > 0 && replies.slice(0, 60).every(({ status }) => status === 200));
  assert.match(late[0]?.headers.get('retry-after') ?? '', /^1$/);
  assert.match(late[0]?.said.Message ?? '', /this address signs in too often/);
});

test('a few addresses with codes that they have made up keep nobody from signing in', async (t) => {
  // Allowances do not grow while the clock stands still.
  const clock = { ...systemClock, monotonic: () => 1_000_000 };
  const { provider, server, post } = await open(t, { clock, settings: { trustedProxies: ['127.0.0.1'] } });
  const at = (address: string) => ({ origin: server.url, 'x-forwarded-for': address });
  const bringMadeUpCodes = async (address: string) => {
    const { state, ticket } = (await post('begin', {}, at(address))).said;
    const replies = [];
    for (let n = 0; n < 50; n += 1) replies.push(await post('finish', { code: `${n}`, state, ticket }, at(address)));
    return replies.map(({ status }) => status);
  };
  const statuses = await Promise.all([1, 2, 3, 4].map((n) => bringMadeUpCodes(`203.0.113.${n}`)));
  for (const each of statuses) assert.deepEqual([each[0], each.at(-1)], [403, 429]);
  const { url, ticket } = (await post('begin', {}, at('198.51.100.1'))).said;
  assert.equal((await post('finish', { ...provider.grant(url, ADA), ticket }, at('198.51.100.1'))).status, 200);
});

test('a server without a provider offers none', async (t) => {
  const server = await startTestServer(t);
  assert.deepEqual(await (await fetch(`${server.url}/console/sign-in`)).json(), {});
  const headers = { origin: server.url };
  const reply = await fetch(`${server.url}/console/sign-in/begin`, { method: 'POST', headers });
  assert.equal(reply.status, 405);
  const named = await open(t, { settings: { signInName: 'Studio' } });
  assert.deepEqual(await (await fetch(`${named.server.url}/console/sign-in`)).json(), { provider: 'Studio' });
});

test('whoever signs in again has no more calls than before', async (t) => {
  const settings = { readCallsPerSecond: 1, readCallsBurst: 20 };
  const { server, signIn } = await open(t, { settings: { ...settings, signInRoles: ['live-ops=viewer'] } });
  const read = (key: Said) => call(server, key, 'GET', '/respark/server');
  const first = (await signIn()).said;
  while ((await read(first)).status === 200);
  const second = (await signIn()).said;
  const answers: Awaited<ReturnType<typeof read>>[] = [];
  for (let count = 0; count < 10; count += 1) answers.push(await read(second));
  const late = answers.filter(({ status }) => status === 429);
  assert.ok(late.length >= 8, `answers: ${answers.map(({ status }) => status).join(' ')}`);
  assert.match(late[0]?.message ?? '', /^Rate exceeded for read calls of this person, whose access keys share/);
  const other = (await signIn({ ...ADA, sub: 'bob-2' })).said;
  assert.equal((await read(other)).status, 200, 'another person is not counted with the first');
});

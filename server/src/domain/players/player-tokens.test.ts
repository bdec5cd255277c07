import assert from 'node:assert/strict';
import { createHmac, createSecretKey } from 'node:crypto';
import { test } from 'node:test';
import { type JWTPayload, jwtVerify, SignJWT, UnsecuredJWT } from 'jose';
import { ManualClock } from '../../../test/support/manual-clock.ts';
import { createKeyring } from '../../keyring.ts';
import { createPlayerTokens } from './player-tokens.ts';

const STAGE = '01939b5e-7a70-7c3a-8a1b-0123456789ab';
const OTHER_STAGE = '01939b5e-7a70-7c3a-8a1b-0123456789ac';
const NOW_MS = Date.UTC(2026, 0, 2, 3, 4, 5, 678);
const NOW = Math.floor(NOW_MS / 1000);
const DAY_MS = 86_400_000;

const { deriveKey } = createKeyring(new Uint8Array(32).fill(7));
const KEY = deriveKey(`player-token ${STAGE}`);

const fullTokensAt = (nowMs: number, key = deriveKey) =>
  createPlayerTokens({ deriveKey: key, clock: new ManualClock(nowMs), lifetimeMs: DAY_MS });

/** The same, but of a token that is accepted only the player. */
function tokensAt(nowMs: number, key = deriveKey) {
  const full = fullTokensAt(nowMs, key);
  return { ...full, verify: (stageId: string, token: string) => full.verify(stageId, token)?.playerId };
}
const tokens = tokensAt(NOW_MS);

const CLAIMS = { iss: 'respark', aud: STAGE, sub: 'player-1', iat: NOW, exp: NOW + 86_400 };

/** The parts are taken as they are, and the signature is that of the stage. */
function signed(header: string, payload: string, { key = KEY, hash = 'sha256' } = {}): string {
  return `${header}.${payload}.${createHmac(hash, key).update(`${header}.${payload}`).digest('base64url')}`;
}

const encoded = (part: unknown) => Buffer.from(JSON.stringify(part)).toString('base64url');
const HEADER = encoded({ alg: 'HS256' });

/** The judgement of the reference implementation. */
async function joseVerify(token: string): Promise<unknown> {
  const { payload } = await jwtVerify(token, createSecretKey(KEY), {
    algorithms: ['HS256'],
    issuer: 'respark',
    audience: STAGE,
    requiredClaims: ['sub', 'exp'],
    currentDate: new Date(NOW_MS),
  });
  return payload.sub;
}

const joseSign = (claims: JWTPayload, key = KEY, alg = 'HS256') =>
  new SignJWT(claims).setProtectedHeader({ alg }).sign(createSecretKey(key));

test('a token that an earlier version has issued is the same to the last character, and is accepted', () => {
  const issued =
    'eyJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJyZXNwYXJrIiwiYXVkIjoiMDE5MzliNWUtN2E3MC03YzNhLThhMWItMDEyMzQ1Njc4OWFiIiwic3ViIjoi' +
    'cGxheWVyLTEiLCJpYXQiOjE3NjczMjMwNDUsImV4cCI6MTc2NzQwOTQ0NX0.cit9n0STjvzBJX7mGBg4vUeVJy3kTb57CUiFiST7u6M';
  assert.equal(tokens.verify(STAGE, issued), 'player-1');
  assert.equal(tokensAt(NOW * 1000).issue(STAGE, 'player-1'), issued);
});

test('a token says to the millisecond when it was issued, and one that does not say has what its expiry leaves', () => {
  const at = (issuedAtMs: number) => ({ issuedAtMs, signedInAtMs: issuedAtMs });
  const issuedAt = (token: string) => fullTokensAt(NOW * 1000).verify(STAGE, token)?.issuedAtMs;
  assert.equal(
    issuedAt(fullTokensAt(NOW * 1000).issue(STAGE, 'player-1', undefined, at(NOW * 1000 - 4_321))),
    NOW * 1000 - 4_321,
  );
  assert.equal(issuedAt(fullTokensAt(NOW * 1000).issue(STAGE, 'player-1', undefined, at(NOW * 1000))), NOW * 1000);
  const { iat: _, ...without } = CLAIMS;
  assert.equal(issuedAt(signed(HEADER, encoded(without))), CLAIMS.exp * 1000 - 86_400_000);
});

test('the reference implementation accepts what is issued, whatever the player is called', async () => {
  for (const playerId of ['player-1', '', 'x'.repeat(44), 'Jürgen "愛"\\', '🦊\0\u2028', '__proto__']) {
    const token = tokens.issue(STAGE, playerId);
    assert.equal(await joseVerify(token), playerId);
    assert.equal(tokens.verify(STAGE, token), playerId);
  }
});

test('what the reference implementation signs with the key of the stage is accepted', async () => {
  const { exp, ...rest } = CLAIMS;
  const accepted = {
    'in another order': { exp, ...rest },
    'with a beginning that is over': { ...CLAIMS, nbf: NOW },
    'with more than one audience': { ...CLAIMS, aud: [OTHER_STAGE, STAGE] },
    'with a claim that nobody knows': { ...CLAIMS, scope: 'any' },
    'until the next second': { ...CLAIMS, exp: NOW + 1 },
  };
  for (const [what, claims] of Object.entries(accepted)) {
    const token = await joseSign(claims);
    assert.equal(await joseVerify(token), 'player-1', what);
    assert.equal(tokens.verify(STAGE, token), 'player-1', what);
  }
});

test('a token is valid for its lifetime and not a second longer, in whole seconds', () => {
  const token = tokens.issue(STAGE, 'player-1');
  assert.equal(tokensAt((NOW + 86_400) * 1000 - 1).verify(STAGE, token), 'player-1');
  assert.equal(tokensAt((NOW + 86_400) * 1000).verify(STAGE, token), undefined);
});

test('a token of another stage or another secret key is refused', () => {
  const others = createKeyring(new Uint8Array(32).fill(8));
  const foreign = tokensAt(NOW_MS, others.deriveKey);
  assert.equal(tokens.verify(OTHER_STAGE, tokens.issue(STAGE, 'player-1')), undefined);
  assert.equal(tokens.verify(STAGE, foreign.issue(STAGE, 'player-1')), undefined);
});

test('what is signed with the key of the stage is refused by its claims as the reference implementation refuses it', async () => {
  const { iss: _iss, ...withoutIssuer } = CLAIMS;
  const { aud: _aud, ...withoutAudience } = CLAIMS;
  const { sub: _sub, ...withoutPlayer } = CLAIMS;
  const { exp: _exp, ...forEver } = CLAIMS;
  const json = JSON.stringify(CLAIMS);
  const refused = {
    expired: encoded({ ...CLAIMS, exp: NOW }),
    'not yet valid': encoded({ ...CLAIMS, nbf: NOW + 1 }),
    'for ever': encoded(forEver),
    'without an issuer': encoded(withoutIssuer),
    'of another issuer': encoded({ ...CLAIMS, iss: 'other' }),
    'without an audience': encoded(withoutAudience),
    'for another stage': encoded({ ...CLAIMS, aud: OTHER_STAGE }),
    'for other stages': encoded({ ...CLAIMS, aud: [OTHER_STAGE] }),
    'for a text that contains the stage': encoded({ ...CLAIMS, aud: `${STAGE}x` }),
    'for nobody': encoded(withoutPlayer),
    'with an end that is a text': encoded({ ...CLAIMS, exp: String(CLAIMS.exp) }),
    'with an end that is null': encoded({ ...CLAIMS, exp: null }),
    'with a beginning that is a text': encoded({ ...CLAIMS, nbf: String(NOW) }),
    'with a time of issue that is a text': encoded({ ...CLAIMS, iat: String(NOW) }),
    'with an issuer in a list': encoded({ ...CLAIMS, iss: ['respark'] }),
    'expired by the last of two ends': Buffer.from(json.replace('{', `{"exp":${NOW + 9},`).replace(/}$/, ',"exp":1}')),
    'a list': encoded([CLAIMS]),
    'a text': encoded('player-1'),
    null: encoded(null),
    'not JSON': Buffer.from(`${json}}`),
    'not UTF-8': Buffer.from(json.replace('player-1', 'player-\xff'), 'latin1'),
    empty: '',
    'in the other base64': Buffer.from(JSON.stringify({ ...CLAIMS, sub: '>>>???' })).toString('base64'),
  };
  for (const [what, payload] of Object.entries(refused)) {
    const token = signed(HEADER, typeof payload === 'string' ? payload : payload.toString('base64url'));
    await assert.rejects(joseVerify(token), what);
    assert.equal(tokens.verify(STAGE, token), undefined, what);
  }
});

test('of two members of the same name the last one counts', async () => {
  const payload = JSON.stringify(CLAIMS).replace('{', '{"sub":"player-2","exp":1,"aud":"other",');
  const token = signed(HEADER, Buffer.from(payload).toString('base64url'));
  assert.equal(tokens.verify(STAGE, token), await joseVerify(token));
});

test('a token is refused for its signature, its algorithm or its form', async () => {
  const token = tokens.issue(STAGE, 'player-1');
  const [header = '', payload = '', signature = ''] = token.split('.');
  const refused = {
    'nothing at all': '',
    'a word': 'token',
    'dots only': '..',
    'without a signature': `${header}.${payload}`,
    'with an empty signature': `${header}.${payload}.`,
    'with half of its signature': `${header}.${payload}.${signature.slice(0, 20)}`,
    'with one dot more': `${token}.`,
    'with a dot before it': `.${token}`,
    'with a dot in the signature': `${header}.${payload}.${signature.slice(0, 20)}.${signature.slice(20)}`,
    'with a part more': `${token}.${signature}`,
    'without a payload': `${header}..${signature}`,
    'without a header': `.${payload}.${signature}`,
    'with a letter beyond ASCII that ends in the same byte': `${token.slice(0, -1)}${String.fromCharCode(0x100 + token.charCodeAt(token.length - 1))}`,
    'with half a character': `${token}\ud800`,
    'very long': `${token}${'A'.repeat(4_096)}`,
    'with a very long payload': `${header}.${payload.repeat(40)}.${signature}`,
    'with the claims of somebody else': `${header}.${encoded({ ...CLAIMS, sub: 'player-2' })}.${signature}`,
    'signed with a key of zeros': await joseSign(CLAIMS, new Uint8Array(32)),
    'signed with the key of another stage': await joseSign(CLAIMS, deriveKey(`player-token ${OTHER_STAGE}`)),
    unsigned: new UnsecuredJWT(CLAIMS).encode(),
    'unsigned under a signature': `${encoded({ alg: 'none' })}.${payload}.${signature}`,
    'unsigned under a signature that counts the header': signed(encoded({ alg: 'none' }), payload),
    'HS384 by its header': signed(encoded({ alg: 'HS384' }), payload),
    'HS512, signed as such': signed(encoded({ alg: 'HS512' }), payload, { hash: 'sha512' }),
    'HS256 by its header, HS512 by its signature': signed(HEADER, payload, { hash: 'sha512' }),
    'RS256 by its header': signed(encoded({ alg: 'RS256' }), payload),
    'without an algorithm': signed(encoded({}), payload),
    'with an algorithm in lower case': signed(encoded({ alg: 'hs256' }), payload),
    'with two algorithms': signed(Buffer.from('{"alg":"HS256","alg":"none"}').toString('base64url'), payload),
    'with an extension that nobody knows': signed(encoded({ alg: 'HS256', crit: ['x'], x: 1 }), payload),
    'with a payload that is not encoded': signed(encoded({ alg: 'HS256', crit: ['b64'], b64: false }), '{}'),
    'with a header that is a list': signed(encoded(['HS256']), payload),
    'with a header that is no JSON': signed('AAAA', payload),
  };
  for (const [what, forged] of Object.entries(refused)) {
    await assert.rejects(joseVerify(forged), what);
    assert.equal(tokens.verify(STAGE, forged), undefined, what);
  }
});

test('no other spelling of a token is accepted, not even one that decodes to the same bytes', () => {
  const token = tokens.issue(STAGE, 'player-1');
  const [header = '', payload = '', signature = ''] = token.split('.');
  // The last character of a signature has two bits to spare.
  const sameBytes = [...'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_']
    .map((last) => `${signature.slice(0, -1)}${last}`)
    .filter((each) => Buffer.from(each, 'base64url').equals(Buffer.from(signature, 'base64url')));
  assert.equal(sameBytes.length, 4);
  for (const each of sameBytes) {
    const expected = each === signature ? 'player-1' : undefined;
    assert.equal(tokens.verify(STAGE, `${header}.${payload}.${each}`), expected, each);
  }
  const ofSpareBits = encoded({ ...CLAIMS, sub: 'player-12' }).replace(/.$/, (last) =>
    last === 'Q' ? 'R' : `${last}A`,
  );
  for (const other of [`${token}=`, `${token} `, `\n${token}`, `${header}.${payload}. ${signature}`]) {
    assert.equal(tokens.verify(STAGE, other), undefined, other);
  }
  for (const other of [ofSpareBits, `${payload}==`, `${payload} `]) {
    assert.equal(tokens.verify(STAGE, signed(HEADER, other)), undefined, other);
  }
  const otherHeaders = ['{"alg": "HS256"}', '{"alg":"HS256","typ":"JWT"}'].map((text) =>
    Buffer.from(text).toString('base64url'),
  );
  for (const other of otherHeaders) assert.equal(tokens.verify(STAGE, signed(other, payload)), undefined, other);
});

test('a token with any one character changed, left out or doubled is refused', () => {
  const token = tokens.issue(STAGE, 'player-1');
  for (let at = 0; at < token.length; at += 1) {
    const [before, after] = [token.slice(0, at), token.slice(at + 1)];
    const changed = String.fromCharCode(token.charCodeAt(at) ^ 1);
    for (const other of [
      `${before}${changed}${after}`,
      `${before}${after}`,
      `${before}${token[at]}${token[at]}${after}`,
    ]) {
      assert.equal(tokens.verify(STAGE, other), undefined, other);
    }
  }
});

test('more stages than there are keys remembered have their tokens told apart', () => {
  const stages = Array.from({ length: 1_500 }, (_, index) => `stage-${index}`);
  const issued = stages.map((stage) => tokens.issue(stage, stage));
  for (const [index, stage] of stages.entries()) {
    const next = stages[(index + 1) % stages.length] as string;
    assert.equal(tokens.verify(stage, issued[index] as string), stage);
    assert.equal(tokens.verify(next, issued[index] as string), undefined);
  }
});

const SESSION = { claims: { level: 7, roles: ['gm', 'tester'] }, lifetimeMs: 3_600_000, untilMs: NOW * 1000 + DAY_MS };

test('a token says what its session says, and when it was issued', async () => {
  const token = fullTokensAt(NOW_MS).issue(STAGE, 'player-1', SESSION);
  assert.equal(await joseVerify(token), 'player-1');
  const said = { playerId: 'player-1', issuedAtMs: NOW_MS, signedInAtMs: NOW_MS, session: SESSION };
  assert.deepEqual(fullTokensAt(NOW_MS + 3_599_000).verify(STAGE, token), said);
  assert.equal(fullTokensAt(NOW_MS + 3_600_000).verify(STAGE, token), undefined);
  const plain = fullTokensAt(NOW_MS).issue(STAGE, 'player-1');
  const nothing = { playerId: 'player-1', issuedAtMs: NOW_MS, signedInAtMs: NOW_MS, session: undefined };
  assert.deepEqual(fullTokensAt(NOW_MS).verify(STAGE, plain), nothing);
});

test('a token that renews another says when the player signed in, and jose accepts it', async () => {
  const times = { issuedAtMs: NOW_MS, signedInAtMs: NOW_MS - 90_001 };
  const token = fullTokensAt(NOW_MS).issue(STAGE, 'player-1', undefined, times);
  assert.equal(await joseVerify(token), 'player-1');
  assert.deepEqual(fullTokensAt(NOW_MS).verify(STAGE, token), { playerId: 'player-1', ...times, session: undefined });
  // An identity provider may not say when it issued a token.
  const unknown = fullTokensAt(NOW_MS).issue(STAGE, 'player-1', SESSION, { issuedAtMs: NOW_MS, signedInAtMs: 0 });
  assert.equal(fullTokensAt(NOW_MS).verify(STAGE, unknown)?.signedInAtMs, 0);
  for (const time of [null, 'yesterday', true]) {
    assert.equal(tokens.verify(STAGE, await joseSign({ ...CLAIMS, auth_time: time })), undefined, String(time));
  }
});

test('no renewal lasts longer than its session or than the server lets any token', () => {
  let token = fullTokensAt(NOW_MS).issue(STAGE, 'player-1', SESSION);
  let endedAfterMs = 0;
  for (let passedMs = 0; endedAfterMs === 0; passedMs += 1_800_000) {
    const now = fullTokensAt(NOW_MS + passedMs);
    const session = now.verify(STAGE, token)?.session;
    if (session === undefined) endedAfterMs = passedMs;
    else token = now.issue(STAGE, 'player-1', session);
  }
  assert.equal(endedAfterMs, DAY_MS);
  const late = fullTokensAt(NOW_MS + DAY_MS);
  assert.throws(() => late.issue(STAGE, 'player-1', SESSION), { name: 'SessionEnded' });
  const long = fullTokensAt(NOW_MS).issue(STAGE, 'player-1', {
    ...SESSION,
    ...{ lifetimeMs: 2 * DAY_MS, untilMs: SESSION.untilMs + DAY_MS },
  });
  assert.equal(fullTokensAt(NOW_MS + DAY_MS).verify(STAGE, long), undefined);
});

test('a token of a session whose claims are none, or that has no end, is refused', async () => {
  for (const claims of [undefined, null, [], 'level', { level: {} }, { level: null }]) {
    const token = await joseSign({ ...CLAIMS, until: NOW + 60, claims: claims as object });
    assert.equal(tokens.verify(STAGE, token), undefined, JSON.stringify(claims));
  }
  for (const until of [null, 'tomorrow', true]) {
    assert.equal(tokens.verify(STAGE, await joseSign({ ...CLAIMS, until, claims: {} })), undefined, String(until));
  }
  assert.equal(tokens.verify(STAGE, await joseSign({ ...CLAIMS, until: NOW + 60, claims: {} })), 'player-1');
});

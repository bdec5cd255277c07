import assert from 'node:assert/strict';
import { createHash, createHmac } from 'node:crypto';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import {
  ACCESS_KEY_ID,
  CLOCK_SKEW_MS,
  check,
  editAuthorization,
  headerOf,
  NOW_MS,
  SECRET,
  signExample,
  TIMESTAMP,
  type Wire,
  withHeader,
} from '../../../test/support/signed-request.ts';
import { parseAuthorization } from './authorization-header.ts';
import { collectHeaders, createSigningKeyCache, type ParsedAuthorization, parseQuery, type Refusal } from './sigv4.ts';

const EMPTY_HASH = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855';

/** Signs a canonical request that was written by hand, so that the specification itself is the oracle. */
function signCanonical(canonical: string, signedHeaders: string): string {
  const hmac = (key: string | Buffer, data: string) => createHmac('sha256', key).update(data).digest();
  const scope = '20260102/eu-central-1/gamesparks/aws4_request';
  const key = scope.split('/').reduce<string | Buffer>(hmac, `AWS4${SECRET}`);
  const digest = createHash('sha256').update(canonical).digest('hex');
  const signature = hmac(key as Buffer, `AWS4-HMAC-SHA256\n${TIMESTAMP}\n${scope}\n${digest}`).toString('hex');
  return `AWS4-HMAC-SHA256 Credential=${ACCESS_KEY_ID}/${scope}, SignedHeaders=${signedHeaders}, Signature=${signature}`;
}

describe('the canonical request', () => {
  const cases: { title: string; rawPath?: string; rawQuery?: string; headers?: string[]; canonical: string[] }[] = [
    { title: 'of the root', canonical: ['/', '', 'host:h', 'x-amz-date:D', '', 'host;x-amz-date'] },
    {
      title: 'encodes an encoded path again',
      rawPath: '/tags/arn%3Aaws%3Agamesparks%3A%3A%3Agame%2FDemo',
      canonical: [
        '/tags/arn%253Aaws%253Agamesparks%253A%253A%253Agame%252FDemo',
        '',
        'host:h',
        'x-amz-date:D',
        '',
        'host;x-amz-date',
      ],
    },
    {
      title: 'encodes what a client left bare, and keeps a trailing slash',
      rawPath: "/a:b@c,d!e'(f)*/~-._/",
      canonical: ['/a%3Ab%40c%2Cd%21e%27%28f%29%2A/~-._/', '', 'host:h', 'x-amz-date:D', '', 'host;x-amz-date'],
    },
    {
      title: 'sorts the query by encoded name, then value',
      rawQuery: 'b=2&a-b=1&a=z&a=A&%C3%A9=1&A=&a',
      canonical: ['/', '%C3%A9=1&A=&a=&a=A&a=z&a-b=1&b=2', 'host:h', 'x-amz-date:D', '', 'host;x-amz-date'],
    },
    {
      title: 'reads + in the query as a space, and = in a value as itself',
      rawQuery: 'q=a+b%2Bc&t=MQ==&&',
      canonical: ['/', 'q=a%20b%2Bc&t=MQ%3D%3D', 'host:h', 'x-amz-date:D', '', 'host;x-amz-date'],
    },
    {
      title: 'trims header values, collapses their spaces and joins repeated ones in order',
      headers: ['X-Two', '  b   "c  d" ', 'x-two', 'a\t \tb', 'X-Empty', ''],
      canonical: [
        '/',
        '',
        'host:h',
        'x-amz-date:D',
        'x-empty:',
        'x-two:b "c d",a b',
        '',
        'host;x-amz-date;x-empty;x-two',
      ],
    },
  ];
  for (const { title, rawPath = '/', rawQuery = '', headers = [], canonical } of cases) {
    it(title, () => {
      const text = ['GET', ...canonical, EMPTY_HASH].join('\n').replace('x-amz-date:D', `x-amz-date:${TIMESTAMP}`);
      const authorization = signCanonical(text, canonical.at(-1) ?? '');
      const rawHeaders = ['Host', 'h', 'X-Amz-Date', TIMESTAMP, ...headers, 'Authorization', authorization];
      assert.equal(check({ method: 'GET', rawPath, rawQuery, rawHeaders, body: new Uint8Array() }), undefined);
    });
  }
});

describe('the Authorization header', () => {
  const wire = signExample();

  it('is read in any order and with or without spaces', () => {
    for (const join of [',', ', ', ' ,  ']) {
      const edited = editAuthorization(wire, (value) => {
        const [scheme, ...parameters] = value.split(' ');
        return `${scheme} ${parameters
          .map((text) => text.replace(/,$/, ''))
          .reverse()
          .join(join)}`;
      });
      assert.equal(check(edited), undefined);
    }
  });

  it('says whose signature it is', () => {
    const parsed = parseAuthorization({
      ...wire,
      headers: collectHeaders(wire.rawHeaders),
      nowMs: NOW_MS,
      clockSkewMs: CLOCK_SKEW_MS,
    }) as ParsedAuthorization;
    assert.deepEqual(
      { ...parsed, signature: parsed.signature.length },
      {
        accessKeyId: ACCESS_KEY_ID,
        date: '20260102',
        region: 'eu-central-1',
        timestamp: TIMESTAMP,
        signedHeaders: ['host', 'x-amz-content-sha256', 'x-amz-date'],
        signature: 64,
      },
    );
  });

  it('is dated by Date where there is no X-Amz-Date', () => {
    for (const date of ['Fri, 02 Jan 2026 03:04:05 GMT', TIMESTAMP]) {
      const authorization = signCanonical(`GET\n/\n\ndate:${date}\nhost:h\n\ndate;host\n${EMPTY_HASH}`, 'date;host');
      const rawHeaders = ['Host', 'h', 'Date', date, 'Authorization', authorization];
      assert.equal(check({ method: 'GET', rawPath: '/', rawQuery: '', rawHeaders, body: new Uint8Array() }), undefined);
    }
  });

  it('counts within the clock skew, its ends included', () => {
    assert.equal(check(wire, { nowMs: NOW_MS + CLOCK_SKEW_MS }), undefined);
    assert.equal(check(wire, { nowMs: NOW_MS - CLOCK_SKEW_MS }), undefined);
  });

  const refusals: [title: string, wire: Wire, name: Refusal['name'], message: RegExp][] = [
    [
      'is missing',
      withHeader(wire, 'authorization', undefined),
      'MissingAuthenticationTokenException',
      /^Missing Authentication Token/,
    ],
    [
      'has another scheme',
      withHeader(wire, 'authorization', 'Bearer hunter2'),
      'IncompleteSignatureException',
      /requires the algorithm AWS4-HMAC-SHA256, got another scheme/,
    ],
    [
      'is SigV4A',
      editAuthorization(wire, (value) => value.replace(/^\S+/, 'AWS4-ECDSA-P256-SHA256')),
      'IncompleteSignatureException',
      /got AWS4-ECDSA-P256-SHA256 \(SigV4A\)/,
    ],
    [
      'has only a credential',
      editAuthorization(wire, (value) => value.replace(/, Sig.*/, '')),
      'IncompleteSignatureException',
      /requires 'Signature' parameter\. Authorization header requires 'SignedHeaders' parameter\. Authorization has only Credential\./,
    ],
    [
      'has a space in its credential',
      editAuthorization(wire, (value) => value.replace('AKID', 'AKID ')),
      'IncompleteSignatureException',
      /its part 1 is not\. Check the access key id for spaces/,
    ],
    [
      'has a parameter twice',
      editAuthorization(wire, (value) => `${value},Signature=00`),
      'IncompleteSignatureException',
      /each once/,
    ],
    [
      'is dated in a year of five digits',
      withHeader(withHeader(wire, 'x-amz-date', undefined), 'date', 'Sat, 01 Jan 10000 00:00:00 GMT'),
      'IncompleteSignatureException',
      /^Date must be in ISO-8601 'basic format'/,
    ],
    [
      'has a short signature',
      editAuthorization(wire, (value) => value.slice(0, -1)),
      'IncompleteSignatureException',
      /got 63 characters/,
    ],
    [
      'has a credential of four parts',
      editAuthorization(wire, (value) => value.replace('/aws4_request', '')),
      'IncompleteSignatureException',
      /exactly 5 parts.*got 4/,
    ],
    [
      'has a bad region',
      editAuthorization(wire, (value) => value.replace('eu-central-1', 'EU_1')),
      'InvalidSignatureException',
      /valid Region, got 'EU_1'/,
    ],
    [
      'is for another service',
      editAuthorization(wire, (value) => value.replace('gamesparks', 's3')),
      'InvalidSignatureException',
      /correct service: 'gamesparks', got 's3'/,
    ],
    [
      'has another terminator',
      editAuthorization(wire, (value) => value.replace('aws4_request', 'aws5')),
      'InvalidSignatureException',
      /terminator: 'aws4_request', got 'aws5'/,
    ],
    [
      'has a scope of another day',
      editAuthorization(wire, (value) => value.replace('20260102', '20260103')),
      'InvalidSignatureException',
      /'20260103' != '20260102', from '20260102T030405Z'/,
    ],
    [
      'comes without a date',
      withHeader(wire, 'x-amz-date', undefined),
      'IncompleteSignatureException',
      /either a 'X-Amz-Date' or a 'Date' header/,
    ],
    [
      'comes with a date that is none',
      withHeader(wire, 'x-amz-date', '20260230T030405Z'),
      'IncompleteSignatureException',
      /Got '20260230T030405Z'/,
    ],
    [
      'comes with a date in another form',
      withHeader(wire, 'x-amz-date', '2026-01-02T03:04:05Z'),
      'IncompleteSignatureException',
      /basic format/,
    ],
    [
      'does not sign the host',
      editAuthorization(wire, (value) => value.replace('host;', '')),
      'InvalidSignatureException',
      /not signed: 'host'/,
    ],
    [
      'does not sign an x-amz header',
      withHeader(wire, 'x-amz-more', '1'),
      'InvalidSignatureException',
      /not signed: 'x-amz-more'/,
    ],
    [
      'signs a header that is not there',
      editAuthorization(wire, (value) => value.replace('host;', 'constructor;host;')),
      'InvalidSignatureException',
      /has 'constructor', but the request does not/,
    ],
    [
      'lists headers unsorted',
      editAuthorization(wire, (value) => value.replace('host;', 'x;host;')),
      'IncompleteSignatureException',
      /sorted/,
    ],
    [
      'lists a header twice',
      editAuthorization(wire, (value) => value.replace('host;', 'host;host;')),
      'IncompleteSignatureException',
      /each once/,
    ],
    [
      'lists a header in upper case',
      editAuthorization(wire, (value) => value.replace('host;', 'Host;')),
      'IncompleteSignatureException',
      /lower-case/,
    ],
    [
      'comes with a session token',
      withHeader(wire, 'x-amz-security-token', 'hunter2'),
      'UnrecognizedClientException',
      /Unset AWS_SESSION_TOKEN/,
    ],
    [
      'comes with a session token in the query',
      { ...wire, rawQuery: 'X-Amz-Security-Token=hunter2' },
      'UnrecognizedClientException',
      /no session tokens/,
    ],
    [
      'comes with a presigned URL',
      { ...wire, rawQuery: 'X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Signature=00' },
      'IncompleteSignatureException',
      /presigned URLs are not supported/,
    ],
    [
      'comes with an escaped presigned URL',
      { ...wire, rawQuery: 'x%2damz-signature=00' },
      'IncompleteSignatureException',
      /presigned/,
    ],
    [
      'leaves the payload unsigned',
      withHeader(wire, 'x-amz-content-sha256', 'UNSIGNED-PAYLOAD'),
      'InvalidSignatureException',
      /'UNSIGNED-PAYLOAD', but unsigned and streamed/,
    ],
    [
      'streams the payload',
      withHeader(wire, 'x-amz-content-sha256', 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD'),
      'InvalidSignatureException',
      /'STREAMING-/,
    ],
    [
      'comes with the hash of another body',
      { ...wire, body: Buffer.from('{}') },
      'InvalidSignatureException',
      /but the SHA-256 of the body received is '44136fa3/,
    ],
    [
      'comes with two dates',
      { ...wire, rawHeaders: [...wire.rawHeaders, 'X-AMZ-DATE', TIMESTAMP] },
      'IncompleteSignatureException',
      /x-amz-date is there more than once/,
    ],
    [
      'comes twice',
      { ...wire, rawHeaders: [...wire.rawHeaders, 'authorization', 'x'] },
      'IncompleteSignatureException',
      /authorization is there more than once/,
    ],
    [
      'comes with two hosts',
      { ...wire, rawHeaders: [...wire.rawHeaders, 'host', 'x'] },
      'IncompleteSignatureException',
      /host is there more than once/,
    ],
    [
      'comes with a broken query',
      { ...wire, rawQuery: 'a=%FF' },
      'InvalidSignatureException',
      /query is not percent-encoded UTF-8/,
    ],
    [
      'comes with a parent segment',
      { ...wire, rawPath: '/game/x/../Demo' },
      'InvalidSignatureException',
      /path '\/game\/x\/\.\.\/Demo' cannot be verified/,
    ],
    [
      'comes with one more empty segment',
      { ...wire, rawPath: '/game//Demo' },
      'InvalidSignatureException',
      /does not match/,
    ],
    [
      'comes with a slash at its end',
      { ...wire, rawPath: '/game/Demo/' },
      'InvalidSignatureException',
      /does not match/,
    ],
    [
      'comes with a URL for a path',
      { ...wire, rawPath: 'http://localhost/game' },
      'InvalidSignatureException',
      /must begin with '\/'/,
    ],
  ];
  for (const [title, refused, refusalName, message] of refusals) {
    it(`is refused where it ${title}`, () => {
      const refusal = check(refused);
      assert.equal(refusal?.name, refusalName);
      assert.match(refusal?.message ?? '', message);
      const signature = /Signature=(\w+)/.exec(headerOf(refused, 'authorization'))?.[1] ?? 'none';
      for (const hidden of [SECRET, 'hunter2', signature]) assert.ok(!refusal?.message.includes(hidden));
    });
  }

  it('is verified with an empty segment that was signed', () => {
    assert.equal(check(signExample({ path: '/game//stage' })), undefined);
  });

  it('is refused outside of the clock skew, with both times', () => {
    assert.equal(
      check(wire, { nowMs: NOW_MS + CLOCK_SKEW_MS + 1000 })?.message,
      "Signature expired: 20260102T030405Z is now earlier than 20260102T030406Z (20260102T030906Z - 5 min.). Check the client's clock.",
    );
    assert.equal(
      check(wire, { nowMs: NOW_MS - CLOCK_SKEW_MS - 1000 })?.message,
      "Signature not yet current: 20260102T030405Z is still later than 20260102T030404Z (20260102T025904Z + 5 min.). Check the client's clock.",
    );
  });

  it('is refused, never thrown at, whatever it says', () => {
    const texts = fc.oneof(
      fc.string(),
      fc.string({ unit: 'binary' }),
      fc.stringMatching(/^AWS4-HMAC-SHA256 [ ,=/;A-Za-z]{0,80}$/),
    );
    fc.assert(
      fc.property(texts, texts, texts, (authorization, path, query) => {
        const refusal = check({ ...withHeader(wire, 'authorization', authorization), rawPath: path, rawQuery: query });
        assert.match(refusal?.message ?? '', /^[^\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Surrogate}]+$/u);
      }),
      { seed: 20_260_102, numRuns: 1000 },
    );
  });
});

describe('the cache of signing keys', () => {
  const wire = signExample();

  it('never lets a rotated secret meet the key of its predecessor', () => {
    const signingKeys = createSigningKeyCache({ maxEntries: 10 });
    assert.equal(check(wire, { signingKeys }), undefined);
    assert.equal(check(wire, { signingKeys, secretAccessKey: 'rotated' })?.name, 'InvalidSignatureException');
    assert.equal(check(wire, { signingKeys }), undefined);
  });

  it('keeps only keys that were proved, and forgets the one used longest ago', () => {
    const scope = (region: string) => ({ accessKeyId: ACCESS_KEY_ID, date: '20260102', region });
    const signingKeys = createSigningKeyCache({ maxEntries: 2 });
    check(
      editAuthorization(wire, (value) => value.replace('eu-central-1', 'us-east-1')),
      { signingKeys },
    );
    assert.equal(signingKeys.find(scope('us-east-1'), SECRET), undefined);
    check(wire, { signingKeys });
    const key = signingKeys.find(scope('eu-central-1'), SECRET);
    assert.ok(key !== undefined);
    signingKeys.remember(scope('b'), SECRET, key);
    check(wire, { signingKeys });
    signingKeys.remember(scope('c'), SECRET, key);
    assert.equal(signingKeys.find(scope('b'), SECRET), undefined);
    assert.ok(signingKeys.find(scope('eu-central-1'), SECRET) !== undefined);
  });
});

describe('parseQuery', () => {
  it('keeps order and repetitions', () => {
    assert.deepEqual(parseQuery('b=1&a=x+y&b=%2B&c&=d&&e=f=g'), [
      ['b', '1'],
      ['a', 'x y'],
      ['b', '+'],
      ['c', ''],
      ['', 'd'],
      ['e', 'f=g'],
    ]);
    assert.deepEqual(parseQuery(''), []);
  });

  it('has no answer for what is not percent-encoded UTF-8', () => {
    for (const query of ['%', '%zz', '%ff', 'é', 'a b', '%ED%A0%80']) assert.equal(parseQuery(query), undefined);
  });
});

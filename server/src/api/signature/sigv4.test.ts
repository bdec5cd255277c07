import assert from 'node:assert/strict';
import { createHash, createHmac } from 'node:crypto';
import { describe, it } from 'node:test';
import {
  ACCESS_KEY_ID,
  check,
  editAuthorization,
  SECRET,
  signExample,
  TIMESTAMP,
} from '../../../test/support/signed-request.ts';
import { createSigningKeyCache, parseQuery } from './sigv4.ts';

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

  it('has the header Date when there is no X-Amz-Date', () => {
    for (const date of ['Fri, 02 Jan 2026 03:04:05 GMT', TIMESTAMP]) {
      const authorization = signCanonical(`GET\n/\n\ndate:${date}\nhost:h\n\ndate;host\n${EMPTY_HASH}`, 'date;host');
      const rawHeaders = ['Host', 'h', 'Date', date, 'Authorization', authorization];
      assert.equal(check({ method: 'GET', rawPath: '/', rawQuery: '', rawHeaders, body: new Uint8Array() }), undefined);
    }
  });
});

it('a canonical request has no function called for each of thousands of characters that must be encoded', (t) => {
  const wire = { ...signExample(), rawPath: `/${'!'.repeat(7_000)}`, rawQuery: '!'.repeat(7_000) };
  const calls = t.mock.method(String.prototype, 'charCodeAt');
  assert.equal(check(wire)?.name, 'InvalidSignatureException');
  assert.equal(calls.mock.callCount(), 0);
});

describe('the cache of signing keys', () => {
  const wire = signExample();

  it('never returns the key of an old secret for a new one', () => {
    const signingKeys = createSigningKeyCache({ maxEntries: 10 });
    assert.equal(check(wire, { signingKeys }), undefined);
    assert.equal(check(wire, { signingKeys, secretAccessKey: 'rotated' })?.name, 'InvalidSignatureException');
    assert.equal(check(wire, { signingKeys }), undefined);
  });

  it('keeps only keys of proved secrets, and forgets the one used longest ago', () => {
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

  it('returns undefined for a query that is not percent-encoded UTF-8', () => {
    for (const query of ['%', '%zz', '%ff', 'é', 'a b', '%ED%A0%80']) assert.equal(parseQuery(query), undefined);
  });
});

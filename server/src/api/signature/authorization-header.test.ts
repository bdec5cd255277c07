import assert from 'node:assert/strict';
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
import { collectHeaders } from '../../http/exchange.ts';
import { parseAuthorization } from './authorization-header.ts';
import type { ParsedAuthorization, SignatureRefusal } from './sigv4.ts';

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

  it('names the key that signed, and what it signed', () => {
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

  it('need not sign a header that has no meaning here', () => {
    for (const name of ['x-amz-cf-id', 'x-amzn-trace-id', 'x-amz-date-more', 'x-forwarded-host', 'constructor']) {
      assert.equal(check(withHeader(wire, name, '1')), undefined, name);
    }
  });

  it('is accepted within the clock skew, both ends included', () => {
    assert.equal(check(wire, { nowMs: NOW_MS + CLOCK_SKEW_MS }), undefined);
    assert.equal(check(wire, { nowMs: NOW_MS - CLOCK_SKEW_MS }), undefined);
  });

  const refusals: [title: string, wire: Wire, name: SignatureRefusal['name'], message: RegExp][] = [
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
      'is dated in a year with five digits',
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
      'comes with a date that does not exist',
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
      'does not sign its date',
      editAuthorization(wire, (value) => value.replace(';x-amz-date', '')),
      'InvalidSignatureException',
      /not signed: 'x-amz-date'\. SignedHeaders must name 'host;x-amz-content-sha256;x-amz-date'/,
    ],
    [
      'does not sign the hash of its body',
      editAuthorization(wire, (value) => value.replace('x-amz-content-sha256;', '')),
      'InvalidSignatureException',
      /not signed: 'x-amz-content-sha256'/,
    ],
    [
      'signs a header that was changed on the way',
      withHeader(signExample({ headers: { 'x-amz-cf-id': 'of the client' } }), 'x-amz-cf-id', 'of the proxy'),
      'InvalidSignatureException',
      /does not match/,
    ],
    [
      'signs a header that is not there',
      editAuthorization(wire, (value) => value.replace('host;', 'constructor;host;')),
      'InvalidSignatureException',
      /names 'constructor', but the request does not have it/,
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
      /x-amz-date appears more than once/,
    ],
    [
      'comes twice',
      { ...wire, rawHeaders: [...wire.rawHeaders, 'authorization', 'x'] },
      'IncompleteSignatureException',
      /authorization appears more than once/,
    ],
    [
      'comes with the position of another stream, which somebody has added',
      withHeader(wire, 'last-event-id', '1'),
      'InvalidSignatureException',
      /not signed: 'last-event-id'/,
    ],
    [
      'comes with two positions of a stream',
      { ...wire, rawHeaders: [...wire.rawHeaders, 'Last-Event-ID', '1', 'Last-Event-ID', '2'] },
      'IncompleteSignatureException',
      /last-event-id appears more than once/,
    ],
    [
      'comes with two hosts',
      { ...wire, rawHeaders: [...wire.rawHeaders, 'host', 'x'] },
      'IncompleteSignatureException',
      /host appears more than once/,
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

  it('is verified with an empty path segment that was signed', () => {
    assert.equal(check(signExample({ path: '/game//stage' })), undefined);
  });

  it('is refused outside the clock skew, with both times in the message', () => {
    assert.equal(
      check(wire, { nowMs: NOW_MS + CLOCK_SKEW_MS + 1000 })?.message,
      "Signature expired: 20260102T030405Z is now earlier than 20260102T030406Z (20260102T030906Z - 5 min.). Check the client's clock.",
    );
    assert.equal(
      check(wire, { nowMs: NOW_MS - CLOCK_SKEW_MS - 1000 })?.message,
      "Signature not yet current: 20260102T030405Z is still later than 20260102T030404Z (20260102T025904Z + 5 min.). Check the client's clock.",
    );
  });

  it('is refused without an exception, whatever it contains', () => {
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

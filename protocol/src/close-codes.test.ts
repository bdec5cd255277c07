import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import {
  CLOSE_CODES,
  type CloseReason,
  closeCode,
  findCloseName,
  formatCloseReason,
  MAX_CLOSE_REASON_BYTES,
  parseCloseReason,
  verdictOf,
} from './close-codes.ts';

interface ReasonVectors {
  readonly format: readonly (CloseReason & { readonly name: string; readonly reason: string })[];
  readonly parse: readonly { readonly name: string; readonly reason: string; readonly parsed: CloseReason }[];
}

const vectors: ReasonVectors = JSON.parse(
  readFileSync(new URL('../../vectors/close-reasons.json', import.meta.url), 'utf8'),
);

describe('close codes', () => {
  test('have one row for each number', () => {
    const codes = Object.values(CLOSE_CODES).map((row) => row.code);
    assert.equal(new Set(codes).size, codes.length);
  });

  test('of Respark’s own have the verdict of their range', () => {
    const own = Object.values(CLOSE_CODES).filter((row) => row.code >= 4000);
    assert.ok(own.length > 10);
    for (const { code, verdict } of own) assert.equal(verdict, code < 4500 ? 'reconnect' : 'stop', `${code}`);
  });

  test('are found by name and by number', () => {
    assert.equal(closeCode('disconnected'), 4500);
    assert.equal(findCloseName(4500), 'disconnected');
    assert.equal(findCloseName(4505), undefined);
    assert.equal(findCloseName(0), undefined);
  });

  test('that are not in the table have the verdict of their range', () => {
    const expected = { 0: 'reconnect', 1004: 'reconnect', 2999: 'reconnect', 3000: 'reconnect', 4099: 'reconnect' };
    for (const [code, verdict] of Object.entries(expected)) assert.equal(verdictOf(Number(code)), verdict, code);
    for (const code of [4505, 4599, 4999]) assert.equal(verdictOf(code), 'stop');
    for (const code of [5000, -1, Number.NaN]) assert.equal(verdictOf(code), 'reconnect');
  });
});

describe('close reasons', () => {
  for (const { name, text, reason, ...facts } of vectors.format) {
    test(`written: ${name}`, () => {
      const written = formatCloseReason(text, facts);
      assert.equal(written, reason);
      assert.ok(Buffer.byteLength(written) <= MAX_CLOSE_REASON_BYTES);
    });
  }
  for (const { name, reason, parsed } of vectors.parse) {
    test(`read: ${name}`, () => assert.deepEqual(parseCloseReason(reason), parsed));
  }

  test('always fit a close frame, and keep their facts', () => {
    const facts = fc.record(
      { retryAfterMs: fc.nat(3_600_000), requestId: fc.stringMatching(/^[\w-]{1,64}$/) },
      { noNullPrototype: true },
    );
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 200 }), facts, (text, given) => {
        const reason = formatCloseReason(text, given);
        assert.ok(Buffer.byteLength(reason) <= MAX_CLOSE_REASON_BYTES);
        const { text: kept, ...read } = parseCloseReason(reason);
        assert.deepEqual(read, given);
        assert.ok(text.replaceAll(';', ',').startsWith(kept));
      }),
    );
  });

  test('of any peer are read in bounded time, garbage included', () => {
    assert.deepEqual(Object.keys(parseCloseReason(';a='.repeat(1_000_000))), ['text']);
  });

  test('leave out a wait that is not a number', () => {
    assert.equal(formatCloseReason('again', { retryAfterMs: Number.NaN }), 'again');
    assert.equal(formatCloseReason('again', { retryAfterMs: Number.POSITIVE_INFINITY }), 'again; retryAfterMs=3600000');
  });
});

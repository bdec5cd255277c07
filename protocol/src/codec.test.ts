import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { decodeClientFrame, decodeServerFrame, encode, encodeResponse } from './codec.ts';
import type { ClientFrame, ServerFrame } from './messages.ts';

interface Vector {
  readonly name: string;
  readonly direction: 'to-server' | 'to-client';
  readonly text: string;
  readonly frame?: ClientFrame | ServerFrame;
  readonly refused?: true;
}

const vectors: readonly Vector[] = JSON.parse(
  readFileSync(new URL('../../vectors/frames.json', import.meta.url), 'utf8'),
);
const decoders = { 'to-server': decodeClientFrame, 'to-client': decodeServerFrame };

function faultOf(text: string): string {
  const decoded = decodeClientFrame(text);
  assert.ok(!decoded.ok);
  return decoded.fault;
}

describe('golden frames', () => {
  for (const { name, direction, text, frame, refused } of vectors) {
    test(`${direction}: ${name}`, () => {
      const decoded = decoders[direction](text);
      if (frame === undefined) {
        assert.equal(refused, true);
        assert.equal(decoded.ok, false);
        return;
      }
      assert.deepEqual(decoded, { ok: true, frame });
      assert.deepEqual(decoders[direction](encode(frame)), { ok: true, frame });
      if (frame.kind === 'response') {
        assert.equal(encodeResponse(frame.id, JSON.stringify(frame.payload)), encode(frame));
      }
    });
  }

  test('name every kind of frame in both directions', () => {
    const kinds = (direction: string) =>
      new Set(vectors.flatMap((vector) => (vector.direction === direction ? (vector.frame?.kind ?? []) : [])));
    assert.deepEqual(kinds('to-server'), new Set(['hello', 'request', 'event', 'heartbeat']));
    assert.deepEqual(kinds('to-client'), new Set(['welcome', 'response', 'error', 'notification', 'heartbeat']));
  });
});

describe('a fault', () => {
  test('says which member, what it must be and what it was', () => {
    assert.equal(
      faultOf('{"kind":"request","id":7}'),
      'id must be a well-formed string of 1-64 characters, got 7',
      'the first of two faults',
    );
    assert.equal(faultOf('{"kind":"nope"}'), 'kind must be one of hello, request, event, heartbeat, got "nope"');
    assert.equal(faultOf('{}'), 'kind must be one of hello, request, event, heartbeat, got nothing');
    assert.equal(faultOf('{"kind":"event","type":"T","payload":[]}'), 'payload must be a JSON object, got an array');
    assert.equal(faultOf('null'), 'a frame must be a JSON object, got null');
    assert.equal(faultOf('hello'), 'a frame must be JSON, got "hello"');
  });

  test('shortens long values between characters', () => {
    assert.equal(faultOf('🎮'.repeat(40_000)), `a frame must be JSON, got "${'🎮'.repeat(32)}…"`);
    assert.equal(faultOf('a'.repeat(33)), `a frame must be JSON, got "${'a'.repeat(32)}…"`);
    assert.equal(faultOf('a'.repeat(32)), `a frame must be JSON, got "${'a'.repeat(32)}"`);
  });

  test('escapes what a terminal or a log reader would act on', () => {
    assert.equal(
      faultOf('\u001b[2J\n\u009b\u202e\u2028'),
      'a frame must be JSON, got "\\u001b[2J\\n\\u{9b}\\u{202e}\\u{2028}"',
    );
  });

  test('is never an exception and never long, whatever the text', () => {
    const near = fc.constantFrom(
      '{"kind":"',
      'hello',
      'request',
      '","id":',
      '"type":',
      '1e999',
      '[',
      '{',
      '}',
      '"',
      ',',
    );
    const text = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.json(),
      fc.array(near).map((parts) => parts.join('')),
    );
    fc.assert(
      fc.property(text, (anything) => {
        for (const decode of Object.values(decoders)) {
          const decoded = decode(anything);
          if (!decoded.ok) assert.ok(decoded.fault.length < 400 && !decoded.fault.includes('\n'));
        }
      }),
    );
  });

  test('is found in a payload nested as deep as a frame can be', () => {
    assert.equal(
      faultOf(`{"kind":"event","type":"T","payload":{"a":${'['.repeat(32_000)}${']'.repeat(32_000)}}}`),
      'payload must nest at most 32 levels',
    );
  });
});

test('any payload that JSON can hold comes back unchanged', () => {
  const member = fc.jsonValue({ maxDepth: 6 }).map((value) => JSON.parse(JSON.stringify(value)));
  fc.assert(
    fc.property(fc.dictionary(fc.string(), member), (payload) => {
      const frame: ClientFrame = { kind: 'event', type: 'T', payload: { ...payload } };
      assert.deepEqual(decodeClientFrame(encode(frame)), { ok: true, frame });
    }),
  );
});

test('a __proto__ member stays a member and gives no object a prototype', () => {
  const decoded = decodeClientFrame('{"kind":"event","type":"T","payload":{"__proto__":{"isAdmin":true}}}');
  assert.ok(decoded.ok && decoded.frame.kind === 'event');
  assert.equal(decoded.frame.payload.isAdmin, undefined);
  assert.deepEqual(Object.keys(decoded.frame.payload), ['__proto__']);
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createLog } from './log.ts';

function logged(facts: object): Record<string, unknown> {
  const lines: string[] = [];
  createLog({ level: 'info', destination: { write: (line) => void lines.push(line) } }).info(facts, 'message');
  assert.equal(lines.length, 1);
  return JSON.parse(lines[0] ?? '');
}

test('an event is one line of a time, a level, facts and a constant message', () => {
  const { time, ...line } = logged({ connectionId: 'c1', nested: { list: [{ a: 1 }], none: null } });
  assert.match(String(time), /^\d{4}-\d\d-\d\dT.*Z$/);
  assert.deepEqual(line, { level: 30, connectionId: 'c1', nested: { list: [{ a: 1 }], none: null }, msg: 'message' });
});

test('secrets that get among the facts by mistake are not written, at any depth', () => {
  const headers = Object.assign(Object.create(null), { Authorization: 'AWS4 SPILLED', host: 'localhost' });
  const { time: _, ...line } = logged({
    secretAccessKey: 'SPILLED',
    token: 'SPILLED',
    request: { headers, credentials: { secret: 'SPILLED', Signature: 'SPILLED', id: 'k1' } },
  });
  assert.deepEqual(line, {
    level: 30,
    secretAccessKey: '[redacted]',
    token: '[redacted]',
    request: {
      headers: { Authorization: '[redacted]', host: 'localhost' },
      credentials: { secret: '[redacted]', Signature: '[redacted]', id: 'k1' },
    },
    msg: 'message',
  });
});

test('an error is written with its causes, without the secrets that it carries', () => {
  const error = Object.assign(new Error('outer', { cause: new Error('inner') }), {
    code: 'EFAIL',
    token: 'SPILLED',
    config: { headers: { authorization: 'SPILLED' } },
  });
  const line = logged({ err: error });
  const { code, message, stack } = line.err as Record<string, unknown>;
  assert.deepEqual([code, message], ['EFAIL', 'outer: inner']);
  assert.match(String(stack), /log\.test/);
  assert.doesNotMatch(JSON.stringify(line), /SPILLED/);
});

test('the facts themselves are left as they are', () => {
  const facts = Object.freeze({ token: 'mine', nested: Object.freeze({ secret: 'mine' }) });
  logged(facts);
  assert.deepEqual(facts, { token: 'mine', nested: { secret: 'mine' } });
});

test('facts that are given as a function are asked for only where somebody reads them', () => {
  assert.deepEqual(logged(() => ({ connectionId: 'c1' })).connectionId, 'c1');
  createLog({ level: 'info' }).debug(() => assert.fail('asked for'), 'message');
});

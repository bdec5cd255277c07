import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Inboxes } from './inboxes.ts';

function start() {
  const ended: string[] = [];
  const inboxes = new Inboxes<string>({ budgetBytes: 1_000, end: (name) => void ended.push(name) });
  return { ended, note: (name: string, bytes: number) => inboxes.note(name, bytes) };
}

test('the messages that began first are ended until the others fit', () => {
  const { note, ended } = start();
  for (const [name, bytes] of Object.entries({ a: 100, b: 100, c: 600 })) note(name, bytes);
  note('a', 300);
  assert.deepEqual(ended, []);
  note('d', 250);
  assert.deepEqual(ended, ['a']);
  note('d', 400);
  assert.deepEqual(ended, ['a', 'b']);
});

test('a message that has come whole takes nothing, and the next one of its player is a new one', () => {
  const { note, ended } = start();
  note('a', 900);
  note('a', 0);
  note('b', 600);
  note('a', 400);
  assert.deepEqual(ended, []);
  note('a', 401);
  assert.deepEqual(ended, ['b']);
});

test('a message that is too long by itself is ended too', () => {
  const { note, ended } = start();
  note('a', 1_001);
  note('b', 1_000);
  assert.deepEqual(ended, ['a']);
});

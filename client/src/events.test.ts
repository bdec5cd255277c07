import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Events } from './events.ts';

test('listeners are called until they are removed', () => {
  const events = new Events<{ score: number }>();
  const heard: number[] = [];
  const stop = events.on('score', (score) => heard.push(score));
  events.emit('score', 1);
  stop();
  stop();
  events.emit('score', 2);
  assert.deepEqual(heard, [1]);
});

test('adding or removing a listener during an event takes effect from the next event on', () => {
  const events = new Events<{ score: number }>();
  const heard: string[] = [];
  const stop = events.on('score', () => {
    stop();
    heard.push('first');
    events.on('score', () => heard.push('second'));
  });
  events.emit('score', 1);
  assert.deepEqual(heard, ['first']);
  events.emit('score', 2);
  assert.deepEqual(heard, ['first', 'second']);
});

test('a listener that throws does not stop the others, and its error is not swallowed', (t) => {
  const later = t.mock.method(globalThis, 'queueMicrotask', () => {});
  const events = new Events<{ score: number }>();
  const heard: number[] = [];
  events.on('score', () => {
    throw new Error('a bug of the application');
  });
  events.on('score', (score) => heard.push(score));
  events.emit('score', 1);
  assert.deepEqual(heard, [1]);
  const task = later.mock.calls[0]?.arguments[0];
  assert.throws(() => task?.(), { message: 'a bug of the application' });
});

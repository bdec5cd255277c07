import assert from 'node:assert/strict';
import { test } from 'node:test';
import { recordedLog } from '../../../test/support/domain.ts';
import { createRuntimes, EMPTY_RUNTIME_ID } from './runtimes.ts';

const [FIRST, SECOND, THIRD] = ['01', '02', '03'].map((start) => `${start}9b7d9a-0000-7000-8000-000000000000`) as [
  string,
  string,
  string,
];

function open() {
  const { log, lines } = recordedLog();
  const ended = () => lines.map(({ stageId, runtimeId }) => `${stageId} ${runtimeId}`);
  return { runtimes: createRuntimes({ log }), ended };
}

test('a runtime is there while it has connections', () => {
  const { runtimes } = open();
  runtimes.enter('s1', EMPTY_RUNTIME_ID);
  runtimes.enter('s1', EMPTY_RUNTIME_ID);
  runtimes.enter('s2', EMPTY_RUNTIME_ID);
  assert.equal(runtimes.size, 2);
  runtimes.leave('s1', EMPTY_RUNTIME_ID);
  assert.equal(runtimes.size, 2);
  runtimes.leave('s1', EMPTY_RUNTIME_ID);
  runtimes.leave('s2', EMPTY_RUNTIME_ID);
  assert.equal(runtimes.size, 0);
});

test('an old runtime ends with its last connection, and the newest one is only empty', () => {
  const { runtimes, ended } = open();
  runtimes.enter('s1', EMPTY_RUNTIME_ID);
  runtimes.enter('s1', EMPTY_RUNTIME_ID);
  runtimes.deployed('s1', FIRST);
  runtimes.enter('s1', FIRST);
  assert.equal(runtimes.size, 2);
  runtimes.leave('s1', EMPTY_RUNTIME_ID);
  assert.deepEqual(ended(), []);
  runtimes.leave('s1', EMPTY_RUNTIME_ID);
  assert.deepEqual(ended(), [`s1 ${EMPTY_RUNTIME_ID}`]);
  runtimes.leave('s1', FIRST);
  assert.equal(ended().length, 1);
  assert.equal(runtimes.size, 0);
});

test('a runtime is old as soon as a newer one is deployed, before anyone opens on that', () => {
  const { runtimes, ended } = open();
  runtimes.enter('s1', FIRST);
  runtimes.deployed('s1', SECOND);
  runtimes.leave('s1', FIRST);
  assert.deepEqual(ended(), [`s1 ${FIRST}`]);
});

test('a connection that was admitted before a deployment does not make the old runtime the newest again', () => {
  const { runtimes, ended } = open();
  runtimes.enter('s1', THIRD);
  runtimes.enter('s1', SECOND);
  runtimes.enter('s1', EMPTY_RUNTIME_ID);
  runtimes.leave('s1', SECOND);
  runtimes.leave('s1', EMPTY_RUNTIME_ID);
  assert.deepEqual(ended(), [`s1 ${SECOND}`, `s1 ${EMPTY_RUNTIME_ID}`]);
  runtimes.leave('s1', THIRD);
  assert.equal(ended().length, 2);
});

test('who leaves without having entered is a bug that shows', () => {
  const { runtimes } = open();
  assert.throws(() => runtimes.leave('s1', FIRST), /no connection/);
  runtimes.enter('s1', FIRST);
  assert.throws(() => runtimes.leave('s1', SECOND), /no connection/);
  runtimes.leave('s1', FIRST);
  assert.throws(() => runtimes.leave('s1', FIRST), /no connection/);
  assert.equal(runtimes.size, 0);
});

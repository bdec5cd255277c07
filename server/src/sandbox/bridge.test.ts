import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AnswerBox, answerText, MAX_ANSWER_BYTES, parametersOf } from './bridge.ts';

test('the thread takes an answer as the host has put it, whatever was there before', () => {
  const host = new AnswerBox();
  const thread = new AnswerBox(host.memory);
  for (const [index, text] of ['{"result":"größer"}', '{}', 'x'.repeat(MAX_ANSWER_BYTES)].entries()) {
    host.put(index + 1, text);
    assert.equal(thread.take(index + 1), text);
  }
});

test('an answer that takes more bytes than there is room for is a fault, however few characters it has', () => {
  // `{"result":""}` takes 13 bytes, and each letter two.
  const answer = (letters: number) => answerText({ resultJson: `"${'é'.repeat(letters)}"` });
  const most = Math.floor((MAX_ANSWER_BYTES - 13) / 2);
  assert.equal(Buffer.byteLength(answer(most)), MAX_ANSWER_BYTES - 1);
  const { error } = JSON.parse(answer(most + 1));
  assert.equal(error.code, 'too_large');
});

test('parameters are an array of JSON, or none', () => {
  assert.deepEqual(parametersOf('[1,{"a":null}]'), [1, { a: null }]);
  for (const text of ['{"length":1}', '"text"', 'null', '[1', '']) assert.equal(parametersOf(text), undefined, text);
});

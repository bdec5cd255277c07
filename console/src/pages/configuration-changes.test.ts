import assert from 'node:assert/strict';
import { test } from 'node:test';
import { changesBetween } from './configuration-changes.ts';

const handler = (Script: string, Enabled = true) => ({ Enabled, Code: { Script, ScriptLanguage: 'Javascript_ES5_1' } });
const sections = (handlers: object, model: object = {}) => ({
  'GameSparks.Core.Model': { Attributes: model },
  'GameSparks.Core.RequestHandlers': { Attributes: handlers },
});

test('entries are added, removed or changed, and a handler by its script, its settings or both', () => {
  const before = sections(
    { Same: handler('1'), Script: handler('a\nb'), Off: handler('x'), Both: handler('x'), Gone: handler('bye') },
    { Shape: { Structure: { Fields: { A: 1, B: 2 } } } },
  );
  const after = sections(
    {
      Same: handler('1'),
      Script: handler('a\nc'),
      Off: handler('x', false),
      Both: handler('y', false),
      New: handler('hi'),
    },
    { Shape: { Structure: { Fields: { B: 2, A: 1 } } } },
  );
  const found = changesBetween(before, after).map(({ kind, entry, texts }) => [kind, entry.name, texts.length]);
  assert.deepEqual(found, [
    ['changed', 'Script', 1],
    ['changed', 'Off', 1],
    ['changed', 'Both', 2],
    ['added', 'New', 2],
    ['removed', 'Gone', 2],
  ]);
  const [script] = changesBetween(before, after);
  assert.deepEqual(script?.texts, [{ before: 'a\nb', after: 'a\nc' }]);
  assert.deepEqual(changesBetween(after, after), []);
  assert.deepEqual(changesBetween(undefined, undefined), []);
});

test('names of every kind are told apart, and a value of another kind is a change', () => {
  const before = sections({}, { 'a"b': 1, constructor: { x: 1 } });
  const after = sections({}, { 'a"b': [1], constructor: { x: 1 }, toString: 2 });
  assert.deepEqual(
    changesBetween(before, after).map(({ kind, entry }) => [kind, entry.name]),
    [
      ['changed', 'a"b'],
      ['added', 'toString'],
    ],
  );
});

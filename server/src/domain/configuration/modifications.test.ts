import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Json, Sections } from './document.ts';
import { applyModifications, type Modification } from './modifications.ts';
import { pointerOf } from './pointer.ts';

const add = (path: string, value?: Json, section = 'S'): Modification => ({ section, operation: 'ADD', path, value });
const replace = (path: string, value?: Json, section = 'S'): Modification => ({
  ...add(path, value, section),
  operation: 'REPLACE',
});
const remove = (path: string, value?: Json, section = 'S'): Modification => ({
  ...add(path, value, section),
  operation: 'REMOVE',
});

/** The sections as text, which shows every key and the order of arrays. */
function changed(attributes: string, ...modifications: Modification[]): string {
  const { S } = applyModifications({ S: JSON.parse(attributes) }, modifications);
  return JSON.stringify(S);
}

function refused(attributes: string, message: RegExp, ...modifications: Modification[]): void {
  assert.throws(() => changed(attributes, ...modifications), { name: 'ServiceError', code: 'validation', message });
}

test('a member is added, replaced and removed', () => {
  assert.equal(changed('{"a":1}', add('/b', 2)), '{"a":1,"b":2}');
  assert.equal(changed('{"a":1}', add('/a', null)), '{"a":null}');
  assert.equal(changed('{"a":{"b":1}}', replace('/a/b', [])), '{"a":{"b":[]}}');
  assert.equal(changed('{"a":1,"b":2}', remove('/a')), '{"b":2}');
});

test('an item is inserted, appended, replaced and removed', () => {
  assert.equal(changed('{"a":[1,2]}', add('/a/0', 0)), '{"a":[0,1,2]}');
  assert.equal(changed('{"a":[1,2]}', add('/a/2', 3)), '{"a":[1,2,3]}');
  assert.equal(changed('{"a":[1,2]}', add('/a/-', 3)), '{"a":[1,2,3]}');
  assert.equal(changed('{"a":[1,2]}', replace('/a/1', 9)), '{"a":[1,9]}');
  assert.equal(changed('{"a":[1,2]}', remove('/a/0')), '{"a":[2]}');
  assert.equal(changed('{"a":[[1],[2]]}', add('/a/1/-', 3)), '{"a":[[1],[2,3]]}');
});

test('keys are what the path says, unescaped, whatever they mean elsewhere', () => {
  assert.equal(changed('{}', add('/a~1b', 1), add('/~0~01', 2), add('/ "', 3)), '{"a/b":1,"~~1":2," \\"":3}');
  assert.equal(changed('{"a":{"":{"b":1}}}', replace('/a//b', 2)), '{"a":{"":{"b":2}}}');
  assert.equal(
    changed('{"-":{},"0":{}}', add('/-/x', 1), add('/0/x', 2), add('/01', 3)),
    '{"0":{"x":2},"-":{"x":1},"01":3}',
  );
  const hostile = changed('{}', add('/__proto__', {}), add('/__proto__/polluted', 1), add('/constructor', {}));
  assert.equal(hostile, '{"__proto__":{"polluted":1},"constructor":{}}');
  assert.equal(changed(hostile, remove('/__proto__')), '{"constructor":{}}');
  assert.equal(({} as { polluted?: number }).polluted, undefined);
});

test('inherited members do not count as being there', () => {
  for (const path of ['/__proto__/x', '/constructor/x', '/a/length/x', '/a/map/x'])
    refused('{"a":[]}', /there is nothing at/, add(path, 1));
  for (const path of ['/__proto__', '/toString', '/a/length', '/a/0']) {
    refused('{"a":[]}', /there is nothing there/, replace(path, 1));
    refused('{"a":[]}', /there is nothing there/, remove(path));
  }
});

test('a section is made by the first ADD to it, and by nothing else', () => {
  assert.deepEqual(applyModifications({}, [add('/a', 1, 'New')]), { New: { a: 1 } });
  assert.throws(() => applyModifications({}, [replace('/a', 1)]), /there is no such section/);
  assert.throws(() => applyModifications({}, [remove('/a')]), /there is no such section/);
  assert.throws(() => applyModifications({}, [add('/a/b', 1)]), /there is nothing at "\/a": ADD that first/);
});

test('a modification that cannot be made is named by its place, from 1, with what to do', () => {
  const first = add('/ok', 1);
  refused(
    '{}',
    /^modifications\.2\.member: cannot REMOVE "\/a" in section "S": there is nothing there: ADD it/,
    first,
    remove('/a'),
  );
  refused('{"a":1}', /what is at "\/a" has no members: REPLACE that first/, add('/a/b', 1));
  refused('{"a":[1]}', /an array of 1: end the path with an index up to that, or with "-"/, add('/a/2', 1));
  for (const index of ['01', '1e0', ' 0', '+0', '-1', '9'.repeat(400), 'x', ''])
    refused('{"a":[1,2,3]}', /array of 3/, add(`/a/${index}`, 1));
  for (const path of ['/a~', '/a~2b', '/~/b', 'a', ''])
    refused('{"a":{}}', /a path begins with "\/", and/, add(path, 1));
  refused('{}', /ADD needs a Value/, add('/a'));
  refused('{"a":1}', /REPLACE needs a Value/, replace('/a'));
  refused('{"a":1}', /REMOVE takes no Value: leave it out/, remove('/a', null));
  refused('{}', /its Value holds a number beyond/, add('/a', Number.POSITIVE_INFINITY));
});

test('attributes nest at most 64 levels', () => {
  const nested = (depth: number): Json => JSON.parse('['.repeat(depth) + ']'.repeat(depth));
  changed('{}', add('/a', nested(63)));
  refused('{}', /its Value nests deeper than 64 levels/, add('/a', nested(64)));
  const deepest = pointerOf(Array.from({ length: 64 }, () => '0'));
  const attributes = `{"0":${JSON.stringify(nested(63)).replace('[]', '[1]')}}`;
  changed(attributes, replace(deepest, 1));
  refused(attributes, /its Value nests deeper/, replace(deepest, {}));
});

test('the given sections and values stay as they were', () => {
  const sections = { S: { a: { b: [1] }, c: { d: 1 } }, T: {} };
  const value = { x: [] };
  const before = JSON.stringify([sections, value]);
  const after = applyModifications(sections, [add('/v', value), add('/v/x/-', 1), add('/a/b/-', 2), remove('/c/d')]);
  assert.equal(JSON.stringify([sections, value]), before);
  assert.deepEqual(after, { S: { a: { b: [1, 2] }, c: {}, v: { x: [1] } }, T: {} });
  assert.equal(after.T, sections.T, 'what no path leads through is shared');
});

test('a hundred modifications of a large document copy it once', (t) => {
  const wide = Object.fromEntries(Array.from({ length: 20_000 }, (_, index) => [`key${index}`, { value: [index] }]));
  const modifications = Array.from({ length: 100 }, (_, index) => add(`/wide/key${index * 7}/value/-`, index));
  const { mock } = t.mock.method(Object, 'fromEntries');
  const { S } = applyModifications({ S: { wide } }, modifications);
  const sizes = mock.calls.map(({ result }) => Object.keys(result as object).length);
  assert.deepEqual(
    sizes.filter((size) => size > 1),
    [20_000],
  );
  for (let index = 0; index < 100; index += 1) wide[`key${index * 7}`]?.value.push(index);
  assert.equal(JSON.stringify(S), JSON.stringify({ wide }));
});

/** The same rules on trees of Maps and arrays, without care for speed; undefined when a modification cannot be made. */
type Tree = Map<string, Tree> | Tree[] | Exclude<Json, object> | null;

function treeOf(json: Json): Tree {
  if (Array.isArray(json)) return json.map(treeOf);
  if (typeof json !== 'object' || json === null) return json as Tree;
  return new Map(Object.entries(json).map(([key, value]) => [key, treeOf(value)]));
}

function naive(root: Map<string, Tree>, { section, operation, path, value }: Modification): boolean {
  if (!root.has(section) && operation === 'ADD') root.set(section, new Map());
  let at: Tree | undefined = root.get(section);
  const keys = path
    .slice(1)
    .split('/')
    .map((key) =>
      key
        .split('~1')
        .map((part) => part.split('~0').join('~'))
        .join('/'),
    );
  const last = keys.pop() as string;
  const step = (from: Tree | undefined, key: string): Tree | undefined => {
    if (from instanceof Map) return from.get(key);
    return Array.isArray(from) && String(Number(key)) === key ? from[Number(key)] : undefined;
  };
  for (const key of keys) at = step(at, key);
  const exists = step(at, last) !== undefined;
  if (operation !== 'ADD' && !exists) return false;
  if (at instanceof Map) {
    if (operation === 'REMOVE') at.delete(last);
    else at.set(last, treeOf(value as Json));
    return true;
  }
  if (!Array.isArray(at)) return false;
  if (operation === 'ADD') {
    const index = last === '-' ? at.length : Number(last);
    if (last !== '-' && (String(index) !== last || !(index >= 0 && index <= at.length))) return false;
    at.splice(index, 0, treeOf(value as Json));
  } else if (operation === 'REPLACE') at[Number(last)] = treeOf(value as Json);
  else at.splice(Number(last), 1);
  return true;
}

test('any sequence of modifications makes what a plain model of the document says, or nothing', () => {
  const key = fc.oneof(
    { weight: 2, arbitrary: fc.constantFrom('a', '0', '__proto__') },
    { weight: 1, arbitrary: fc.constantFrom('b', '1', '2', '-', '', 'constructor', 'length', 'x/y', '~1') },
  );
  const value = fc.letrec<{ json: Json }>((tie) => ({
    json: fc.oneof(
      { maxDepth: 3, withCrossShrink: true },
      fc.constantFrom<Json>(null, 1, '', false),
      fc.array(tie('json'), { maxLength: 3 }),
      fc.array(fc.tuple(key, tie('json')), { maxLength: 4 }).map((entries): Json => Object.fromEntries(entries)),
    ),
  })).json;
  const object = fc.array(fc.tuple(key, value), { maxLength: 4 }).map((entries): Json => Object.fromEntries(entries));
  const modification = fc
    .record({
      section: fc.constantFrom('S', 'T'),
      operation: fc.constantFrom('ADD', 'REMOVE', 'REPLACE'),
      keys: fc.array(key, { minLength: 1, maxLength: 3 }),
      value,
    })
    .map(
      ({ keys, value, ...rest }): Modification => ({
        ...rest,
        path: pointerOf(keys),
        value: rest.operation === 'REMOVE' ? undefined : value,
      }),
    );
  let made = 0;
  fc.assert(
    fc.property(object, fc.array(modification, { maxLength: 40, size: 'max' }), (attributes, wanted) => {
      let sections: Sections = { S: attributes };
      let tree = treeOf(sections) as Map<string, Tree>;
      const accepted: Modification[] = [];
      for (const one of wanted) {
        const before = JSON.stringify(sections);
        const next = structuredClone(tree);
        const isPossible = naive(next, one);
        try {
          const after = applyModifications(sections, [one]);
          assert.ok(isPossible, `${JSON.stringify(one)} should be refused`);
          assert.equal(JSON.stringify(sections), before);
          sections = after;
          tree = next;
          accepted.push(one);
        } catch (error) {
          assert.equal((error as { code?: string }).code, 'validation', String(error));
          assert.ok(!isPossible, `${JSON.stringify(one)} should be made`);
        }
        assert.deepEqual(treeOf(sections), tree);
      }
      // One call with all of them does the same as a call for each, but is refused if any of them is impossible.
      const all = applyModifications({ S: attributes }, accepted);
      assert.deepEqual(treeOf(all), tree);
      made += accepted.length;
      if (accepted.length < wanted.length) assert.throws(() => applyModifications({ S: attributes }, wanted));
    }),
    { numRuns: 300 },
  );
  assert.ok(made > 500, `${made} modifications were possible`);
});
